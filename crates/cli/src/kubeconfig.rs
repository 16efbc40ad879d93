//! Kubeconfigs: writing the cluster's own, adding its entries to a user's and taking them out again.
//!
//! Used by the server (which writes) and by `knarr kubeconfig` and `down --purge`. Pure, on text; files are [`mod@file`]'s. Whatever
//! else a kubeconfig holds is kept, in its order, known to us or not; only comments are lost, as kubectl itself loses them.
//! Deliberately absent: reading kubeconfigs to connect with.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

pub mod file;
pub mod owner;
pub mod show;

/// What an administrator needs to reach a cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Access {
    /// What context, cluster and user are called.
    pub name: String,
    /// Where the API is, as in `https://127.0.0.1:6443`.
    pub server: String,
    /// The certificate authority's certificates, PEM.
    pub authority_pem: String,
    /// The client's certificate, PEM.
    pub certificate_pem: String,
    /// The client's key, PEM.
    pub key_pem: String,
}

/// Why a kubeconfig cannot be changed.
#[derive(Debug, thiserror::Error)]
pub enum KubeconfigError {
    /// It is no YAML.
    #[error("the kubeconfig is not valid YAML")]
    Yaml(#[source] Box<serde_saphyr::Error>),
    /// It is YAML, but no kubeconfig.
    #[error("the kubeconfig's {0} is not what kubectl expects")]
    Shape(&'static str),
    /// It cannot be written as YAML.
    #[error("the kubeconfig cannot be written as YAML")]
    Write(#[source] Box<serde_saphyr::SerializeError>),
    /// An entry of that name leads to another cluster.
    #[error(
        "the kubeconfig already has a cluster {name:?} at {server}, which is another one: rename it first (kubectl config rename-context)"
    )]
    Taken {
        /// The name.
        name: String,
        /// Where the other cluster is.
        server: String,
    },
}

/// The three lists of a kubeconfig, and what an entry's content is called.
const LISTS: [(&str, &str); 3] = [("clusters", "cluster"), ("users", "user"), ("contexts", "context")];

/// A kubeconfig that holds this cluster alone.
///
/// # Errors
/// Never for text that YAML can hold.
pub fn fresh(access: &Access) -> Result<String, KubeconfigError> {
    let mut root = Map::new();
    add(&mut root, access)?;
    to_text(root)
}

/// Adds the cluster to a kubeconfig, in place of its own earlier entries, and makes it the current context.
///
/// # Errors
/// When the text is no kubeconfig, or has an entry of that name for another cluster.
pub fn merge(existing: &str, access: &Access) -> Result<String, KubeconfigError> {
    let mut root = parse(existing)?;
    if let Some(other) = entry(&root, "clusters", &access.name)
        && !is_same_cluster(other, access)
    {
        let server = other.pointer("/cluster/server").and_then(Value::as_str).unwrap_or("an unknown address");
        return Err(KubeconfigError::Taken { name: access.name.clone(), server: server.to_owned() });
    }
    add(&mut root, access)?;
    to_text(root)
}

/// Takes the cluster's entries out of a kubeconfig; `None` when it has none of them. `of` is what the cluster's own kubeconfig says:
/// an entry of that name that leads elsewhere is somebody else's, and stays.
///
/// # Errors
/// When the text is no kubeconfig.
pub fn remove(existing: &str, of: &Access) -> Result<Option<String>, KubeconfigError> {
    let mut root = parse(existing)?;
    let ours = entry(&root, "clusters", &of.name).is_some_and(|entry| is_same_cluster(entry, of));
    if !ours {
        return Ok(None);
    }
    for (list, _) in LISTS {
        if let Some(Value::Array(entries)) = root.get_mut(list) {
            entries.retain(|entry| named(entry) != Some(&of.name));
        }
    }
    if root.get("current-context").and_then(Value::as_str) == Some(&of.name) {
        root.insert("current-context".to_owned(), Value::String(String::new()));
    }
    to_text(root).map(Some)
}

/// Whether nothing is left that anyone would miss: no cluster, user or context.
pub fn is_empty(text: &str) -> bool {
    parse(text).is_ok_and(|root| {
        LISTS.iter().all(|(list, _)| match root.get(*list) {
            None | Some(Value::Null) => true,
            Some(Value::Array(entries)) => entries.is_empty(),
            Some(_) => false,
        })
    })
}

/// Makes a context the current one; `None` when it is that already.
///
/// # Errors
/// When the text is no kubeconfig, or has no such context.
pub fn select(existing: &str, name: &str) -> Result<Option<String>, KubeconfigError> {
    let mut root = parse(existing)?;
    entry(&root, "contexts", name).ok_or(KubeconfigError::Shape("contexts"))?;
    if root.get("current-context").and_then(Value::as_str) == Some(name) {
        return Ok(None);
    }
    root.insert("current-context".to_owned(), Value::String(name.to_owned()));
    to_text(root).map(Some)
}

/// What the cluster's own kubeconfig gives access to, as [`fresh`] wrote it under this name: whoever uses the file may have chosen
/// another current context since, and added others.
///
/// # Errors
/// When what [`fresh`] writes is not in it.
pub fn read(text: &str, name: &str) -> Result<Access, KubeconfigError> {
    let root = parse(text)?;
    let cluster = entry(&root, "clusters", name).ok_or(KubeconfigError::Shape("clusters"))?;
    let user = entry(&root, "users", name).ok_or(KubeconfigError::Shape("users"))?;
    let pem = |entry: &Value, pointer: &str, list| {
        let encoded = entry.pointer(pointer).and_then(Value::as_str).ok_or(KubeconfigError::Shape(list))?;
        let bytes = STANDARD.decode(encoded).map_err(|_| KubeconfigError::Shape(list))?;
        String::from_utf8(bytes).map_err(|_| KubeconfigError::Shape(list))
    };
    let server = cluster.pointer("/cluster/server").and_then(Value::as_str);
    Ok(Access {
        name: name.to_owned(),
        server: server.ok_or(KubeconfigError::Shape("clusters"))?.to_owned(),
        authority_pem: pem(cluster, "/cluster/certificate-authority-data", "clusters")?,
        certificate_pem: pem(user, "/user/client-certificate-data", "users")?,
        key_pem: pem(user, "/user/client-key-data", "users")?,
    })
}

fn parse(text: &str) -> Result<Map<String, Value>, KubeconfigError> {
    // Octal numbers as kubectl's own YAML has them.
    let options = serde_saphyr::options! { legacy_octal_numbers: true };
    let value = serde_saphyr::from_str_with_options::<Option<Value>>(text, options)
        .map_err(|error| KubeconfigError::Yaml(Box::new(error)))?;
    let root = match value {
        None | Some(Value::Null) => Map::new(),
        Some(Value::Object(root)) => root,
        Some(_) => return Err(KubeconfigError::Shape("content")),
    };
    for (list, _) in LISTS {
        if !matches!(root.get(list), None | Some(Value::Null | Value::Array(_))) {
            return Err(KubeconfigError::Shape(list));
        }
    }
    Ok(root)
}

fn to_text(root: Map<String, Value>) -> Result<String, KubeconfigError> {
    serde_saphyr::to_string(&Value::Object(root)).map_err(|error| KubeconfigError::Write(Box::new(error)))
}

fn named(entry: &Value) -> Option<&str> {
    entry.get("name").and_then(Value::as_str)
}

fn entry<'a>(root: &'a Map<String, Value>, list: &str, name: &str) -> Option<&'a Value> {
    root.get(list)?.as_array()?.iter().find(|entry| named(entry) == Some(name))
}

/// By authority, or by address: a cluster that was made anew at its old place has another authority.
fn is_same_cluster(entry: &Value, access: &Access) -> bool {
    let at = |pointer: &str| entry.pointer(pointer).and_then(Value::as_str);
    at("/cluster/certificate-authority-data") == Some(&STANDARD.encode(&access.authority_pem))
        || at("/cluster/server") == Some(&access.server)
}

fn add(root: &mut Map<String, Value>, access: &Access) -> Result<(), KubeconfigError> {
    for (key, value) in [("apiVersion", "v1"), ("kind", "Config")] {
        root.entry(key).or_insert_with(|| Value::String(value.to_owned()));
    }
    let contents = [
        json!({
            "certificate-authority-data": STANDARD.encode(&access.authority_pem),
            "server": access.server,
        }),
        json!({
            "client-certificate-data": STANDARD.encode(&access.certificate_pem),
            "client-key-data": STANDARD.encode(&access.key_pem),
        }),
        json!({ "cluster": access.name, "user": access.name }),
    ];
    for ((list, kind), content) in LISTS.into_iter().zip(contents) {
        let entries = root.entry(list).or_insert(Value::Null);
        if entries.is_null() {
            *entries = Value::Array(Vec::new());
        }
        let entries = entries.as_array_mut().ok_or(KubeconfigError::Shape(list))?;
        let mut new = Map::new();
        new.insert("name".to_owned(), Value::String(access.name.clone()));
        new.insert(kind.to_owned(), content);
        let new = Value::Object(new);
        match entries.iter_mut().find(|entry| named(entry) == Some(&access.name)) {
            Some(old) => *old = new,
            None => entries.push(new),
        }
    }
    root.insert("current-context".to_owned(), Value::String(access.name.clone()));
    Ok(())
}

#[cfg(test)]
mod tests;
