//! Credentials for registries, from pull secrets, matched to images as kubelet matches them. Pure.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use serde::Deserialize;
use std::collections::BTreeMap;

use crate::reference::Reference;

const DEFAULT_REGISTRY: &str = "index.docker.io";

/// A user and a password; without a user, an identity token in the password's place.
#[derive(Clone, PartialEq, Eq)]
pub struct Credential {
    /// Whom to log in as.
    pub username: String,
    /// The secret.
    pub password: String,
}

impl std::fmt::Debug for Credential {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Credential").field("username", &self.username).finish_non_exhaustive()
    }
}

/// A pull secret that cannot be read. Says nothing of its content.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CredentialError {
    /// Not the JSON that its type promises.
    #[error("error occurred while trying to unmarshal json")]
    Json,
    /// An `auth` that is not base64 of `user:password`.
    #[error("unable to parse auth field, must be formatted as base64(username:password)")]
    Auth,
}

/// The credentials of a pod: of its pull secrets, its service account's, and the node's own.
#[derive(Clone, Debug, Default)]
pub struct Keyring {
    entries: Vec<(String, Credential)>,
}

#[derive(Deserialize)]
struct DockerConfigJson {
    #[serde(default)]
    auths: BTreeMap<String, Entry>,
}

#[derive(Deserialize)]
struct Entry {
    #[serde(default)]
    username: String,
    #[serde(default)]
    password: String,
    #[serde(default)]
    auth: String,
}

impl Keyring {
    /// Adds what a `.dockerconfigjson` holds (type `kubernetes.io/dockerconfigjson`, or docker's `config.json`).
    ///
    /// # Errors
    /// When it cannot be read; nothing is added then.
    pub fn add_docker_config_json(&mut self, content: &[u8]) -> Result<(), CredentialError> {
        let config: DockerConfigJson = serde_json::from_slice(content).map_err(|_| CredentialError::Json)?;
        self.add(config.auths)
    }

    /// Adds what a `.dockercfg` holds (type `kubernetes.io/dockercfg`).
    ///
    /// # Errors
    /// When it cannot be read; nothing is added then.
    pub fn add_docker_cfg(&mut self, content: &[u8]) -> Result<(), CredentialError> {
        self.add(serde_json::from_slice(content).map_err(|_| CredentialError::Json)?)
    }

    fn add(&mut self, auths: BTreeMap<String, Entry>) -> Result<(), CredentialError> {
        let mut added = Vec::with_capacity(auths.len());
        for (registry, entry) in auths {
            let credential = if entry.auth.is_empty() {
                Credential { username: entry.username, password: entry.password }
            } else {
                decode(&entry.auth)?
            };
            added.push((key(&registry), credential));
        }
        self.entries.extend(added);
        // Reversed, so that the more specific path comes first; stable, so that earlier secrets do.
        self.entries.sort_by(|a, b| b.0.cmp(&a.0));
        Ok(())
    }

    /// The credentials to try for an image, best first. None: pull anonymously.
    pub fn lookup(&self, reference: &Reference) -> Vec<Credential> {
        let image = reference.name();
        let fitting: Vec<Credential> = self.matching(|key| matches(key, &image));
        if !fitting.is_empty() || reference.domain() != "docker.io" {
            return fitting;
        }
        self.matching(|key| key == DEFAULT_REGISTRY)
    }

    fn matching(&self, fits: impl Fn(&str) -> bool) -> Vec<Credential> {
        self.entries.iter().filter(|(key, _)| fits(key)).map(|(_, credential)| credential.clone()).collect()
    }
}

pub(crate) fn decode(auth: &str) -> Result<Credential, CredentialError> {
    let engine = if auth.trim().ends_with('=') { &STANDARD } else { &STANDARD_NO_PAD };
    let decoded = engine.decode(auth.trim()).map_err(|_| CredentialError::Auth)?;
    let text = String::from_utf8(decoded).map_err(|_| CredentialError::Auth)?;
    let (username, password) = text.split_once(':').ok_or(CredentialError::Auth)?;
    Ok(Credential { username: username.to_owned(), password: password.to_owned() })
}

/// Host and path, without scheme, and without the API's version, which docker's own configuration has.
fn key(registry: &str) -> String {
    let bare =
        registry.strip_prefix("https://").or_else(|| registry.strip_prefix("http://")).unwrap_or(registry);
    let (host, path) = match bare.find('/') {
        Some(slash) => bare.split_at(slash),
        None => (bare, ""),
    };
    let path = if path.starts_with("/v1/") || path.starts_with("/v2/") { &path[3..] } else { path };
    if path == "/" { host.to_owned() } else { format!("{host}{path}") }
}

/// Whether a key, whose host may hold `*`, is for an image: the same port, as many labels, and a prefix of the path.
fn matches(key: &str, image: &str) -> bool {
    let (key_host, key_path) = key.split_at(key.find('/').unwrap_or(key.len()));
    let (image_host, image_path) = image.split_at(image.find('/').unwrap_or(image.len()));
    let (key_name, key_port) = port(key_host);
    let (image_name, image_port) = port(image_host);
    if key_port != image_port || !image_path.starts_with(key_path) {
        return false;
    }
    let (keys, images): (Vec<&str>, Vec<&str>) =
        (key_name.split('.').collect(), image_name.split('.').collect());
    keys.len() == images.len() && keys.iter().zip(images).all(|(glob, label)| glob_matches(glob, label))
}

fn port(host: &str) -> (&str, Option<&str>) {
    match host.rsplit_once(':') {
        Some((name, port)) if !port.contains(']') => (name, Some(port)),
        _ => (host, None),
    }
}

/// `*` is any run of characters, `?` is any one.
fn glob_matches(glob: &str, label: &str) -> bool {
    let (glob, label) = (glob.as_bytes(), label.as_bytes());
    let (mut at, mut seen, mut star) = (0, 0, None);
    while seen < label.len() {
        if at < glob.len() && glob[at] == b'*' {
            star = Some((at, seen));
            at += 1;
        } else if at < glob.len() && (glob[at] == b'?' || glob[at] == label[seen]) {
            at += 1;
            seen += 1;
        } else if let Some((star_at, star_seen)) = star {
            star = Some((star_at, star_seen + 1));
            at = star_at + 1;
            seen = star_seen + 1;
        } else {
            return false;
        }
    }
    glob[at..].iter().all(|byte| *byte == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_find_their_credentials_as_with_kubelet() {
        let secret = |registries: &[&str]| {
            let auths: BTreeMap<&str, serde_json::Value> = registries
                .iter()
                .map(|registry| {
                    (*registry, serde_json::json!({ "auth": STANDARD.encode(format!("{registry}:pw")) }))
                })
                .collect();
            serde_json::json!({ "auths": auths }).to_string()
        };
        let cases: [(&[&str], &str, &[&str]); 11] = [
            (&["quay.io"], "quay.io/a/b", &["quay.io"]),
            (&["quay.io", "quay.io/a"], "quay.io/a/b", &["quay.io/a", "quay.io"]),
            (&["quay.io/other"], "quay.io/a/b", &[]),
            (&["https://index.docker.io/v1/"], "nginx", &["https://index.docker.io/v1/"]),
            (&["docker.io"], "nginx", &["docker.io"]),
            (&["*.example.com"], "r.example.com/a", &["*.example.com"]),
            (&["*.example.com"], "a.r.example.com/a", &[]),
            (&["r.io:5000"], "r.io:5000/a", &["r.io:5000"]),
            (&["r.io"], "r.io:5000/a", &[]),
            (&["https://r.io/v2/"], "r.io/a", &["https://r.io/v2/"]),
            (&[], "nginx", &[]),
        ];
        for (registries, image, expected) in cases {
            let mut keyring = Keyring::default();
            keyring.add_docker_config_json(secret(registries).as_bytes()).unwrap();
            let found = keyring.lookup(&image.parse().unwrap());
            // A registry with "https:" splits at its first colon, as docker's own format does.
            let found: Vec<String> =
                found.into_iter().map(|c| format!("{}:{}", c.username, c.password)).collect();
            let expected: Vec<String> = expected.iter().map(|user| format!("{user}:pw")).collect();
            assert_eq!(found, expected, "{registries:?} {image}");
        }
    }

    #[test]
    fn secrets_of_both_types_are_read_and_broken_ones_refused() {
        let mut keyring = Keyring::default();
        keyring.add_docker_cfg(br#"{"r.io":{"username":"u","password":"p","email":"e"}}"#).unwrap();
        assert_eq!(keyring.lookup(&"r.io/a".parse().unwrap())[0].username, "u");
        assert_eq!(keyring.add_docker_config_json(b"{"), Err(CredentialError::Json));
        assert_eq!(
            keyring.add_docker_config_json(br#"{"auths":{"r.io":{"auth":"bm9jb2xvbg=="}}}"#),
            Err(CredentialError::Auth)
        );
        assert!(!format!("{keyring:?}").contains("\"p\""), "no secrets in logs");
    }

    #[test]
    fn globs_match_within_a_label() {
        for (glob, label, expected) in [
            ("*", "a", true),
            ("a*c", "abbc", true),
            ("a?c", "abc", true),
            ("a*", "b", false),
            ("*b", "abab", true),
        ] {
            assert_eq!(glob_matches(glob, label), expected, "{glob} {label}");
        }
    }
}
