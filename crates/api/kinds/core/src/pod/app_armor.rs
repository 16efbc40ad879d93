//! AppArmor as annotations said it before there were fields: what they may hold, and how the two are kept alike.

use api_meta::field::{ErrorList, FieldError, Path};
use api_types::core::v1::{
    AppArmorProfile, Container, EphemeralContainerCommon, Pod, PodSpec, SecurityContext,
};

use super::annotations::{Annotations, contexts};

/// What the annotation of a container begins with.
pub(super) const ANNOTATION: &str = "container.apparmor.security.beta.kubernetes.io/";
const LOCAL: &str = "localhost/";

/// The field that says what an annotation says; `None` for what no field can say.
pub(super) fn field(annotation: &str) -> Option<AppArmorProfile> {
    let profile = |type_: &str, name: Option<&str>| AppArmorProfile {
        type_: type_.to_owned(),
        localhost_profile: name.map(str::to_owned),
    };
    match annotation {
        "unconfined" => Some(profile("Unconfined", None)),
        "runtime/default" => Some(profile("RuntimeDefault", None)),
        _ => annotation
            .strip_prefix(LOCAL)
            .filter(|name| !name.is_empty())
            .map(|name| profile("Localhost", Some(name))),
    }
}

/// The warning about an annotation.
pub(super) fn deprecated(at: &Path) -> String {
    format!("{at}: deprecated since v1.30; use the \"appArmorProfile\" field instead")
}

fn is_windows(spec: &PodSpec) -> bool {
    spec.os.as_ref().is_some_and(|os| os.name == "windows")
}

fn valid(profile: &AppArmorProfile) -> bool {
    let mut errors = ErrorList::new();
    super::security::app_armor(&mut errors, &Path::NONE, Some(profile));
    errors.is_empty()
}

/// Gives the containers the profiles that only annotations name.
pub(super) fn synchronize(pod: &mut Pod) {
    if is_windows(&pod.spec) {
        return;
    }
    let of_pod = pod.spec.security_context.as_ref().and_then(|context| context.app_armor_profile.clone());
    let annotations = &pod.metadata.annotations;
    let missing = |name: &str, context: &Option<Box<SecurityContext>>| {
        if context.as_ref().is_some_and(|context| context.app_armor_profile.is_some()) {
            return None;
        }
        let profile = field(annotations.get(&format!("{ANNOTATION}{name}"))?).filter(valid)?;
        (of_pod.as_deref() != Some(&profile)).then(|| Box::new(profile))
    };
    let all = pod.spec.init_containers.iter_mut().chain(&mut pod.spec.containers);
    let all = all.map(|Container { name, security_context, .. }| (name, security_context));
    let ephemeral = pod.spec.ephemeral_containers.iter_mut().map(|container| {
        let EphemeralContainerCommon { name, security_context, .. } =
            &mut container.ephemeral_container_common;
        (name, security_context)
    });
    for (name, context) in all.chain(ephemeral) {
        if let Some(profile) = missing(name, context) {
            context.get_or_insert_default().app_armor_profile = Some(profile);
        }
    }
}

/// The annotations that a new pod's fields have been made of, or could not be: what the field says by now tells.
pub(super) fn warnings(pod: &Pod) -> Vec<String> {
    if is_windows(&pod.spec) {
        return Vec::new();
    }
    let path = Path::new("metadata").child("annotations");
    let said = |(name, own, _): (String, Option<AppArmorProfile>, Path)| {
        let key = format!("{ANNOTATION}{name}");
        let profile = field(pod.metadata.annotations.get(&key)?).filter(valid);
        (profile.is_none() || own == profile).then(|| deprecated(&path.key(key)))
    };
    containers(&pod.spec, &Path::NONE).into_iter().filter_map(said).collect()
}

fn containers(spec: &PodSpec, path: &Path) -> Vec<(String, Option<AppArmorProfile>, Path)> {
    let profile = |context: &SecurityContext| context.app_armor_profile.as_deref().cloned();
    let all = contexts(path, spec).into_iter();
    all.map(|(name, at, context)| (name.to_owned(), context.and_then(profile), at)).collect()
}

/// The form of the annotations.
pub(super) fn annotations(errors: &mut ErrorList, path: &Path, annotations: &Annotations, spec: &PodSpec) {
    for (key, text) in annotations {
        let Some(name) = key.strip_prefix(ANNOTATION) else { continue };
        if !containers(spec, &Path::NONE).iter().any(|(known, _, _)| known == name) {
            errors.push(FieldError::invalid(&path.key(key), name, "container not found"));
        }
        let well_formed =
            matches!(text.as_str(), "" | "runtime/default" | "unconfined") || text.starts_with(LOCAL);
        if !well_formed {
            let why = format!("invalid AppArmor profile name: {}", api_meta::quote::go(text));
            errors.push(FieldError::invalid(&path.key(key), text, why));
        }
    }
}

/// Annotations and fields that contradict each other.
pub(super) fn agree(errors: &mut ErrorList, path: &Path, annotations: &Annotations, spec: &PodSpec) {
    if is_windows(spec) {
        return;
    }
    let of_pod = spec.security_context.as_ref().and_then(|context| context.app_armor_profile.as_deref());
    for (name, own, at) in containers(spec, path) {
        let Some(profile) = own.as_ref().or(of_pod) else { continue };
        let Some(text) = annotations.get(&format!("{ANNOTATION}{name}")) else { continue };
        let at = at.child("securityContext").child("appArmorProfile");
        let local = text.strip_prefix(LOCAL);
        let agrees = match profile.type_.as_str() {
            "Unconfined" => text == "unconfined",
            "RuntimeDefault" => text == "runtime/default",
            "Localhost" => local.is_some(),
            _ => true,
        };
        if !agrees {
            let why = "apparmor type in annotation and field must match";
            errors.push(FieldError::forbidden(&at.child("type"), why));
        } else if profile.type_ == "Localhost" && profile.localhost_profile.as_deref() != local {
            let why = "apparmor profile in annotation and field must match";
            errors.push(FieldError::forbidden(&at.child("localhostProfile"), why));
        }
    }
}
