//! CEL expressions of admission: which variables they have, and what they must be of (`plugin/cel/compile.go`).

pub mod types;

use api_cel::{Environment, JSON_PATCH, OBJECT, ObjectType, Program, Type};
use api_kind::checks::{qualified_name, required};
use api_meta::field::{ErrorList, FieldError, Path};
use api_types::admissionregistration::v1::{MatchCondition, Variable};

/// How many match conditions there may be.
const CONDITIONS: usize = 64;

/// What an expression may use besides what is always there.
#[derive(Clone, Default)]
pub struct Uses {
    /// The policy has parameters.
    pub params: bool,
    /// It may ask the authorizer.
    pub authorizer: bool,
    /// It may write patches down.
    pub patches: bool,
    /// The policy's own variables and their types, those before it.
    pub variables: Vec<(String, Type)>,
}

impl Uses {
    /// The environment of an expression that may use these: what is always there comes first, in the order in which values are given.
    pub fn environment(&self) -> Environment {
        let own = self.variables.iter().map(|(name, of)| (name.as_str(), of.clone()));
        let mut all = vec![
            ("object", Type::Dyn),
            ("oldObject", Type::Dyn),
            ("namespaceObject", namespace()),
            ("request", request()),
            ("variables", ObjectType::of("kubernetes.variables", own)),
        ];
        if self.params {
            all.push(("params", Type::Dyn));
        }
        if self.authorizer {
            all.push(("authorizer", Type::Opaque("kubernetes.authorization.Authorizer")));
            all.push(("authorizer.requestResource", Type::Opaque("kubernetes.authorization.ResourceCheck")));
        }
        let environment = Environment::new(all);
        if self.patches { environment.with_patches() } else { environment }
    }

    /// Compiles an expression that must be of one of these types; any will do if none is named.
    ///
    /// # Errors
    /// Upstream's words.
    pub fn compile(&self, expression: &str, wanted: &[Type]) -> Result<Program, String> {
        let program = Program::compile(expression, &self.environment())
            .map_err(|error| format!("compilation failed: {error}"))?;
        let found = program.result();
        if wanted.is_empty() || wanted.contains(found) {
            return Ok(program);
        }
        Err(match wanted {
            [only] => format!("must evaluate to {only} but got {found}"),
            several => {
                let several: Vec<String> = several.iter().map(Type::to_string).collect();
                format!("must evaluate to one of [{}] but got {found}", several.join(" "))
            }
        })
    }

    /// The same with the variables of a policy, in their order. Each may use those before it.
    ///
    /// # Errors
    /// The first that cannot be compiled.
    pub fn with_variables(mut self, variables: &[Variable]) -> Result<(Uses, Vec<Program>), String> {
        let mut programs = Vec::new();
        for variable in variables {
            let program = self.compile(&variable.expression, &[])?;
            self.variables.push((variable.name.clone(), program.result().clone()));
            programs.push(program);
        }
        Ok((self, programs))
    }
}

/// What a configuration is of that is to be applied.
pub fn configuration() -> Type {
    ObjectType::free(OBJECT)
}

/// What the operations of a JSON patch are of.
pub fn operations() -> Type {
    Type::list(ObjectType::free(JSON_PATCH))
}

fn text() -> Type {
    Type::String
}

/// What is known of the request (`BuildRequestType`).
fn request() -> Type {
    let kind = ["group", "version", "kind"].map(|name| (name, text()));
    let resource = ["group", "version", "resource"].map(|name| (name, text()));
    let kind = ObjectType::of("kubernetes.GroupVersionKind", kind);
    let resource = ObjectType::of("kubernetes.GroupVersionResource", resource);
    let user = ObjectType::of(
        "kubernetes.UserInfo",
        [
            ("username", text()),
            ("uid", text()),
            ("groups", Type::list(text())),
            ("extra", Type::map(Type::list(text()))),
        ],
    );
    ObjectType::of(
        "kubernetes.AdmissionRequest",
        [
            ("kind", kind.clone()),
            ("resource", resource.clone()),
            ("subResource", text()),
            ("requestKind", kind),
            ("requestResource", resource),
            ("requestSubResource", text()),
            ("name", text()),
            ("namespace", text()),
            ("operation", text()),
            ("userInfo", user),
            ("dryRun", Type::Bool),
            ("options", Type::Dyn),
        ],
    )
}

/// What is known of the namespace (`BuildNamespaceType`).
fn namespace() -> Type {
    let metadata = ObjectType::of(
        "kubernetes.NamespaceMetadata",
        [
            ("name", text()),
            ("generateName", text()),
            ("namespace", text()),
            ("labels", Type::map(text())),
            ("annotations", Type::map(text())),
            ("UID", text()),
            ("creationTimestamp", Type::Timestamp),
            ("deletionGracePeriodSeconds", Type::Int),
            ("deletionTimestamp", Type::Timestamp),
            ("generation", Type::Int),
            ("resourceVersion", text()),
            ("finalizers", Type::list(text())),
        ],
    );
    let condition = ObjectType::of(
        "kubernetes.NamespaceCondition",
        [
            ("status", text()),
            ("type", text()),
            ("lastTransitionTime", Type::Timestamp),
            ("message", text()),
            ("reason", text()),
        ],
    );
    let spec = ObjectType::of("kubernetes.NamespaceSpec", [("finalizers", Type::list(text()))]);
    let status = ObjectType::of(
        "kubernetes.NamespaceStatus",
        [("conditions", Type::list(condition)), ("phase", text())],
    );
    ObjectType::of("kubernetes.Namespace", [("metadata", metadata), ("spec", spec), ("status", status)])
}

/// Match conditions: each has a name of its own and is a condition.
pub(crate) fn conditions(errors: &mut ErrorList, path: &Path, all: &[MatchCondition], params: bool) {
    if all.len() > CONDITIONS {
        errors.push(FieldError::too_many(path, all.len(), CONDITIONS));
    }
    let uses = Uses { params, authorizer: true, ..Uses::default() };
    for (index, MatchCondition { name, expression }) in all.iter().enumerate() {
        let path = path.index(index);
        let trimmed = expression.trim();
        if required(errors, &path.child("expression"), trimmed)
            && let Err(why) = uses.compile(trimmed, &[Type::Bool])
        {
            errors.push(FieldError::invalid(&path.child("expression"), trimmed, why));
        }
        if required(errors, &path.child("name"), name) {
            qualified_name(errors, &path.child("name"), name);
            if all[..index].iter().any(|before| before.name == *name) {
                errors.push(FieldError::duplicate(&path.child("name"), name.as_str()));
            }
        }
    }
}
