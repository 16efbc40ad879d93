//! CEL expressions that select devices (`dynamic-resource-allocation/cel`).

use std::sync::LazyLock;

use api_cel::{Environment, ObjectType, Program, Type};
use api_meta::field::{ErrorList, FieldError, Path};

use crate::limits::EXPRESSION_BYTES;

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

/// An expression that says of a device whether it will do.
pub fn selector(errors: &mut ErrorList, path: &Path, expression: &str) {
    if expression.len() > EXPRESSION_BYTES {
        errors.push(FieldError::too_long(path, EXPRESSION_BYTES));
        return;
    }
    match Program::compile(expression, &DEVICE) {
        Err(error) => {
            errors.push(FieldError::invalid(path, expression, format!("compilation failed: {error}")));
        }
        Ok(program) if !matches!(program.result(), Type::Bool | Type::Dyn) => {
            let why = format!("must evaluate to bool or the unknown type, not {}", program.result());
            errors.push(FieldError::invalid(path, expression, why));
        }
        Ok(_) => {}
    }
}

#[cfg(test)]
mod tests {
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
            let mut errors = ErrorList::new();
            selector(&mut errors, &Path::new("e"), expression);
            assert_eq!(errors.is_empty(), fits, "{expression}: {errors:?}");
        }
    }
}
