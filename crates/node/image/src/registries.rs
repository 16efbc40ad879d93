//! How registries are reached: `registries.yaml`, in K3s's form and with containerd's meaning.
//!
//! Used by [`crate::pull`]; who runs a node reads the file with [`Registries::read`]. From a registry's name follows the list
//! of endpoints that are tried in turn: its mirrors as they are written, then the registry itself. Pure, but for reading the
//! file and the certificates that it names, which happens once. Deliberately absent: K3s's embedded registry, and switching
//! off the endpoint that is tried last.

use std::collections::BTreeMap;
use std::net::IpAddr;

use regex::Regex;
use reqwest::Url;

use crate::credentials::Credential;
use crate::reference::Reference;

mod file;
#[cfg(test)]
mod tests;

pub use file::RegistriesError;

/// Stands for every registry that the file does not name.
const ANY: &str = "*";

/// Docker's registry is reached by another name than its images have.
const DOCKER: &str = "docker.io";
const DOCKER_HOST: &str = "registry-1.docker.io";

/// What a node's administrator says of registries. Without any: each is itself, anonymous unless a pod has credentials,
/// spoken to over TLS unless it is this machine.
#[derive(Clone, Debug, Default)]
pub struct Registries {
    mirrors: BTreeMap<String, Mirror>,
    configs: BTreeMap<String, Config>,
}

/// What stands in for a registry.
#[derive(Clone, Debug, Default)]
struct Mirror {
    endpoints: Vec<Url>,
    /// Patterns of repositories and what they become at these endpoints; the first that fits is used.
    rewrites: Vec<(Regex, String)>,
}

/// How one host is spoken to.
#[derive(Clone, Debug, Default)]
struct Config {
    auth: Option<Credential>,
    tls: Option<Tls>,
}

/// TLS with one host.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tls {
    /// Authorities that are trusted besides the machine's own.
    pub(crate) authorities: Vec<reqwest::Certificate>,
    /// What this machine shows.
    pub(crate) identity: Option<reqwest::Identity>,
    /// Trust anybody.
    pub(crate) insecure_skip_verify: bool,
}

/// One place where an image may be.
#[derive(Clone, Debug)]
pub(crate) struct Endpoint {
    /// Up to the repository: `https://mirror.lan:5000/v2`.
    pub(crate) base: Url,
    /// The repository, as it is called there.
    pub(crate) repository: String,
    /// The registry that a mirror is asked about, since it may stand in for several.
    pub(crate) namespace: Option<String>,
    /// Used where the pod brings none.
    pub(crate) auth: Option<Credential>,
    /// How it is spoken to, if it is over TLS.
    pub(crate) tls: Tls,
}

impl Registries {
    /// Where an image is looked for, in this order.
    pub(crate) fn endpoints(&self, reference: &Reference) -> Vec<Endpoint> {
        let domain = reference.domain();
        let host = default_host(domain);
        let own_tls =
            self.configs.get(host).or_else(|| self.configs.get(domain)).and_then(|c| c.tls.as_ref());
        // As containerd's `_default`: what is said of a registry itself keeps the general mirror away.
        let any = || self.mirrors.get(ANY).filter(|_| own_tls.is_none());
        let mut endpoints: Vec<Endpoint> = Vec::new();
        if let Some(mirror) = self.mirrors.get(domain).or_else(any) {
            for base in &mirror.endpoints {
                let repository = mirror.rewritten(reference.path());
                endpoints.push(self.endpoint(base.clone(), repository, domain));
            }
        }
        if let Some(base) = own(domain, host, own_tls.is_some()) {
            let written_last =
                endpoints.last().is_some_and(|e| e.base == base && e.repository == reference.path());
            if !written_last {
                endpoints.push(self.endpoint(base, reference.path().to_owned(), domain));
            }
        }
        endpoints
    }

    fn endpoint(&self, base: Url, repository: String, domain: &str) -> Endpoint {
        let host = authority(&base);
        let config = self.config(&base, &host);
        Endpoint {
            repository,
            namespace: (host != default_host(domain)).then(|| domain.to_owned()),
            auth: config.and_then(|config| config.auth.clone()),
            tls: config.and_then(|config| config.tls.clone()).unwrap_or_default(),
            base,
        }
    }

    /// What is said of an endpoint's host, with or without the port that its scheme implies.
    fn config(&self, base: &Url, host: &str) -> Option<&Config> {
        let with_port =
            base.port_or_known_default().map(|port| format!("{}:{port}", base.host_str().unwrap_or("")));
        let docker = (host == DOCKER_HOST).then_some(DOCKER);
        let names = [Some(host), with_port.as_deref(), docker, Some(ANY)];
        names.into_iter().flatten().find_map(|name| self.configs.get(name))
    }
}

impl Mirror {
    fn rewritten(&self, repository: &str) -> String {
        let fitting = self.rewrites.iter().find(|(pattern, _)| pattern.is_match(repository));
        match fitting {
            Some((pattern, replacement)) => pattern.replace_all(repository, replacement).into_owned(),
            None => repository.to_owned(),
        }
    }
}

/// The registry itself. Plain HTTP is for this machine alone, and only while nothing is said of its TLS.
fn own(domain: &str, host: &str, has_tls: bool) -> Option<Url> {
    let scheme = if is_local(domain) && !has_tls { "http" } else { "https" };
    Url::parse(&format!("{scheme}://{host}/v2")).ok()
}

fn default_host(domain: &str) -> &str {
    if domain == DOCKER { DOCKER_HOST } else { domain }
}

/// Host and port as one writes them; the port that the scheme implies is left out.
fn authority(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

/// Whether a host, which may have a port, is this machine.
fn is_local(domain: &str) -> bool {
    let host = match domain.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
        _ => domain,
    };
    let host = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}
