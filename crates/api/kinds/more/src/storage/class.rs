//! What classes of storage and of volumes have in common: who provides, and what it is told.

use std::collections::BTreeMap;

use api_kind::checks::qualified_name;
use api_meta::field::{ErrorList, FieldError, Path};

const PARAMETERS: usize = 512;
const PARAMETERS_BYTES: usize = 256 << 10;

/// The name of who provides, in whichever case it is written.
pub fn provisioner(errors: &mut ErrorList, path: &Path, name: &str) {
    if !name.is_empty() {
        qualified_name(errors, path, &name.to_lowercase());
    }
}

/// What the one who provides is told.
pub fn parameters(errors: &mut ErrorList, path: &Path, parameters: &BTreeMap<String, String>) {
    if parameters.len() > PARAMETERS {
        errors.push(FieldError::too_long(path, PARAMETERS));
        return;
    }
    if parameters.contains_key("") {
        errors.push(FieldError::invalid(path, "", "field can not be empty."));
    }
    if bytes(parameters) > PARAMETERS_BYTES {
        errors.push(FieldError::too_long(path, PARAMETERS_BYTES));
    }
}

/// How large the keys and values of a map are together.
pub fn bytes(map: &BTreeMap<String, String>) -> usize {
    map.iter().map(|(key, value)| key.len() + value.len()).sum()
}
