//! CEL expressions that select devices, judged as `api-device` compiles them.

use api_meta::field::{ErrorList, FieldError, Path};

use crate::limits::EXPRESSION_BYTES;

/// An expression that says of a device whether it will do.
pub fn selector(errors: &mut ErrorList, path: &Path, expression: &str) {
    if expression.len() > EXPRESSION_BYTES {
        errors.push(FieldError::too_long(path, EXPRESSION_BYTES));
    } else if let Err(why) = api_device::selector::compile(expression) {
        errors.push(FieldError::invalid(path, expression, why));
    }
}
