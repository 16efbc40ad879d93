//! Kubeconfigs, read to connect with: the cluster and the user of a context, the current one if none is named. Some lead to an API server
//! ([`read`], [`choose`]), others to whoever takes what the server sends ([`endpoint`]).
//!
//! Of several files the first that says a thing counts, as `clientcmd` merges them.
//! What needs a program or a provider of identities to log in with is refused by name.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use thiserror::Error;

use crate::access::{Access, AccessError, Certificate, Credentials};

/// Why a kubeconfig leads nowhere.
#[derive(Debug, Error)]
pub enum KubeconfigError {
    /// It cannot be read.
    #[error("{path} cannot be read", path = path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// It is no kubeconfig.
    #[error("{path} is no kubeconfig", path = path.display())]
    Form {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: Box<serde_saphyr::Error>,
    },
    /// A name leads nowhere.
    #[error("the kubeconfig has no {what} named {name:?}")]
    Missing {
        /// A context, cluster or user.
        what: &'static str,
        /// Its name.
        name: String,
    },
    /// A field holds no base64.
    #[error("the kubeconfig's {0} is no base64 of text")]
    Encoding(&'static str),
    /// A field that is not honoured here.
    #[error("the kubeconfig's {0} is not supported: use a client certificate, a token or a token file")]
    Unsupported(&'static str),
    /// The cluster has no certificate authority.
    #[error(
        "the kubeconfig's cluster has no certificate-authority: without one nobody vouches for the server"
    )]
    NoAuthority,
    /// What it says is not usable.
    #[error(transparent)]
    Access(#[from] AccessError),
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Config {
    #[serde(default)]
    clusters: Vec<NamedCluster>,
    #[serde(default)]
    users: Vec<NamedUser>,
    #[serde(default)]
    contexts: Vec<NamedContext>,
    #[serde(default)]
    current_context: String,
}

#[derive(Deserialize)]
struct NamedCluster {
    name: String,
    cluster: Cluster,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Cluster {
    server: String,
    certificate_authority: Option<PathBuf>,
    certificate_authority_data: Option<String>,
    #[serde(default)]
    insecure_skip_tls_verify: bool,
    proxy_url: Option<String>,
    tls_server_name: Option<String>,
}

#[derive(Deserialize)]
struct NamedUser {
    name: String,
    user: User,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct User {
    client_certificate: Option<PathBuf>,
    client_certificate_data: Option<String>,
    client_key: Option<PathBuf>,
    client_key_data: Option<String>,
    token: Option<String>,
    #[serde(rename = "tokenFile")]
    token_file: Option<PathBuf>,
    username: Option<String>,
    #[serde(default)]
    password: String,
    exec: Option<serde::de::IgnoredAny>,
    auth_provider: Option<serde::de::IgnoredAny>,
}

#[derive(Deserialize)]
struct NamedContext {
    name: String,
    context: Context,
}

#[derive(Deserialize)]
struct Context {
    cluster: String,
    #[serde(default)]
    user: String,
    #[serde(default)]
    namespace: String,
}

/// What a context leads to.
#[derive(Clone)]
pub struct Chosen {
    /// How the cluster is reached, and as whom.
    pub access: Access,
    /// The namespace that is meant where none is named.
    pub namespace: String,
}

/// Where a file leads to, who has to be there, and what proves there who asks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Endpoint {
    /// `https://HOST[:PORT][/PATH]`, or `http://` where nobody needs to listen in.
    pub server: String,
    /// The certificates, in PEM, that vouch for the server; those of the machine, if there are none.
    pub authority_pem: Option<String>,
    /// Whether nobody has to vouch for it.
    pub insecure: bool,
    /// Its name, where that is not the host's.
    pub server_name: Option<String>,
    /// A client certificate and its key, in PEM.
    pub certificate: Option<(String, String)>,
    /// A token, sent with each request.
    pub token: Option<String>,
    /// A name and a password, sent with each request.
    pub password: Option<(String, String)>,
}

/// The access that a file gives to an API server. Files that it names are looked for beside it.
///
/// # Errors
/// When it cannot be read or used; see [`KubeconfigError`].
pub fn read(path: &Path) -> Result<Access, KubeconfigError> {
    Ok(choose(&[path.to_owned()], None)?.access)
}

/// What a context of these files leads to, or their current context. Files that are not there are passed over if another is.
///
/// # Errors
/// When none can be read, or what is chosen cannot be used; see [`KubeconfigError`].
pub fn choose(paths: &[PathBuf], context: Option<&str>) -> Result<Chosen, KubeconfigError> {
    let merged = Merged::read(paths)?;
    let context = merged.context(context)?;
    let namespace = if context.namespace.is_empty() { "default" } else { &context.namespace };
    let access = merged.endpoint(context)?.access()?;
    Ok(Chosen { access, namespace: namespace.to_owned() })
}

/// Where a file leads to, whatever is there. Files that it names are looked for beside it.
///
/// # Errors
/// When it cannot be read; see [`KubeconfigError`].
pub fn endpoint(path: &Path) -> Result<Endpoint, KubeconfigError> {
    let merged = Merged::read(&[path.to_owned()])?;
    merged.endpoint(merged.context(None)?)
}

impl Endpoint {
    /// The access to it, if it is an API server.
    fn access(self) -> Result<Access, KubeconfigError> {
        for (given, name) in
            [(self.server_name.is_some(), "tls-server-name"), (self.password.is_some(), "username")]
        {
            if given {
                return Err(KubeconfigError::Unsupported(name));
            }
        }
        let credentials = match (self.certificate, self.token) {
            (Some((certificate, key)), _) => {
                Credentials::Certificate(Arc::new(Certificate::from_pem(&certificate, &key)?))
            }
            (None, Some(token)) => Credentials::Token(token),
            (None, None) => Credentials::None,
        };
        let authority = self.authority_pem.ok_or(KubeconfigError::NoAuthority)?;
        Ok(Access::new(&self.server, &authority, credentials))
    }
}

/// Several files as one; clusters and users with the folder that their own files are in.
#[derive(Default)]
struct Merged {
    clusters: Vec<(PathBuf, NamedCluster)>,
    users: Vec<(PathBuf, NamedUser)>,
    contexts: Vec<NamedContext>,
    current_context: String,
}

impl Merged {
    fn read(paths: &[PathBuf]) -> Result<Merged, KubeconfigError> {
        let mut merged = Merged::default();
        let mut absent = None;
        let mut found = false;
        for path in paths {
            let text = match text(path) {
                Err(error) if is_absent(&error) => {
                    absent.get_or_insert(error);
                    continue;
                }
                text => text?,
            };
            found = true;
            merged.take_in(path, &text)?;
        }
        match absent {
            Some(error) if !found => Err(error),
            _ => Ok(merged),
        }
    }

    fn take_in(&mut self, path: &Path, text: &str) -> Result<(), KubeconfigError> {
        let form = |source| KubeconfigError::Form { path: path.to_owned(), source: Box::new(source) };
        let config: Config = serde_saphyr::from_str(text).map_err(form)?;
        let folder = path.parent().unwrap_or(Path::new("."));
        self.clusters.extend(config.clusters.into_iter().map(|cluster| (folder.to_owned(), cluster)));
        self.users.extend(config.users.into_iter().map(|user| (folder.to_owned(), user)));
        self.contexts.extend(config.contexts);
        if self.current_context.is_empty() {
            self.current_context = config.current_context;
        }
        Ok(())
    }

    /// The context of this name, or the current one.
    fn context(&self, name: Option<&str>) -> Result<&Context, KubeconfigError> {
        let wanted = name.unwrap_or(&self.current_context);
        let context = self.contexts.iter().find(|context| context.name == *wanted);
        Ok(&context.ok_or_else(|| missing("context", wanted))?.context)
    }

    fn endpoint(&self, context: &Context) -> Result<Endpoint, KubeconfigError> {
        let cluster = self.clusters.iter().find(|(_, cluster)| cluster.name == context.cluster);
        let (beside, NamedCluster { cluster, .. }) =
            cluster.ok_or_else(|| missing("cluster", &context.cluster))?;
        let user = self.users.iter().find(|(_, user)| user.name == context.user);
        let (beside_user, NamedUser { user, .. }) = user.ok_or_else(|| missing("user", &context.user))?;
        refuse(cluster, user)?;
        let authority_pem = one(
            beside,
            &cluster.certificate_authority_data,
            &cluster.certificate_authority,
            "certificate-authority-data",
        )?;
        let certificate = one(
            beside_user,
            &user.client_certificate_data,
            &user.client_certificate,
            "client-certificate-data",
        )?;
        let key = one(beside_user, &user.client_key_data, &user.client_key, "client-key-data")?;
        let token = match (&user.token, &user.token_file) {
            (Some(token), _) => Some(token.clone()),
            (None, Some(file)) => Some(text(&beside_user.join(file))?.trim().to_owned()),
            (None, None) => None,
        };
        Ok(Endpoint {
            server: cluster.server.clone(),
            authority_pem,
            insecure: cluster.insecure_skip_tls_verify,
            server_name: cluster.tls_server_name.clone(),
            certificate: certificate.zip(key),
            token,
            password: user.username.clone().map(|name| (name, user.password.clone())),
        })
    }
}

fn missing(what: &'static str, name: &str) -> KubeconfigError {
    KubeconfigError::Missing { what, name: name.to_owned() }
}

fn is_absent(error: &KubeconfigError) -> bool {
    matches!(error, KubeconfigError::Read { source, .. } if source.kind() == std::io::ErrorKind::NotFound)
}

/// What is not honoured is refused.
fn refuse(cluster: &Cluster, user: &User) -> Result<(), KubeconfigError> {
    for (given, name) in [
        (cluster.proxy_url.is_some(), "proxy-url"),
        (user.exec.is_some(), "exec"),
        (user.auth_provider.is_some(), "auth-provider"),
    ] {
        if given {
            return Err(KubeconfigError::Unsupported(name));
        }
    }
    Ok(())
}

/// What is given in the file itself, or else in another beside it.
fn one(
    folder: &Path,
    data: &Option<String>,
    file: &Option<PathBuf>,
    name: &'static str,
) -> Result<Option<String>, KubeconfigError> {
    match (data, file) {
        (Some(data), _) => decoded(data, name).map(Some),
        (None, Some(file)) => text(&folder.join(file)).map(Some),
        (None, None) => Ok(None),
    }
}

fn text(path: &Path) -> Result<String, KubeconfigError> {
    std::fs::read_to_string(path).map_err(|source| KubeconfigError::Read { path: path.to_owned(), source })
}

fn decoded(data: &str, name: &'static str) -> Result<String, KubeconfigError> {
    let bytes = STANDARD.decode(data.trim()).map_err(|_| KubeconfigError::Encoding(name))?;
    String::from_utf8(bytes).map_err(|_| KubeconfigError::Encoding(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_text(text: &str) -> Result<Access, KubeconfigError> {
        let folder = tempfile::tempdir().expect("a temporary directory");
        std::fs::write(folder.path().join("token"), "from-a-file\n").expect("it can be written");
        let path = folder.path().join("config");
        std::fs::write(&path, text).expect("it can be written");
        read(&path)
    }

    fn config(cluster: &str, user: &str) -> String {
        format!(
            "apiVersion: v1\nkind: Config\ncurrent-context: c\n\
             contexts: [{{name: c, context: {{cluster: k, user: u, namespace: shop}}}}]\n\
             clusters: [{{name: k, cluster: {{server: 'https://192.0.2.1:6443'{cluster}}}}}]\n\
             users: [{{name: u, user: {{{user}}}}}]\n"
        )
    }

    /// "authority" in base64.
    const AUTHORITY: &str = ", certificate-authority-data: YXV0aG9yaXR5";

    #[test]
    fn the_current_contexts_cluster_and_user_count() {
        let access = read_text(&config(AUTHORITY, "token: abc")).expect("it leads somewhere");
        assert_eq!(
            (access.server.as_str(), access.authority_pem.as_str()),
            ("https://192.0.2.1:6443", "authority")
        );
        assert!(matches!(access.credentials, Credentials::Token(token) if token == "abc"));
        let access = read_text(&config(AUTHORITY, "tokenFile: token")).expect("it leads somewhere");
        assert!(matches!(access.credentials, Credentials::Token(token) if token == "from-a-file"));
    }

    #[test]
    fn of_several_files_the_first_that_says_a_thing_counts() {
        let folder = tempfile::tempdir().expect("a temporary directory");
        let path = |name: &str| folder.path().join(name);
        let other =
            config(AUTHORITY, "token: second").replace("name: c,", "name: d,").replace("shop", "depot");
        std::fs::write(path("one"), config(AUTHORITY, "token: first")).expect("it can be written");
        std::fs::write(path("two"), other).expect("it can be written");
        let paths = [path("absent"), path("one"), path("two")];
        for (context, namespace) in [(None, "shop"), (Some("d"), "depot")] {
            let chosen = choose(&paths, context).expect("it leads somewhere");
            assert_eq!(chosen.namespace, namespace);
            assert!(matches!(chosen.access.credentials, Credentials::Token(token) if token == "first"));
        }
        assert!(matches!(choose(&paths, Some("e")), Err(KubeconfigError::Missing { what: "context", .. })));
        assert!(matches!(choose(&paths[..1], None), Err(KubeconfigError::Read { .. })));
    }

    #[test]
    fn an_endpoint_may_be_in_the_open_and_know_a_name_and_a_password() {
        let folder = tempfile::tempdir().expect("a temporary directory");
        let path = folder.path().join("config");
        let text = config(", insecure-skip-tls-verify: true", "username: jane, password: secret");
        let text = text.replace("https://192.0.2.1:6443", "http://192.0.2.1/audit");
        std::fs::write(&path, text).expect("it can be written");
        let wanted = Endpoint {
            server: "http://192.0.2.1/audit".to_owned(),
            insecure: true,
            password: Some(("jane".to_owned(), "secret".to_owned())),
            ..Endpoint::default()
        };
        assert_eq!(endpoint(&path).expect("it leads somewhere"), wanted);
    }

    #[test]
    fn what_leads_nowhere_is_said() {
        for (text, wanted) in [
            (config("", "token: a"), "has no certificate-authority"),
            (config(AUTHORITY, "exec: {command: login}"), "exec is not supported"),
            (config(AUTHORITY, "username: jane"), "username is not supported"),
            (config(", certificate-authority-data: '?'", ""), "is no base64"),
            (config(AUTHORITY, "tokenFile: missing"), "missing cannot be read"),
            (config(AUTHORITY, "").replace("cluster: k,", "cluster: other,"), "no cluster named \"other\""),
            ("[]".to_owned(), "is no kubeconfig"),
        ] {
            let error = read_text(&text).err().expect("it leads nowhere").to_string();
            assert!(error.contains(wanted), "{error}");
        }
    }
}
