//! CustomResourceDefinition: what a kind that users bring is called, and what its objects are made of.
//!
//! Upstream: `apiextensions-apiserver/pkg/{registry/customresourcedefinition,apis/apiextensions}`.

mod approval;
mod ca_bundle;
mod conversion;
mod defaults;
mod names;
mod rules;
mod schema;
mod selectable;
#[cfg(test)]
mod tests;
mod version;

use api_kind::{Ctx, Kind};
use api_meta::field::{ErrorList, FieldError, Path};
use api_meta::names as texts;
use api_types::apiextensions::v1::{
    CustomResourceDefinition, CustomResourceDefinitionCondition, CustomResourceDefinitionSpec,
};

pub use approval::{Approval, state as approval, under_protection};
pub use conversion::ca_bundle_fault;

/// The finalizer that keeps a definition until its objects are gone.
pub const FINALIZER: &str = "customresourcecleanup.apiextensions.k8s.io";

/// The row.
pub const KIND: Kind<CustomResourceDefinition> =
    Kind::<CustomResourceDefinition>::of("apiextensions.k8s.io", "v1", "customresourcedefinitions")
        .generation()
        .conditional_update()
        .any_finalizers()
        // Its objects go before it.
        .held(|definition| definition.metadata.deletion_timestamp.is_none())
        .deleting(deleting)
        .defaults(|_, definition| defaults::fill(definition))
        .prepare(prepare)
        .validate(validate)
        .warnings(warnings);

/// The condition of a type.
pub fn condition<'a>(
    definition: &'a CustomResourceDefinition,
    type_: &str,
) -> Option<&'a CustomResourceDefinitionCondition> {
    definition.status.conditions.iter().find(|condition| condition.type_ == type_)
}

/// Whether a condition is there and true.
pub fn is_true(definition: &CustomResourceDefinition, type_: &str) -> bool {
    condition(definition, type_).is_some_and(|condition| condition.status == "True")
}

/// Puts a condition in place of the one of its type; its time is that of the change of its status.
pub fn set_condition(definition: &mut CustomResourceDefinition, new: CustomResourceDefinitionCondition) {
    let all = &mut definition.status.conditions;
    match all.iter_mut().find(|own| own.type_ == new.type_) {
        None => all.push(new),
        Some(own) => {
            let since = own.last_transition_time.filter(|_| own.status == new.status);
            *own = CustomResourceDefinitionCondition {
                last_transition_time: since.or(new.last_transition_time),
                observed_generation: own.observed_generation,
                ..new
            };
        }
    }
}

fn deleting(definition: &mut CustomResourceDefinition) {
    if !definition.metadata.finalizers.iter().any(|own| own == FINALIZER) {
        definition.metadata.finalizers.push(FINALIZER.to_owned());
    }
    let pending = CustomResourceDefinitionCondition {
        type_: "Terminating".to_owned(),
        status: "True".to_owned(),
        reason: "InstanceDeletionPending".to_owned(),
        message: "CustomResourceDefinition marked for deletion; CustomResource deletion will begin soon"
            .to_owned(),
        last_transition_time: definition.metadata.deletion_timestamp,
        observed_generation: 0,
    };
    set_condition(definition, pending);
}

fn prepare(ctx: &Ctx<'_>, definition: &mut CustomResourceDefinition, old: Option<&CustomResourceDefinition>) {
    if ctx.subresource == "status" {
        return;
    }
    if let Some(old) = old {
        definition.status.clone_from(&old.status);
    }
    let stored = definition.spec.versions.iter().find(|version| version.storage);
    if let Some(stored) = stored.map(|version| version.name.clone())
        && !definition.status.stored_versions.contains(&stored)
    {
        definition.status.stored_versions.push(stored);
    }
}

fn validate(
    ctx: &Ctx<'_>,
    definition: &CustomResourceDefinition,
    old: Option<&CustomResourceDefinition>,
    errors: &mut ErrorList,
) {
    let spec = &definition.spec;
    let at = Path::new("status");
    if ctx.subresource == "status" {
        names::check(&at.child("acceptedNames"), &definition.status.accepted_names, errors);
        return;
    }
    let wanted = format!("{}.{}", spec.names.plural, spec.group);
    if old.is_none() && definition.metadata.name != wanted {
        let why = r#"must be spec.names.plural+"."+spec.group"#;
        let at = Path::new("metadata").child("name");
        errors.push(FieldError::invalid(&at, definition.metadata.name.as_str(), why));
    }
    check_spec(&Path::new("spec"), spec, old, errors);
    if let Some(old) = old {
        unchangeable(spec, old, errors);
    }
    names::check(&at.child("acceptedNames"), &definition.status.accepted_names, errors);
    stored_versions(definition, errors);
    approval::check(definition, old, errors);
    if spec.preserve_unknown_fields && old.is_none_or(|old| !old.spec.preserve_unknown_fields) {
        let why = "cannot set to true, set x-kubernetes-preserve-unknown-fields to true in spec.versions[*].schema instead";
        errors.push(FieldError::invalid(&Path::new("spec").child("preserveUnknownFields"), true, why));
    }
}

fn check_spec(
    at: &Path,
    spec: &CustomResourceDefinitionSpec,
    old: Option<&CustomResourceDefinition>,
    errors: &mut ErrorList,
) {
    let before = old.map(|old| &old.spec);
    let group = at.child("group");
    if spec.group.is_empty() {
        errors.push(FieldError::required(&group, ""));
    } else {
        let problems = texts::is_dns1123_subdomain(&spec.group);
        if !problems.is_empty() {
            errors.push(FieldError::invalid(&group, spec.group.as_str(), problems.join(",")));
        } else if !spec.group.contains('.') {
            let why = "should be a domain with at least one dot";
            errors.push(FieldError::invalid(&group, spec.group.as_str(), why));
        }
    }
    api_kind::checks::one_of(errors, &at.child("scope"), &spec.scope, &["Cluster", "Namespaced"]);
    version::check_all(at, spec, before, errors);
    names::check_given(&at.child("names"), &spec.names, errors);
    names::check(&at.child("names"), &spec.names, errors);
    version::check_shared(at, spec, before, errors);
    conversion::check(&at.child("conversion"), spec, old, errors);
}

/// What makes up the names of the objects' keys stays as it is.
fn unchangeable(spec: &CustomResourceDefinitionSpec, old: &CustomResourceDefinition, errors: &mut ErrorList) {
    let at = Path::new("spec");
    let before = &old.spec;
    let names = at.child("names");
    let mut same = |at: Path, now: &str, before: &str| {
        api_kind::checks::immutable(errors, &at, now == before, now);
    };
    if is_true(old, "Established") {
        same(at.child("scope"), &spec.scope, &before.scope);
        same(names.child("kind"), &spec.names.kind, &before.names.kind);
    }
    same(at.child("group"), &spec.group, &before.group);
    same(names.child("plural"), &spec.names.plural, &before.names.plural);
}

fn stored_versions(definition: &CustomResourceDefinition, errors: &mut ErrorList) {
    let at = Path::new("status").child("storedVersions");
    let stored = &definition.status.stored_versions;
    if stored.is_empty() {
        errors.push(FieldError::invalid(&at, &**stored, "must have at least one stored version"));
        return;
    }
    let versions = &definition.spec.versions;
    for version in versions.iter().filter(|version| version.storage && !stored.contains(&version.name)) {
        let why = format!("must have the storage version {}", version.name);
        errors.push(FieldError::invalid(&at, &**stored, why));
    }
    for (index, name) in stored.iter().enumerate() {
        if !versions.iter().any(|version| version.name == *name) {
            let why = format!(
                "missing from spec.versions; {name} was previously a storage version, and must remain in spec.versions until a storage migration ensures no data remains persisted in {name} and removes {name} from status.storedVersions"
            );
            errors.push(FieldError::invalid(&at.index(index), name, why));
        }
    }
}

fn warnings(
    _: &Ctx<'_>,
    definition: &CustomResourceDefinition,
    old: Option<&CustomResourceDefinition>,
) -> Vec<String> {
    let before = old.map(|old| schema::warnings(&old.spec)).unwrap_or_default();
    schema::warnings(&definition.spec).into_iter().filter(|warning| !before.contains(warning)).collect()
}
