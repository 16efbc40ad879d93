//! What is wrong with a container's environment, and with references to a pod's own fields.

use api_kind::checks::{each, qualified_name, required, supported};
use api_meta::field::{ErrorList, FieldError, Path};
use api_meta::names;
use api_types::core::v1::{
    EnvFromSource, EnvVar, FileKeySelector, ObjectFieldSelector, PodSpec, ResourceFieldSelector,
};

use super::volume::no_backsteps;

const ENV_FIELDS: &[&str] = &[
    "metadata.name",
    "metadata.namespace",
    "metadata.uid",
    "spec.nodeName",
    "spec.serviceAccountName",
    "status.hostIP",
    "status.hostIPs",
    "status.podIP",
    "status.podIPs",
];

/// The fields that a volume of the downward API can show.
pub const VOLUME_FIELDS: &[&str] =
    &["metadata.annotations", "metadata.labels", "metadata.name", "metadata.namespace", "metadata.uid"];

const RESOURCES: &[&str] = &[
    "limits.cpu",
    "limits.ephemeral-storage",
    "limits.memory",
    "requests.cpu",
    "requests.ephemeral-storage",
    "requests.memory",
];

/// What names of huge pages begin with here.
const HUGE_PAGES: &[&str] = &["limits.hugepages-", "requests.hugepages-"];

/// The variables.
pub fn variables(errors: &mut ErrorList, path: &Path, variables: &[EnvVar]) {
    for (index, variable) in variables.iter().enumerate() {
        let at = path.index(index);
        if required(errors, &at.child("name"), &variable.name) {
            let faults = names::is_relaxed_env_var_name(&variable.name);
            each(errors, &at.child("name"), &variable.name, faults);
        }
        value_from(errors, &at.child("valueFrom"), variable);
    }
}

fn value_from(errors: &mut ErrorList, path: &Path, variable: &EnvVar) {
    let Some(from) = &variable.value_from else { return };
    let mut sources = 0;
    if let Some(field) = &from.field_ref {
        sources += 1;
        field_ref(errors, &path.child("fieldRef"), field, ENV_FIELDS);
    }
    if let Some(resource) = &from.resource_field_ref {
        sources += 1;
        resource_ref(errors, &path.child("resourceFieldRef"), resource, false);
    }
    if let Some(key) = &from.config_map_key_ref {
        sources += 1;
        let at = path.child("configMapKeyRef");
        object_key(errors, &at, &key.local_object_reference.name, &key.key);
    }
    if let Some(key) = &from.secret_key_ref {
        sources += 1;
        let at = path.child("secretKeyRef");
        object_key(errors, &at, &key.local_object_reference.name, &key.key);
    }
    if let Some(file) = &from.file_key_ref {
        sources += 1;
        file_key(errors, &path.child("fileKeyRef"), file);
    }
    let why = match sources {
        0 => {
            "must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef`, `secretKeyRef` or `fileKeyRef`"
        }
        _ if !variable.value.is_empty() => "may not be specified when `value` is not empty",
        1 => return,
        _ => "may not have more than one field specified at a time",
    };
    errors.push(FieldError::invalid(path, "", why));
}

fn file_key(errors: &mut ErrorList, path: &Path, file: &FileKeySelector) {
    if required(errors, &path.child("key"), &file.key) {
        each(errors, &path.child("key"), &file.key, names::is_relaxed_env_var_name(&file.key));
    }
    let at = path.child("volumeName");
    if required(errors, &at, &file.volume_name) {
        each(errors, &at, &file.volume_name, names::is_dns1123_label(&file.volume_name));
    }
    if required(errors, &path.child("path"), &file.path) {
        no_backsteps(errors, &path.child("path"), &file.path);
    }
}

/// Files that hold variables lie in volumes of the pod that its containers fill.
pub fn file_volumes(errors: &mut ErrorList, path: &Path, spec: &PodSpec) {
    let lists = [("initContainers", &spec.init_containers), ("containers", &spec.containers)];
    let plain = lists.into_iter().flat_map(|(field, list)| {
        list.iter().enumerate().map(move |(index, container)| (field, index, &container.env))
    });
    let ephemeral = spec.ephemeral_containers.iter().enumerate();
    let ephemeral =
        ephemeral.map(|(index, own)| ("ephemeralContainers", index, &own.ephemeral_container_common.env));
    for (field, index, variables) in plain.chain(ephemeral) {
        for (place, variable) in variables.iter().enumerate() {
            let file = variable.value_from.as_ref().and_then(|from| from.file_key_ref.as_ref());
            let Some(name) = file.map(|file| file.volume_name.as_str()) else { continue };
            let at = path.child(field).index(index).child("env").index(place).child("valueFrom");
            let at = at.child("fileKeyRef").child("volumeName");
            // Of volumes of one name, the last counts.
            match spec.volumes.iter().rfind(|volume| volume.name == name) {
                None => errors.push(FieldError::not_found(&at, name)),
                Some(volume) if volume.volume_source.empty_dir.is_none() => {
                    let why = "referenced volume must be of type emptyDir";
                    errors.push(FieldError::invalid(&at, name, why));
                }
                Some(_) => {}
            }
        }
    }
}

fn object_key(errors: &mut ErrorList, path: &Path, name: &str, key: &str) {
    each(errors, &path.child("name"), name, names::name_is_dns_subdomain(name, false));
    if required(errors, &path.child("key"), key) {
        each(errors, &path.child("key"), key, names::is_config_map_key(key));
    }
}

/// The sources of many variables.
pub fn sources(errors: &mut ErrorList, path: &Path, sources: &[EnvFromSource]) {
    for (index, source) in sources.iter().enumerate() {
        let at = path.index(index);
        if !source.prefix.is_empty() {
            let faults = names::is_relaxed_env_var_name(&source.prefix);
            each(errors, &at.child("prefix"), &source.prefix, faults);
        }
        let map =
            source.config_map_ref.as_ref().map(|map| ("configMapRef", &map.local_object_reference.name));
        let secret =
            source.secret_ref.as_ref().map(|secret| ("secretRef", &secret.local_object_reference.name));
        for (field, name) in map.into_iter().chain(secret) {
            let at = at.child(field).child("name");
            if required(errors, &at, name) {
                each(errors, &at, name, names::name_is_dns_subdomain(name, false));
            }
        }
        match (&source.config_map_ref, &source.secret_ref) {
            (None, None) => {
                let why = "must specify one of: `configMapRef` or `secretRef`";
                errors.push(FieldError::invalid(path, "", why));
            }
            (Some(_), Some(_)) => {
                let why = "may not have more than one field specified at a time";
                errors.push(FieldError::invalid(path, "", why));
            }
            _ => {}
        }
    }
}

/// A reference to a field of the pod.
pub fn field_ref(errors: &mut ErrorList, path: &Path, field: &ObjectFieldSelector, known: &[&str]) {
    if !required(errors, &path.child("apiVersion"), &field.api_version)
        || !required(errors, &path.child("fieldPath"), &field.field_path)
    {
        return;
    }
    let at = path.child("fieldPath");
    let text = field.field_path.as_str();
    if field.api_version != "v1" {
        let why = format!("error converting fieldPath: unsupported pod version: {}", field.api_version);
        errors.push(FieldError::invalid(&at, text, why));
        return;
    }
    let subscript = text.strip_suffix("']").and_then(|rest| rest.split_once("['"));
    let base = subscript.map_or(text, |(base, _)| base);
    if !ENV_FIELDS.contains(&base) && !VOLUME_FIELDS.contains(&base) {
        let why = format!("error converting fieldPath: field label not supported: {text}");
        errors.push(FieldError::invalid(&at, text, why));
        return;
    }
    match subscript {
        Some(("metadata.annotations", key)) => qualified_name(errors, path, &key.to_lowercase()),
        Some(("metadata.labels", key)) => qualified_name(errors, path, key),
        Some((base, _)) => errors.push(FieldError::invalid(path, base, "does not support subscript")),
        None => supported(errors, &at, text, known),
    }
}

/// A reference to a resource of a container.
pub fn resource_ref(errors: &mut ErrorList, path: &Path, field: &ResourceFieldSelector, volume: bool) {
    if volume && field.container_name.is_empty() {
        errors.push(FieldError::required(&path.child("containerName"), ""));
    } else if required(errors, &path.child("resource"), &field.resource)
        && !HUGE_PAGES.iter().any(|prefix| field.resource.starts_with(prefix))
    {
        supported(errors, &path.child("resource"), &field.resource, RESOURCES);
    }
    divisor(errors, path, field);
}

fn divisor(errors: &mut ErrorList, path: &Path, field: &ResourceFieldSelector) {
    if field.divisor.is_zero() {
        return;
    }
    let text = field.divisor.to_string();
    let (known, why): (&[&str], &str) = match field.resource.as_str() {
        "limits.cpu" | "requests.cpu" => {
            (&["1m", "1"], "only divisor's values 1m and 1 are supported with the cpu resource")
        }
        "limits.memory" | "requests.memory" => (
            &["1", "1k", "1M", "1G", "1T", "1P", "1E", "1Ki", "1Mi", "1Gi", "1Ti", "1Pi", "1Ei"],
            "only divisor's values 1, 1k, 1M, 1G, 1T, 1P, 1E, 1Ki, 1Mi, 1Gi, 1Ti, 1Pi, 1Ei are supported with the memory resource",
        ),
        "limits.ephemeral-storage" | "requests.ephemeral-storage" => (
            &["1", "1k", "1M", "1G", "1T", "1P", "1E", "1Ki", "1Mi", "1Gi", "1Ti", "1Pi", "1Ei"],
            "only divisor's values 1, 1k, 1M, 1G, 1T, 1P, 1E, 1Ki, 1Mi, 1Gi, 1Ti, 1Pi, 1Ei are supported with the local ephemeral storage resource",
        ),
        name if HUGE_PAGES.iter().any(|prefix| name.starts_with(prefix)) => (
            &["1", "1k", "1M", "1G", "1T", "1P", "1E", "1Ki", "1Mi", "1Gi", "1Ti", "1Pi", "1Ei"],
            "only divisor's values 1, 1k, 1M, 1G, 1T, 1P, 1E, 1Ki, 1Mi, 1Gi, 1Ti, 1Pi, 1Ei are supported with the hugepages resource",
        ),
        _ => return,
    };
    if !known.contains(&text.as_str()) {
        errors.push(FieldError::invalid(&path.child("divisor"), field.resource.as_str(), why));
    }
}
