//! A container's environment: its own variables, those of config maps and secrets, and those that name services.

use std::collections::BTreeMap;

use api_types::core::v1::{ConfigMap, Container, EnvVarSource, ObjectFieldSelector, Pod, Secret};

use crate::expand::expand;
use crate::resources;

/// Why an environment cannot be built. The words are kubelet's, of a container that waits with `CreateContainerConfigError`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EnvError {
    /// A config map is not there.
    #[error("configmap {0:?} not found")]
    NoConfigMap(String),
    /// A secret is not there.
    #[error("secret {0:?} not found")]
    NoSecret(String),
    /// A key is not in its config map.
    #[error("couldn't find key {key} in ConfigMap {namespace}/{name}")]
    NoConfigMapKey {
        /// The key.
        key: String,
        /// The namespace.
        namespace: String,
        /// The config map.
        name: String,
    },
    /// A key is not in its secret.
    #[error("couldn't find key {key} in Secret {namespace}/{name}")]
    NoSecretKey {
        /// The key.
        key: String,
        /// The namespace.
        namespace: String,
        /// The secret.
        name: String,
    },
    /// A field that has no such text.
    #[error("unsupported fieldPath: {0}")]
    FieldPath(String),
    /// A resource that has no such text.
    #[error("unsupported container resource : {0}")]
    Resource(String),
    /// A container that a resource is asked of and that is not there.
    #[error("container {0} not found")]
    NoContainer(String),
}

/// Where the objects are that an environment refers to, all of the pod's own namespace.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    /// Config maps by name.
    pub config_maps: BTreeMap<String, ConfigMap>,
    /// Secrets by name.
    pub secrets: BTreeMap<String, Secret>,
    /// The variables of services, already chosen for the pod.
    pub services: BTreeMap<String, String>,
}

/// What the node adds to a pod's own fields.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Node {
    /// The node's name.
    pub name: String,
    /// Its addresses.
    pub host_ips: Vec<String>,
    /// The pod's addresses.
    pub pod_ips: Vec<String>,
    /// What the node has to give: cores in thousandths.
    pub allocatable_millis: i64,
    /// What the node has to give: bytes of memory.
    pub allocatable_memory_bytes: i64,
    /// What the node has to give: bytes of disk.
    pub allocatable_storage_bytes: i64,
}

/// The names of the config maps and secrets that a container's environment refers to.
pub fn references(container: &Container) -> (Vec<&str>, Vec<&str>) {
    let (mut config_maps, mut secrets) = (Vec::new(), Vec::new());
    for from in &container.env_from {
        config_maps.extend(from.config_map_ref.as_ref().map(|one| one.local_object_reference.name.as_str()));
        secrets.extend(from.secret_ref.as_ref().map(|one| one.local_object_reference.name.as_str()));
    }
    for from in container.env.iter().filter_map(|variable| variable.value_from.as_ref()) {
        let config_map = from.config_map_key_ref.as_ref();
        config_maps.extend(config_map.map(|one| one.local_object_reference.name.as_str()));
        secrets.extend(from.secret_key_ref.as_ref().map(|one| one.local_object_reference.name.as_str()));
    }
    (config_maps, secrets)
}

/// The environment of a container, without its image's.
///
/// # Errors
/// When something that it refers to, and that is not optional, is not there.
pub fn environment(
    container: &Container,
    pod: &Pod,
    sources: &Sources,
    node: &Node,
) -> Result<Vec<(String, String)>, EnvError> {
    let mut known: BTreeMap<String, String> = sources.services.clone();
    let mut order: Vec<String> = known.keys().cloned().collect();
    let mut put = |known: &mut BTreeMap<String, String>, name: String, value: String| {
        if known.insert(name.clone(), value).is_some() {
            order.retain(|other| *other != name);
        }
        order.push(name);
    };
    for (name, value) in from_whole(container, sources)? {
        put(&mut known, name, value);
    }
    for variable in &container.env {
        let value = match &variable.value_from {
            None => Some(expand(&variable.value, |name| known.get(name).map(String::as_str))),
            Some(from) => one(from, container, pod, sources, node)?,
        };
        if let Some(value) = value {
            put(&mut known, variable.name.clone(), value);
        }
    }
    Ok(order.into_iter().filter_map(|name| known.remove(&name).map(|value| (name, value))).collect())
}

/// `envFrom`.
fn from_whole(container: &Container, sources: &Sources) -> Result<Vec<(String, String)>, EnvError> {
    let mut all = Vec::new();
    for from in &container.env_from {
        let prefixed = |key: &String| format!("{}{key}", from.prefix);
        if let Some(wanted) = &from.config_map_ref {
            let name = &wanted.local_object_reference.name;
            match sources.config_maps.get(name) {
                Some(found) => {
                    all.extend(found.data.iter().map(|(key, value)| (prefixed(key), value.clone())))
                }
                None if wanted.optional == Some(true) => {}
                None => return Err(EnvError::NoConfigMap(name.clone())),
            }
        }
        if let Some(wanted) = &from.secret_ref {
            let name = &wanted.local_object_reference.name;
            match sources.secrets.get(name) {
                Some(found) => all.extend(found.data.iter().map(|(key, value)| (prefixed(key), text(value)))),
                None if wanted.optional == Some(true) => {}
                None => return Err(EnvError::NoSecret(name.clone())),
            }
        }
    }
    Ok(all)
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// `valueFrom`; `None` when it is optional and not there.
fn one(
    from: &EnvVarSource,
    container: &Container,
    pod: &Pod,
    sources: &Sources,
    node: &Node,
) -> Result<Option<String>, EnvError> {
    let namespace = || pod.metadata.namespace.clone();
    if let Some(field) = &from.field_ref {
        return self::field(field, pod, node).map(Some);
    }
    if let Some(resource) = &from.resource_field_ref {
        return resources::field(resource, container, pod, node).map(Some);
    }
    if let Some(wanted) = &from.config_map_key_ref {
        let name = wanted.local_object_reference.name.clone();
        let optional = wanted.optional == Some(true);
        let Some(found) = sources.config_maps.get(&name) else {
            return if optional { Ok(None) } else { Err(EnvError::NoConfigMap(name)) };
        };
        return match found.data.get(&wanted.key) {
            Some(value) => Ok(Some(value.clone())),
            None if optional => Ok(None),
            None => Err(EnvError::NoConfigMapKey { key: wanted.key.clone(), namespace: namespace(), name }),
        };
    }
    if let Some(wanted) = &from.secret_key_ref {
        let name = wanted.local_object_reference.name.clone();
        let optional = wanted.optional == Some(true);
        let Some(found) = sources.secrets.get(&name) else {
            return if optional { Ok(None) } else { Err(EnvError::NoSecret(name)) };
        };
        return match found.data.get(&wanted.key) {
            Some(value) => Ok(Some(text(value))),
            None if optional => Ok(None),
            None => Err(EnvError::NoSecretKey { key: wanted.key.clone(), namespace: namespace(), name }),
        };
    }
    Ok(None)
}

/// The text of one of a pod's own fields, for variables and for downward API volumes.
///
/// # Errors
/// When there is no such field to refer to.
pub fn field(selector: &ObjectFieldSelector, pod: &Pod, node: &Node) -> Result<String, EnvError> {
    let meta = &pod.metadata;
    let path = selector.field_path.as_str();
    if let Some((list, key)) = path.strip_suffix("']").and_then(|inner| inner.split_once("['")) {
        let map = match list {
            "metadata.labels" => &meta.labels,
            "metadata.annotations" => &meta.annotations,
            _ => return Err(EnvError::FieldPath(path.to_owned())),
        };
        return Ok(map.get(key).cloned().unwrap_or_default());
    }
    Ok(match path {
        "metadata.name" => meta.name.clone(),
        "metadata.namespace" => meta.namespace.clone(),
        "metadata.uid" => meta.uid.clone(),
        "metadata.labels" => lines(&meta.labels),
        "metadata.annotations" => lines(&meta.annotations),
        "spec.nodeName" => node.name.clone(),
        "spec.serviceAccountName" => pod.spec.service_account_name.clone(),
        "status.hostIP" => node.host_ips.first().cloned().unwrap_or_default(),
        "status.hostIPs" => node.host_ips.join(","),
        "status.podIP" => node.pod_ips.first().cloned().unwrap_or_default(),
        "status.podIPs" => node.pod_ips.join(","),
        _ => return Err(EnvError::FieldPath(path.to_owned())),
    })
}

/// Lines of `key="value"`, values quoted as Go does.
fn lines(map: &BTreeMap<String, String>) -> String {
    let line = |(key, value): (&String, &String)| format!("{key}={}", api_meta::quote::go(value));
    map.iter().map(line).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests;
