//! The text of `registries.yaml` made [`Registries`]: what is wrong is named by file and field, and nothing unknown is left
//! alone, since a misspelt mirror would send a cluster's pulls elsewhere without a word.
#![allow(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    reason = "the image store is a shell: this reads its configuration"
)]

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use regex::Regex;
use reqwest::{Certificate, Identity, Url};
use serde_json::Value;

use super::{ANY, Config, Mirror, Registries, Tls, is_local};
use crate::credentials::{self, Credential};
use crate::limits;

/// What can be wrong with the file.
#[derive(Debug, thiserror::Error)]
pub enum RegistriesError {
    /// It cannot be read.
    #[error("cannot read {path}", path = .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// It is no YAML.
    #[error("{path} is not valid YAML", path = .path.display())]
    Yaml {
        /// The file.
        path: PathBuf,
        /// Where and why.
        #[source]
        source: Box<serde_saphyr::Error>,
    },
    /// A field says what cannot be.
    #[error("{path}: {field}: {problem}", path = .path.display())]
    Field {
        /// The file.
        path: PathBuf,
        /// The field, such as `mirrors[docker.io].endpoint[0]`.
        field: String,
        /// What is wrong with it.
        problem: String,
    },
}

/// A field and what is wrong with it.
type Problem = (String, String);

impl Registries {
    /// Reads the file and what it names; an error is for whoever wrote it.
    ///
    /// # Errors
    /// When the file, or a certificate that it names, cannot be read or says what cannot be.
    pub fn read(path: &Path) -> Result<Registries, RegistriesError> {
        let unread = |source| RegistriesError::Read { path: path.to_owned(), source };
        let length = fs::metadata(path).map_err(unread)?.len();
        if length > limits::REGISTRIES_BYTES {
            return Err(unread(io::Error::new(io::ErrorKind::FileTooLarge, "this is no registries.yaml")));
        }
        Registries::parse(path, &fs::read_to_string(path).map_err(unread)?)
    }

    /// What the text of the file at `path` says.
    pub(super) fn parse(path: &Path, text: &str) -> Result<Registries, RegistriesError> {
        let value: Option<Value> = serde_saphyr::from_str(text)
            .map_err(|source| RegistriesError::Yaml { path: path.to_owned(), source: Box::new(source) })?;
        let whole = Field { name: String::new(), value: value.as_ref().unwrap_or(&Value::Null) };
        registries(&whole).map_err(|(field, problem)| RegistriesError::Field {
            path: path.to_owned(),
            field: if field.is_empty() { "the file".to_owned() } else { field },
            problem,
        })
    }
}

fn registries(whole: &Field<'_>) -> Result<Registries, Problem> {
    let mut found = Registries::default();
    for (name, field) in whole.known(&["mirrors", "configs"])? {
        for (host, entry) in field.hosts()? {
            match name {
                "mirrors" => drop(found.mirrors.insert(host.to_owned(), mirror(&entry)?)),
                _ => drop(found.configs.insert(host.to_owned(), config(&entry)?)),
            }
        }
    }
    Ok(found)
}

fn mirror(entry: &Field<'_>) -> Result<Mirror, Problem> {
    let mut mirror = Mirror::default();
    for (name, field) in entry.known(&["endpoint", "rewrite"])? {
        if name == "endpoint" {
            for item in field.items()? {
                let endpoint = endpoint(&item)?;
                if !mirror.endpoints.contains(&endpoint) {
                    mirror.endpoints.push(endpoint);
                }
            }
            continue;
        }
        for (pattern, replacement) in field.entries()? {
            let compiled = Regex::new(pattern).map_err(|_| replacement.wrong("is no regular expression"))?;
            mirror.rewrites.push((compiled, replacement.text()?.to_owned()));
        }
    }
    Ok(mirror)
}

/// An endpoint's address up to the repository. Without a path of its own it has the API's.
fn endpoint(item: &Field<'_>) -> Result<Url, Problem> {
    let written = item.text()?;
    let with_scheme = if written.contains("://") {
        written.to_owned()
    } else {
        // containerd's guess for a host alone.
        let host = written.split('/').next().unwrap_or_default();
        let has_port = host.rsplit_once(':').is_some_and(|(_, port)| port != "443");
        let scheme = if is_local(host) && has_port { "http" } else { "https" };
        format!("{scheme}://{written}")
    };
    let wrong = || item.wrong("must be the address of a registry, such as https://mirror.example.com:5000");
    let mut url = Url::parse(&with_scheme).map_err(|_| wrong())?;
    let fits =
        matches!(url.scheme(), "http" | "https") && url.host_str().is_some_and(|host| !host.is_empty());
    if !fits || url.query().is_some() || url.fragment().is_some() {
        return Err(wrong());
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(item.wrong("must not hold credentials: configs have a field auth"));
    }
    let path = url.path().trim_end_matches('/').to_owned();
    url.set_path(if path.is_empty() { "/v2" } else { &path });
    Ok(url)
}

fn config(entry: &Field<'_>) -> Result<Config, Problem> {
    let mut config = Config::default();
    for (name, field) in entry.known(&["auth", "tls"])? {
        match name {
            "auth" => config.auth = auth(&field)?,
            _ => config.tls = Some(tls(&field)?),
        }
    }
    Ok(config)
}

fn auth(field: &Field<'_>) -> Result<Option<Credential>, Problem> {
    let (mut user, mut password, mut both, mut token) = ("", "", None, "");
    for (name, field) in field.known(&["username", "password", "auth", "identity_token"])? {
        let text = field.text()?;
        match name {
            "username" => user = text,
            "password" => password = text,
            "identity_token" => token = text,
            _ => both = Some(credentials::decode(text).map_err(|error| field.wrong(&error.to_string()))?),
        }
    }
    // containerd's order.
    let named = |username: &str, password: &str| {
        Some(Credential { username: username.to_owned(), password: password.to_owned() })
    };
    Ok(match both {
        _ if !user.is_empty() => named(user, password),
        _ if !token.is_empty() => named("", token),
        both => both,
    })
}

fn tls(field: &Field<'_>) -> Result<Tls, Problem> {
    let mut tls = Tls::default();
    let (mut certificate, mut key) = (None, None);
    for (name, field) in field.known(&["ca_file", "cert_file", "key_file", "insecure_skip_verify"])? {
        match name {
            "ca_file" => {
                let bundle = Certificate::from_pem_bundle(&field.file()?);
                let bundle = bundle.ok().filter(|bundle| !bundle.is_empty());
                tls.authorities = bundle.ok_or_else(|| field.wrong("holds no certificate in PEM"))?;
            }
            "cert_file" => certificate = Some(field),
            "key_file" => key = Some(field),
            _ => tls.insecure_skip_verify = field.flag()?,
        }
    }
    match (certificate, key) {
        (None, None) => {}
        (Some(certificate), Some(key)) => {
            let pem = [certificate.file()?, b"\n".to_vec(), key.file()?].concat();
            let identity = Identity::from_pem(&pem);
            tls.identity = Some(
                identity.map_err(|_| certificate.wrong("and key_file are no certificate and key in PEM"))?,
            );
        }
        (Some(alone), None) => return Err(alone.wrong("needs a key_file")),
        (None, Some(alone)) => return Err(alone.wrong("needs a cert_file")),
    }
    Ok(tls)
}

/// A value and where it is.
struct Field<'a> {
    name: String,
    value: &'a Value,
}

impl<'a> Field<'a> {
    fn wrong(&self, problem: &str) -> Problem {
        (self.name.clone(), problem.to_owned())
    }

    /// A mapping's entries; nothing is an empty one.
    fn entries(&self) -> Result<Vec<(&'a str, Field<'a>)>, Problem> {
        let at = |key: &str| format!("{}[{key}]", self.name);
        match self.value {
            Value::Null => Ok(Vec::new()),
            Value::Object(entries) => Ok(entries
                .iter()
                .map(|(key, value)| (key.as_str(), Field { name: at(key), value }))
                .collect()),
            _ => Err(self.wrong("must be a mapping")),
        }
    }

    /// A mapping's entries, which have these names only.
    fn known(&self, names: &[&str]) -> Result<Vec<(&'a str, Field<'a>)>, Problem> {
        let mut entries = self.entries()?;
        for (key, field) in &mut entries {
            field.name =
                if self.name.is_empty() { (*key).to_owned() } else { format!("{}.{key}", self.name) };
            if !names.contains(key) {
                return Err(field.wrong(&format!("unknown field; there are {}", names.join(", "))));
            }
        }
        Ok(entries)
    }

    /// A mapping's entries, whose names are registries.
    fn hosts(&self) -> Result<Vec<(&'a str, Field<'a>)>, Problem> {
        let entries = self.entries()?;
        for (key, field) in &entries {
            if *key != ANY && (key.is_empty() || key.contains(['/', '*', '@'])) {
                return Err(field
                    .wrong("must be named by a registry's host, such as docker.io or r.lan:5000, or \"*\""));
            }
        }
        Ok(entries)
    }

    fn items(&self) -> Result<Vec<Field<'a>>, Problem> {
        match self.value {
            Value::Null => Ok(Vec::new()),
            Value::Array(values) => {
                let at = |(i, value)| Field { name: format!("{}[{i}]", self.name), value };
                Ok(values.iter().enumerate().map(at).collect())
            }
            _ => Err(self.wrong("must be a list")),
        }
    }

    fn text(&self) -> Result<&'a str, Problem> {
        self.value.as_str().ok_or_else(|| self.wrong("must be text; a number needs quotes"))
    }

    fn flag(&self) -> Result<bool, Problem> {
        self.value.as_bool().ok_or_else(|| self.wrong("must be true or false"))
    }

    /// The content of the file that it names.
    fn file(&self) -> Result<Vec<u8>, Problem> {
        let path = self.text()?;
        fs::read(path).map_err(|error| self.wrong(&format!("cannot read {path}: {error}")))
    }
}
