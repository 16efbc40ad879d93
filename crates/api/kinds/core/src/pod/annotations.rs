//! The annotations of pods and of templates that mean something: what was said there before there were fields, and what has none.

use std::collections::BTreeMap;

use api_meta::field::{ErrorList, FieldError, Path};
use api_types::core::v1::{PodSpec, SeccompProfile, SecurityContext};

use super::app_armor;
use super::volume::descending_path;

/// What a node says of a pod that it has of itself, not of an API server.
pub const MIRROR: &str = "kubernetes.io/config.mirror";
const COST: &str = "controller.kubernetes.io/pod-deletion-cost";
const SECCOMP_POD: &str = "seccomp.security.alpha.kubernetes.io/pod";
const SECCOMP_CONTAINER: &str = "container.seccomp.security.alpha.kubernetes.io/";
const LOCAL: &str = "localhost/";

/// Annotations by their keys.
pub type Annotations = BTreeMap<String, String>;

/// Checks their form, as upstream's `ValidatePodSpecificAnnotations` does; `path` is theirs. A cost that is none may stay where it was.
pub fn check(
    errors: &mut ErrorList,
    path: &Path,
    annotations: &Annotations,
    old: Option<&Annotations>,
    spec: &PodSpec,
) {
    if let Some(value) = annotations.get(MIRROR).filter(|_| spec.node_name.is_empty()) {
        let why = "must set spec.nodeName if mirror pod annotation is set";
        errors.push(FieldError::invalid(&path.key(MIRROR), value, why));
    }
    // Upstream refuses other ways to write the same number.
    let is_plain = |value: &String| {
        value.parse::<i32>().is_ok()
            && !value.starts_with('+')
            && (value == "0" || !value.trim_start_matches('-').starts_with('0'))
    };
    let was_plain = old.and_then(|old| old.get(COST)).is_none_or(is_plain);
    if let Some(value) = annotations.get(COST).filter(|value| was_plain && !is_plain(value)) {
        errors.push(FieldError::invalid(&path.key(COST), value, "must be a 32bit integer"));
    }
    for (key, value) in annotations {
        if key != SECCOMP_POD && !key.starts_with(SECCOMP_CONTAINER) {
            continue;
        }
        let at = path.child(key.clone());
        match (value.as_str(), value.strip_prefix(LOCAL)) {
            ("runtime/default" | "docker/default" | "unconfined", _) => {}
            (_, Some(profile)) => descending_path(errors, &at, profile),
            _ => errors.push(FieldError::invalid(&at, value, "must be a valid seccomp profile")),
        }
    }
    app_armor::annotations(errors, path, annotations, spec);
}

/// Checks that they do not contradict the fields of a new pod or of a template, whose spec is at `path`.
pub fn agree(errors: &mut ErrorList, path: &Path, annotations: &Annotations, spec: &PodSpec) {
    let context = path.child("securityContext");
    let of_pod = spec.security_context.as_deref().and_then(|context| context.seccomp_profile.as_deref());
    seccomp(errors, &context, annotations.get(SECCOMP_POD), of_pod);
    for (name, at, context) in contexts(path, spec) {
        let text = annotations.get(&format!("{SECCOMP_CONTAINER}{name}"));
        let own = context.and_then(|context| context.seccomp_profile.as_deref());
        seccomp(errors, &at.child("securityContext"), text, own);
    }
    app_armor::agree(errors, path, annotations, spec);
}

fn seccomp(errors: &mut ErrorList, context: &Path, text: Option<&String>, own: Option<&SeccompProfile>) {
    let (Some(text), Some(own)) = (text, own) else { return };
    let local = text.strip_prefix(LOCAL);
    let agrees = match own.type_.as_str() {
        "Unconfined" => text == "unconfined",
        "RuntimeDefault" => matches!(text.as_str(), "runtime/default" | "docker/default"),
        "Localhost" => local.is_some(),
        _ => true,
    };
    let at = context.child("seccompProfile");
    if !agrees {
        let why = "seccomp type in annotation and field must match";
        errors.push(FieldError::forbidden(&at.child("type"), why));
    } else if own.type_ == "Localhost" && own.localhost_profile.as_deref() != local {
        let why = "seccomp profile in annotation and field must match";
        errors.push(FieldError::forbidden(&at.child("localhostProfile"), why));
    }
}

/// The security contexts of all containers, with the containers' names and paths, in upstream's order of visiting.
pub(super) fn contexts<'a>(
    path: &Path,
    spec: &'a PodSpec,
) -> Vec<(&'a str, Path, Option<&'a SecurityContext>)> {
    let mut all = Vec::new();
    for (field, list) in [("initContainers", &spec.init_containers), ("containers", &*spec.containers)] {
        for (index, own) in list.iter().enumerate() {
            all.push((&*own.name, path.child(field).index(index), own.security_context.as_deref()));
        }
    }
    for (index, own) in spec.ephemeral_containers.iter().enumerate() {
        let own = &own.ephemeral_container_common;
        let at = path.child("ephemeralContainers").index(index);
        all.push((&*own.name, at, own.security_context.as_deref()));
    }
    all
}

#[cfg(test)]
mod tests {
    use api_kind::trial::{create, update};

    use super::COST;

    use crate::{pod, pod_template};

    #[test]
    fn annotations_and_fields_of_seccomp_say_the_same() {
        const POD: &str = "seccomp.security.alpha.kubernetes.io/pod";
        const OWN: &str = "container.seccomp.security.alpha.kubernetes.io/c";
        for (key, text, profile, expected) in [
            (POD, "unconfined", "type: Unconfined", None),
            (POD, "docker/default", "type: RuntimeDefault", None),
            (POD, "localhost/a", "type: Localhost, localhostProfile: a", None),
            (POD, "unconfined", "type: RuntimeDefault", Some("type: Forbidden: seccomp type")),
            (
                POD,
                "localhost/a",
                "type: Localhost, localhostProfile: b",
                Some("localhostProfile: Forbidden: seccomp profile"),
            ),
            (OWN, "runtime/default", "type: Unconfined", Some("type: Forbidden: seccomp type")),
        ] {
            let context = format!("securityContext: {{seccompProfile: {{{profile}}}}}");
            let (of_pod, own) = if key == POD { (context, String::new()) } else { (String::new(), context) };
            let containers = format!("containers: [{{name: c, image: i, {own}}}]");
            let rest =
                format!("metadata: {{annotations: {{{key}: {text}}}}}, spec: {{{of_pod}, {containers}}}");
            let rest = rest.replace("{, ", "{").replace(", }", "}");
            let place = if key == POD { "spec" } else { "spec.containers[0]" };
            let expected: Vec<String> = expected
                .iter()
                .map(|error| {
                    format!(
                        "{place}.securityContext.seccompProfile.{error} in annotation and field must match"
                    )
                })
                .collect();
            assert_eq!(create(&pod::KIND, &format!("{{{rest}}}")).errors, expected, "{key}: {text}");
            let expected: Vec<String> = expected.iter().map(|error| format!("template.{error}")).collect();
            let template = format!("template: {{{rest}}}");
            assert_eq!(create(&pod_template::KIND, &template).errors, expected, "{key}: {text}");
        }
    }

    #[test]
    fn a_cost_that_is_none_may_stay_and_may_not_come() {
        let pod = |cost: &str| {
            format!(
                "{{metadata: {{annotations: {{{COST}: '{cost}'}}}}, spec: {{containers: [{{name: c, image: i}}]}}}}"
            )
        };
        let error = |cost: &str| {
            format!("metadata.annotations[{COST}]: Invalid value: {cost:?}: must be a 32bit integer")
        };
        for (old, new, refused) in
            [("1", "-0", true), ("-0", "-0", false), ("-0", "+1", false), ("-0", "2", false)]
        {
            let errors = update(&pod::KIND, "", &pod(old), &pod(new)).errors;
            let expected: Vec<String> = refused.then(|| error(new)).into_iter().collect();
            assert_eq!(errors, expected, "{old} to {new}");
        }
    }

    #[test]
    fn templates_are_held_to_the_form_of_their_annotations() {
        let template = "template: {metadata: {annotations: {controller.kubernetes.io/pod-deletion-cost: '01', kubernetes.io/config.mirror: m}}, spec: {containers: [{name: c, image: i}]}}";
        assert_eq!(
            create(&pod_template::KIND, template).errors,
            [
                "template.annotations[kubernetes.io/config.mirror]: Invalid value: \"m\": must set spec.nodeName if mirror pod annotation is set",
                "template.annotations[controller.kubernetes.io/pod-deletion-cost]: Invalid value: \"01\": must be a 32bit integer",
            ]
        );
    }
}
