//! Where a webhook is: what must hold of a URL or a service (`k8s.io/apiserver/pkg/util/webhook/validation.go`).

use api_meta::field::{ErrorList, FieldError, Path};
use api_meta::names::{is_dns1123_subdomain, is_valid_port_num};

use crate::checks;

/// The URL of a webhook.
pub fn url(errors: &mut ErrorList, path: &Path, text: &str) {
    const FORM: &str = "; desired format: https://host[/path]";
    let (before, fragment) = text.split_once('#').unwrap_or((text, ""));
    let (before, query) = before.split_once('?').unwrap_or((before, ""));
    let (scheme, rest) = before.split_once(':').unwrap_or(("", before));
    let authority = rest.strip_prefix("//").map(|rest| rest.split('/').next().unwrap_or_default());
    let (user, host) = match authority.unwrap_or_default().rsplit_once('@') {
        Some((user, host)) => (Some(user), host),
        None => (None, authority.unwrap_or_default()),
    };
    let scheme = scheme.to_ascii_lowercase();
    if scheme != "https" {
        let why = format!("'https' is the only allowed URL scheme{FORM}");
        errors.push(FieldError::invalid(path, scheme.as_str(), why));
    }
    if host.is_empty() {
        errors.push(FieldError::invalid(path, host, format!("host must be specified{FORM}")));
    }
    if let Some(user) = user {
        errors.push(FieldError::invalid(path, user, "user information is not permitted in the URL"));
    }
    if !fragment.is_empty() {
        errors.push(FieldError::invalid(path, fragment, "fragments are not permitted in the URL"));
    }
    if !query.is_empty() {
        errors.push(FieldError::invalid(path, query, "query parameters are not permitted in the URL"));
    }
}

/// The service that a webhook is served by.
#[derive(Clone, Copy, Debug)]
pub struct Service<'a> {
    /// Its namespace.
    pub namespace: &'a str,
    /// Its name.
    pub name: &'a str,
    /// The path of the webhook's URL.
    pub path: Option<&'a str>,
    /// Its port.
    pub port: Option<i32>,
}

impl Service<'_> {
    /// What is wrong with it.
    pub fn check(&self, errors: &mut ErrorList, path: &Path) {
        for (name, text) in [("name", self.name), ("namespace", self.namespace)] {
            checks::required(errors, &path.child(name), text);
        }
        let port = self.port.unwrap_or_default();
        let faults = is_valid_port_num(port.into());
        if !faults.is_empty() {
            let why = format!("port is not valid: {}", faults.join(", "));
            errors.push(FieldError::invalid(&path.child("port"), port, why));
        }
        let Some(text) = self.path.filter(|text| !matches!(*text, "" | "/")) else { return };
        let path = path.child("path");
        if text == "//" {
            errors.push(FieldError::invalid(&path, text, "segment[0] may not be empty"));
            return;
        }
        if !text.starts_with('/') {
            errors.push(FieldError::invalid(&path, text, "must start with a '/'"));
        }
        let inner: String = text.chars().skip(1).collect();
        for (index, step) in inner.strip_suffix('/').unwrap_or(&inner).split('/').enumerate() {
            if step.is_empty() {
                errors.push(FieldError::invalid(&path, text, format!("segment[{index}] may not be empty")));
                continue;
            }
            for message in is_dns1123_subdomain(step) {
                errors.push(FieldError::invalid(&path, text, format!("segment[{index}]: {message}")));
            }
        }
    }
}
