//! Names that are kept for what is configured by files at the server's start (`validation/static_suffix.go`).

use api_kind::{Ctx, Verb};
use api_meta::field::{ErrorList, FieldError, Path};

const SUFFIX: &str = ".static.k8s.io";
const WHY: &str = "names ending with \".static.k8s.io\" are reserved for static manifest-based configurations and cannot be \
                   managed via the API";
/// The feature that keeps them.
const FEATURE: &str = "ManifestBasedAdmissionControlConfig";

/// Refuses such a name of something new.
pub(crate) fn check(ctx: &Ctx<'_>, errors: &mut ErrorList, name: &str) {
    if ctx.verb == Verb::Create && ctx.gates.is_on(FEATURE) && name.ends_with(SUFFIX) {
        errors.push(FieldError::invalid(&Path::new("metadata").child("name"), name, WHY));
    }
}

/// What is said of such a name where it is not refused.
pub(crate) fn warnings(ctx: &Ctx<'_>, name: &str, is_old: bool) -> Vec<String> {
    let warns = name.ends_with(SUFFIX) && (is_old || !ctx.gates.is_on(FEATURE));
    if warns { vec![format!("metadata.name: {WHY}")] } else { Vec::new() }
}
