//! Expressions in CEL that select devices (`dynamic-resource-allocation/cel`): compiled once, asked of each device.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use api_cel::{Budget, Environment, EvalError, Object, ObjectType, Program, Type, Value};
use api_types::resource::v1::{Device, DeviceAttribute};

use crate::limits::{EXPRESSION_COST, EXPRESSIONS};

/// What is known of a device.
static DEVICE: LazyLock<Environment> = LazyLock::new(|| {
    let fields = [
        ("driver", Type::String),
        ("attributes", Type::map(Type::map(Type::Dyn))),
        ("capacity", Type::map(Type::map(Type::Opaque("kubernetes.Quantity")))),
        ("allowMultipleAllocations", Type::Bool),
    ];
    Environment::new(vec![("device", ObjectType::of("kubernetes.DRADevice", fields))]).with_bindings()
});

/// Compiles an expression that says of a device whether it will do.
///
/// # Errors
/// What is wrong with it, in upstream's words.
pub fn compile(expression: &str) -> Result<Program, String> {
    let program =
        Program::compile(expression, &DEVICE).map_err(|error| format!("compilation failed: {error}"))?;
    match program.result() {
        Type::Bool | Type::Dyn => Ok(program),
        other => Err(format!("must evaluate to bool or the unknown type, not {other}")),
    }
}

/// Compiled expressions, kept by their text.
#[derive(Debug, Default)]
pub struct Selectors {
    compiled: Mutex<BTreeMap<String, Arc<Result<Program, String>>>>,
}

impl Selectors {
    /// An expression, compiled now or before.
    pub(crate) fn of(&self, expression: &str) -> Arc<Result<Program, String>> {
        let mut compiled = self.compiled.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = compiled.get(expression) {
            return Arc::clone(known);
        }
        // What is used is compiled again soon enough; which of them that is, is not worth keeping book of.
        if compiled.len() >= EXPRESSIONS {
            compiled.clear();
        }
        let fresh = Arc::new(compile(expression));
        compiled.insert(expression.to_owned(), Arc::clone(&fresh));
        fresh
    }
}

/// A device as expressions see it.
///
/// # Errors
/// If an attribute has no value that is known.
pub(crate) fn seen(driver: &str, device: &Device) -> Result<Value, String> {
    let mut attributes: BTreeMap<String, Vec<(String, Value)>> = BTreeMap::new();
    for (name, attribute) in &device.attributes {
        let value = value(attribute).map_err(|why| format!("attribute {name}: {why}"))?;
        let (domain, id) = name.split_once('/').unwrap_or((driver, name));
        attributes.entry(domain.to_owned()).or_default().push((id.to_owned(), value));
    }
    let mut capacity: BTreeMap<String, Vec<(String, Value)>> = BTreeMap::new();
    for (name, own) in &device.capacity {
        let (domain, id) = name.split_once('/').unwrap_or((driver, name));
        capacity
            .entry(domain.to_owned())
            .or_default()
            .push((id.to_owned(), Value::Quantity(own.value.clone())));
    }
    let fields = [
        ("driver", Value::text(driver)),
        ("attributes", Value::Object(Arc::new(Domains::of(attributes)))),
        ("capacity", Value::Object(Arc::new(Domains::of(capacity)))),
        ("allowMultipleAllocations", Value::Bool(device.allow_multiple_allocations == Some(true))),
    ];
    Ok(Value::object(fields))
}

/// Asks an expression of a device.
///
/// # Errors
/// Why it has no answer, in upstream's words.
pub(crate) fn matches(program: &Program, device: &Value) -> Result<bool, String> {
    let mut budget = Budget::new(EXPRESSION_COST);
    match program.evaluate(std::slice::from_ref(device), &mut budget) {
        Ok(Value::Bool(answer)) => Ok(answer),
        Ok(other) => Err(format!("CEL result of type {} could not be converted to bool", other.type_name())),
        Err(error @ EvalError::NoSuchKey(_)) => Err(format!(
            "{error}. consider using CEL optional chaining (.? followed by orValue()) or guarding the check with has() for optional fields"
        )),
        Err(error) => Err(error.to_string()),
    }
}

/// Maps by their domain, of which an unknown one is empty.
struct Domains {
    known: BTreeMap<String, Value>,
    empty: Value,
}

impl Domains {
    fn of(domains: BTreeMap<String, Vec<(String, Value)>>) -> Domains {
        let known = domains.into_iter().map(|(domain, own)| (domain, Value::object(own))).collect();
        Domains { known, empty: Value::object(Vec::<(String, Value)>::new()) }
    }
}

impl Object for Domains {
    fn type_name(&self) -> &str {
        "map"
    }

    fn field(&self, name: &str) -> Option<Result<Value, EvalError>> {
        Some(Ok(self.known.get(name).unwrap_or(&self.empty).clone()))
    }

    fn contains(&self, name: &str) -> bool {
        self.known.contains_key(name)
    }
}

fn value(attribute: &DeviceAttribute) -> Result<Value, String> {
    let version =
        |text: &String| Value::semver(text).ok_or_else(|| format!("parse semantic version: {text:?}"));
    if !attribute.int_values.is_empty() {
        return Ok(Value::List(attribute.int_values.iter().map(|own| Value::Int(*own)).collect()));
    }
    if !attribute.bool_values.is_empty() {
        return Ok(Value::List(attribute.bool_values.iter().map(|own| Value::Bool(*own)).collect()));
    }
    if !attribute.string_values.is_empty() {
        return Ok(Value::List(attribute.string_values.iter().map(Value::text).collect()));
    }
    if !attribute.version_values.is_empty() {
        let all: Result<Vec<Value>, String> = attribute.version_values.iter().map(version).collect();
        return Ok(Value::List(all?.into_iter().collect()));
    }
    match attribute {
        DeviceAttribute { int_value: Some(value), .. } => Ok(Value::Int(*value)),
        DeviceAttribute { bool_value: Some(value), .. } => Ok(Value::Bool(*value)),
        DeviceAttribute { string_value: Some(value), .. } => Ok(Value::text(value)),
        DeviceAttribute { version_value: Some(value), .. } => version(value),
        _ => Err("unsupported attribute value".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use api_types::resource::v1::DeviceCapacity;

    use super::*;

    #[test]
    fn selectors_are_conditions_of_a_device() {
        for (expression, fits) in [
            ("device.driver == 'a.b' && device.attributes['a.b'].model == 'x'", true),
            ("device.attributes['a.b'].enabled", true),
            ("device.capacity['a.b'].memory.compareTo(quantity('1Gi')) >= 0", true),
            ("cel.bind(own, device.attributes['a.b'], own.enabled && own.fast)", true),
            ("device.driver", false),
            ("devices.driver == 'a'", false),
            ("", false),
        ] {
            assert_eq!(compile(expression).is_ok(), fits, "{expression}");
        }
    }

    #[test]
    fn a_device_is_asked() {
        let mut device = Device { name: "a".into(), ..Device::default() };
        let text = |value: &str| DeviceAttribute { string_value: Some(value.into()), ..Default::default() };
        device.attributes.insert("model".into(), text("x"));
        device.attributes.insert("other.io/model".into(), text("y"));
        let version = DeviceAttribute { version_value: Some("1.2.3".into()), ..Default::default() };
        device.attributes.insert("version".into(), version);
        let count = DeviceAttribute { int_value: Some(4), ..Default::default() };
        device.attributes.insert("cores".into(), count);
        let value = "2Gi".parse().expect("a quantity");
        device.capacity.insert("memory".into(), DeviceCapacity { value, request_policy: None });
        let seen = seen("d.io", &device).expect("a device");
        let ask = |expression: &str| match compile(expression).and_then(|program| matches(&program, &seen)) {
            Ok(answer) => answer.to_string(),
            Err(why) => why.split('.').next().unwrap_or_default().to_owned(),
        };
        for (expression, expected) in [
            ("device.driver == 'd.io'", "true"),
            ("device.attributes['d.io'].model == 'x'", "true"),
            ("device.attributes['other.io'].model == 'y'", "true"),
            ("device.attributes['d.io'].cores > 3", "true"),
            ("device.attributes['d.io'].version.isGreaterThan(semver('1.2.0'))", "true"),
            ("device.capacity['d.io'].memory.compareTo(quantity('3Gi')) >= 0", "false"),
            ("device.attributes['none.io'].model == 'x'", "no such key: model"),
            ("has(device.attributes['none.io'].model)", "false"),
            ("device.attributes['none.io'].?model.orValue('x') == 'x'", "true"),
            ("'none.io' in device.attributes", "false"),
            ("'d.io' in device.attributes", "true"),
            ("device.allowMultipleAllocations", "false"),
            ("device.attributes['d.io'].cores", "CEL result of type int could not be converted to bool"),
        ] {
            assert_eq!(ask(expression), expected, "{expression}");
        }
    }
}
