//! Types of expressions before they are evaluated: what can be known to fail is refused, in cel-go's words.

mod assign;
mod fold;
mod literal;
mod message;

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::declarations::{Overload, overloads};
use crate::error::{Fault, fault};
use crate::syntax::{Entry, Expr, Node, operator};
use crate::types::Type;
use crate::value::Value;

use assign::{Bindings, closed};

/// The function that is there only where patches are written down.
const ESCAPE_KEY: &str = "jsonpatch.escapeKey";

/// The names that an expression may use, and their types.
#[derive(Clone, Debug, Default)]
pub struct Environment {
    variables: Vec<(Arc<str>, Type)>,
    bindings: bool,
    patches: bool,
}

impl Environment {
    /// With these variables.
    pub fn new<'a>(variables: impl IntoIterator<Item = (&'a str, Type)>) -> Environment {
        let variables = variables.into_iter().map(|(name, of)| (name.into(), of)).collect();
        Environment { variables, bindings: false, patches: false }
    }

    /// The same, with the macro `cel.bind`, which not every place knows.
    #[must_use]
    pub fn with_bindings(mut self) -> Environment {
        self.bindings = true;
        self
    }

    /// The same, with the types that patches are written down in: `Object`, `Object.spec` and so on by the paths of fields, of which
    /// nothing is known, and `JSONPatch`; and with the function that escapes keys of the latter's paths.
    #[must_use]
    pub fn with_patches(mut self) -> Environment {
        self.patches = true;
        self
    }

    /// The type of a message that may be written down.
    pub(crate) fn message(&self, name: &str) -> Option<Type> {
        self.patches.then(|| message::of_patches(name)).flatten()
    }

    /// A variable's place and type.
    pub(crate) fn find(&self, name: &str) -> Option<(usize, &Type)> {
        let found = self.variables.iter().enumerate().find(|(_, (known, _))| &**known == name);
        found.map(|(index, (_, of))| (index, of))
    }
}

/// What is known of an expression that was checked, by the numbers of what is in it.
#[derive(Default)]
pub struct Checked {
    types: BTreeMap<usize, Type>,
    overloads: BTreeMap<usize, Vec<&'static Overload>>,
}

impl Checked {
    /// The type of an expression.
    pub fn of(&self, expr: &Expr) -> &Type {
        self.types.get(&expr.id).unwrap_or(&Type::Dyn)
    }

    /// The ways of calling a function that fit a call: more than one where types are not known.
    pub fn overloads(&self, call: &Expr) -> &[&'static Overload] {
        self.overloads.get(&call.id).map(Vec::as_slice).unwrap_or_default()
    }
}

/// Checks an expression whose parts are numbered.
///
/// # Errors
/// Everything that is wrong with it.
pub fn check(expr: &Expr, environment: &Environment) -> Result<Checked, Vec<Fault>> {
    let mut checker =
        Checker { environment, scope: Vec::new(), faults: Vec::new(), checked: Checked::default() };
    checker.of(expr);
    if !checker.faults.is_empty() {
        return Err(checker.faults);
    }
    checker.checked.types.values_mut().for_each(|found| *found = found.settled());
    Ok(checker.checked)
}

struct Checker<'a> {
    environment: &'a Environment,
    checked: Checked,
    /// The variables of macros, the innermost last.
    scope: Vec<(Arc<str>, Type)>,
    faults: Vec<Fault>,
}

impl Checker<'_> {
    fn wrong(&mut self, at: usize, what: impl Into<String>) -> Type {
        self.faults.push(fault(at, what));
        Type::Dyn
    }

    fn of(&mut self, expr: &Expr) -> Type {
        let found = self.found(expr);
        self.checked.types.insert(expr.id, found.clone());
        found
    }

    fn found(&mut self, expr: &Expr) -> Type {
        match &expr.node {
            Node::Literal(value) => value.simple_type(),
            Node::Ident(name) => self.ident(expr.at, name),
            Node::Select { operand, field, optional } => self.select(expr.at, operand, field, *optional),
            Node::Has { operand, field } => {
                let operand_type = self.of(operand);
                self.field(expr.at, &operand_type, field);
                Type::Bool
            }
            Node::Call { function, target, arguments } => {
                self.call(expr, function, target.as_deref(), arguments)
            }
            Node::List(elements) => self.list(elements),
            Node::Map(entries) => self.map(entries),
            Node::Message { name, fields } => self.message(expr.at, name, fields),
            Node::Fold(fold) => self.fold(fold),
            Node::Bind { variable, value, result } => {
                if !self.environment.bindings {
                    return self.ident(expr.at, "cel");
                }
                let of_value = self.of(value);
                self.scope.push((variable.clone(), of_value));
                let found = self.of(result);
                self.scope.pop();
                found
            }
            Node::WithOptional { target, variable, result, flat } => {
                self.with_optional(target, variable, result, *flat)
            }
        }
    }

    fn find(&self, name: &str) -> Option<Type> {
        let inner = self.scope.iter().rev().find(|(known, _)| &**known == name).map(|(_, of)| of);
        inner.or_else(|| self.environment.find(name).map(|(_, of)| of)).cloned()
    }

    fn ident(&mut self, at: usize, name: &str) -> Type {
        match self.find(name) {
            Some(found) => found,
            None if is_type_name(name) || self.environment.message(name).is_some() => Type::Type,
            None => self.wrong(at, format!("undeclared reference to '{name}' (in container '')")),
        }
    }

    fn select(&mut self, at: usize, operand: &Expr, field: &str, optional: bool) -> Type {
        let operand_type = self.of(operand);
        let found = self.field(at, &operand_type, field);
        if optional && !matches!(found, Type::Optional(_)) { Type::optional(found) } else { found }
    }

    fn field(&mut self, at: usize, of: &Type, field: &str) -> Type {
        match of {
            Type::Dyn | Type::Open | Type::Parameter(_) => Type::Dyn,
            Type::Map(_, value) => (**value).clone(),
            Type::Object(object) => match object.field(field) {
                Some(found) => found.clone(),
                None => self.wrong(at, format!("undefined field '{field}'")),
            },
            Type::Optional(content) => Type::optional(self.field(at, content, field)),
            other => self.wrong(at, format!("type '{other}' does not support field selection")),
        }
    }

    fn call(&mut self, expr: &Expr, function: &str, target: Option<&Expr>, arguments: &[Expr]) -> Type {
        let at = expr.at;
        self.literal(function, target, arguments);
        let target = target.map(|target| self.of(target));
        let arguments: Vec<Type> = arguments.iter().map(|argument| self.of(argument)).collect();
        if matches!(function, operator::AND | operator::OR) {
            for found in &arguments {
                if !Bindings::default().assign(&Type::Bool, found) {
                    let shown = arguments.iter().map(Type::to_string).collect::<Vec<_>>().join(", ");
                    return self.wrong(
                        at,
                        format!("found no matching overload for '{function}' applied to '({shown})'"),
                    );
                }
            }
            return Type::Bool;
        }
        let known = overloads(function);
        if known.is_empty() || (function == ESCAPE_KEY && !self.environment.patches) {
            return self.wrong(at, format!("undeclared reference to '{function}' (in container '')"));
        }
        let (mut results, mut fitting): (Vec<Type>, Vec<&'static Overload>) = (Vec::new(), Vec::new());
        for overload in known {
            let Some(result) = applied(overload, target.as_ref(), &arguments) else { continue };
            fitting.push(overload);
            if !results.contains(&result) {
                results.push(result);
            }
        }
        self.checked.overloads.insert(expr.id, fitting);
        match results.len() {
            0 => {
                let shown = arguments.iter().map(Type::to_string).collect::<Vec<_>>().join(", ");
                let shown = match target {
                    Some(target) => format!("{target}.({shown})"),
                    None => format!("({shown})"),
                };
                self.wrong(at, format!("found no matching overload for '{function}' applied to '{shown}'"))
            }
            1 => results.remove(0),
            // Which it is depends on what is not known yet.
            _ => Type::Dyn,
        }
    }

    fn list(&mut self, elements: &[(Expr, bool)]) -> Type {
        let mut joined = None;
        for (element, optional) in elements {
            let mut found = self.of(element);
            if *optional {
                found = self.content(element.at, found);
            }
            joined = Some(self.join(element.at, joined, found));
        }
        Type::list(joined.unwrap_or(Type::Open))
    }

    fn map(&mut self, entries: &[Entry]) -> Type {
        let (mut keys, mut values) = (None, None);
        for Entry { key, value, optional } in entries {
            let key_type = self.of(key);
            keys = Some(self.join(key.at, keys, key_type));
            let mut found = self.of(value);
            if *optional {
                found = self.content(value.at, found);
            }
            values = Some(self.join(value.at, values, found));
        }
        Type::Map(keys.unwrap_or(Type::Open).into(), values.unwrap_or(Type::Open).into())
    }

    /// What an optional element holds.
    fn content(&mut self, at: usize, found: Type) -> Type {
        match found {
            Type::Optional(content) => (*content).clone(),
            Type::Dyn | Type::Open => Type::Dyn,
            other => self.wrong(at, format!("expected type 'optional_type({other})' but found '{other}'")),
        }
    }

    /// The type of elements so far and one more: all of them are of one type.
    fn join(&mut self, at: usize, so_far: Option<Type>, next: Type) -> Type {
        match so_far {
            None => next,
            Some(so_far) if Bindings::default().assign(&so_far, &next) => {
                let (one, other) = (closed(&so_far, &next), closed(&next, &so_far));
                if one == other { one } else { Type::Dyn }
            }
            Some(so_far) => self.wrong(at, format!("expected type '{so_far}' but found '{next}'")),
        }
    }
}

/// What an overload answers to these types, if it takes them.
fn applied(overload: &Overload, target: Option<&Type>, arguments: &[Type]) -> Option<Type> {
    if overload.arguments.len() != arguments.len() || overload.target.is_some() != target.is_some() {
        return None;
    }
    let mut bindings = Bindings::default();
    let wanted = overload.target.iter().chain(&overload.arguments);
    let fits =
        wanted.zip(target.into_iter().chain(arguments)).all(|(wanted, found)| bindings.assign(wanted, found));
    fits.then(|| bindings.resolve(&overload.result))
}

/// Names that stand for types.
pub(crate) fn is_type_name(name: &str) -> bool {
    matches!(
        name,
        "bool"
            | "int"
            | "uint"
            | "double"
            | "string"
            | "bytes"
            | "list"
            | "map"
            | "null_type"
            | "type"
            | "optional_type"
    )
}

/// The value of such a name.
pub(crate) fn type_value(name: &str) -> Value {
    Value::Type(name.into())
}
