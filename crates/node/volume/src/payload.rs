//! The files of volumes that show objects of the API. Pure.

use std::collections::BTreeMap;

use api_types::core::v1::{ConfigMap, KeyToPath, Secret};

/// One file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// Its content.
    pub bytes: Vec<u8>,
    /// Its permissions.
    pub mode: u32,
    /// Whose it is, if not root's.
    pub user: Option<u32>,
}

/// A volume's files by their paths in it.
pub type Payload = BTreeMap<String, File>;

/// What is missing, in kubelet's words.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PayloadError {
    /// The object.
    #[error("{kind} {name:?} not found")]
    NotFound {
        /// `configmap` or `secret`.
        kind: &'static str,
        /// Its name.
        name: String,
    },
    /// A key of a config map.
    #[error("configmap references non-existent config key: {0}")]
    NoConfigKey(String),
    /// A key of a secret.
    #[error("references non-existent secret key: {0}")]
    NoSecretKey(String),
    /// The trust bundle of this name.
    #[error("while getting ClusterTrustBundle: clustertrustbundle.certificates.k8s.io {0:?} not found")]
    NoTrustBundle(String),
    /// Any trust bundle of a signer that is selected.
    #[error("combination of signerName and labelSelector matched zero ClusterTrustBundles")]
    NoTrustBundles,
    /// A word on which trust bundles are meant.
    #[error("ClusterTrustBundle projection requires either name or signerName to be set")]
    NamelessTrustBundle,
    /// A selector that can be read.
    #[error("while parsing label selector: {0}")]
    BadSelector(String),
    /// A certificate that has been asked for.
    #[error("credential bundle is not issued yet")]
    NotIssued,
    /// A certificate that will never be issued.
    #[error("PodCertificateRequest was permanently {how}: reason={reason:?} message={message:?}")]
    Refused {
        /// `denied` or `failed`.
        how: &'static str,
        /// Why, in a word.
        reason: String,
        /// Why, in a sentence.
        message: String,
    },
    /// The first list of all trust bundles.
    #[error("ClusterTrustBundle informer has not yet synced")]
    NotSynced,
}

/// How an object is shown.
#[derive(Clone, Copy, Debug)]
pub struct Shown<'a> {
    /// The object's name.
    pub name: &'a str,
    /// Which keys at which paths; all at their own names when empty.
    pub items: &'a [KeyToPath],
    /// The files' permissions where an item says nothing.
    pub mode: u32,
    /// Whether it may be absent.
    pub optional: bool,
}

/// The files of a config map.
///
/// # Errors
/// When it, or a key, is not there and not optional.
pub fn config_map(shown: Shown<'_>, found: Option<&ConfigMap>) -> Result<Payload, PayloadError> {
    let Some(found) = found else { return absent("configmap", shown) };
    let mut all: BTreeMap<&str, &[u8]> = BTreeMap::new();
    all.extend(found.data.iter().map(|(key, text)| (key.as_str(), text.as_bytes())));
    all.extend(found.binary_data.iter().map(|(key, bytes)| (key.as_str(), &bytes[..])));
    project(shown, &all, PayloadError::NoConfigKey)
}

/// The files of a secret.
///
/// # Errors
/// When it, or a key, is not there and not optional.
pub fn secret(shown: Shown<'_>, found: Option<&Secret>) -> Result<Payload, PayloadError> {
    let Some(found) = found else { return absent("secret", shown) };
    let all = found.data.iter().map(|(key, bytes)| (key.as_str(), &bytes[..])).collect();
    project(shown, &all, PayloadError::NoSecretKey)
}

fn absent(kind: &'static str, shown: Shown<'_>) -> Result<Payload, PayloadError> {
    match shown.optional {
        true => Ok(Payload::new()),
        false => Err(PayloadError::NotFound { kind, name: shown.name.to_owned() }),
    }
}

fn project(
    shown: Shown<'_>,
    all: &BTreeMap<&str, &[u8]>,
    missing: fn(String) -> PayloadError,
) -> Result<Payload, PayloadError> {
    let file = |bytes: &[u8], mode: Option<i32>| File {
        bytes: bytes.to_vec(),
        mode: mode.map_or(shown.mode, |mode| mode.cast_unsigned() & 0o777),
        user: None,
    };
    if shown.items.is_empty() {
        return Ok(all.iter().map(|(key, bytes)| ((*key).to_owned(), file(bytes, None))).collect());
    }
    let mut payload = Payload::new();
    for item in shown.items {
        match all.get(item.key.as_str()) {
            Some(bytes) => drop(payload.insert(item.path.clone(), file(bytes, item.mode))),
            None if shown.optional => {}
            None => return Err(missing(item.key.clone())),
        }
    }
    Ok(payload)
}

/// Lets a pod's `fsGroup` read what only the owner could.
pub fn for_group(payload: &mut Payload) {
    for file in payload.values_mut() {
        file.mode |= 0o440;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(key: &str, path: &str, mode: Option<i32>) -> KeyToPath {
        KeyToPath { key: key.into(), path: path.into(), mode, user: None }
    }

    #[test]
    fn keys_become_files() {
        let mut map = ConfigMap::default();
        map.data.insert("a".into(), "1".into());
        map.binary_data.insert("b".into(), vec![0xff].into());
        let all = Shown { name: "cm", items: &[], mode: 0o644, optional: false };
        let names: Vec<_> = config_map(all, Some(&map)).unwrap().into_keys().collect();
        assert_eq!(names, ["a", "b"]);
        let chosen = [item("a", "x/y", Some(0o400))];
        let one = config_map(Shown { items: &chosen, ..all }, Some(&map)).unwrap();
        assert_eq!(one["x/y"], File { bytes: b"1".to_vec(), mode: 0o400, user: None });
        let gone = [item("c", "c", None)];
        let cases = [
            (Shown { items: &gone, ..all }, Some(&map), "configmap references non-existent config key: c"),
            (all, None, "configmap \"cm\" not found"),
        ];
        for (shown, found, want) in cases {
            assert_eq!(config_map(shown, found).unwrap_err().to_string(), want);
            assert_eq!(config_map(Shown { optional: true, ..shown }, found), Ok(Payload::new()));
        }
        assert_eq!(secret(all, None).unwrap_err().to_string(), "secret \"cm\" not found");
    }
}
