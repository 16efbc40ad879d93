//! Who sends a request: `server-authn`'s authenticator over the server's own views.

use std::sync::Arc;

use api_record::Record;
use api_types::core::v1::{Pod, Secret, ServiceAccount};
use api_types::object_meta;
use base::time::Clock;
use client::trail::Level;
use client::{Caller, RawView, Resource, Scope, Trail};
use http::HeaderMap;
use server_authn::authenticator::{Authenticator, Credentials, Sources};
use server_authn::bootstrap::{BootstrapSecret, BootstrapSecrets};
use server_authn::token::{BoundObjects, Found, TokenSecret};
use server_http::{Identify, Peer};
use server_local::{Local, Reviewed, TokenReviewer};

use super::token_uses::Uses;

/// The namespace of bootstrap tokens.
const BOOTSTRAP_NAMESPACE: &str = "kube-system";

/// The server's way of finding out who sends a request.
pub struct Identity {
    authenticator: Authenticator,
    accounts: RawView,
    pods: RawView,
    nodes: RawView,
    secrets: RawView,
    uses: Uses,
    clock: Arc<dyn Clock>,
}

impl Identity {
    /// An identity check that looks tokens' objects up in views of `local`'s, and tells `uses` of those that lie in Secrets.
    pub fn new(authenticator: Authenticator, local: &Local, uses: Uses, clock: Arc<dyn Clock>) -> Identity {
        let view = |plural: &'static str| local.shared_view(Scope::all(Resource::of("", "v1", plural)));
        Identity {
            authenticator,
            accounts: view("serviceaccounts"),
            pods: view("pods"),
            nodes: view("nodes"),
            secrets: view("secrets"),
            uses,
            clock,
        }
    }
}

fn find(view: &RawView, namespace: &str, name: &str) -> Option<Arc<dyn Record>> {
    view.snapshot().get(namespace, name).cloned()
}

fn found(object: &dyn Record) -> Option<Found> {
    let meta = object_meta(object)?;
    Some(Found { uid: meta.uid.clone(), deleted_at: meta.deletion_timestamp.map(Into::into) })
}

impl BoundObjects for Identity {
    fn service_account(&self, namespace: &str, name: &str) -> Option<Found> {
        found(find(&self.accounts, namespace, name)?.downcast_ref::<ServiceAccount>()?)
    }
    fn pod(&self, namespace: &str, name: &str) -> Option<Found> {
        found(find(&self.pods, namespace, name)?.downcast_ref::<Pod>()?)
    }
    fn node(&self, name: &str) -> Option<Found> {
        found(&*find(&self.nodes, "", name)?)
    }
    fn secret(&self, namespace: &str, name: &str) -> Option<Found> {
        found(&*find(&self.secrets, namespace, name)?)
    }
    fn token_secret(&self, namespace: &str, name: &str) -> Option<TokenSecret> {
        let object = find(&self.secrets, namespace, name)?;
        let secret: &Secret = object.downcast_ref()?;
        Some(TokenSecret {
            found: found(&*object)?,
            token: secret.data.get("token")?.to_vec(),
            invalid: secret.metadata.labels.contains_key("kubernetes.io/legacy-token-invalid-since"),
        })
    }
    fn names_secret(&self, namespace: &str, account: &str, secret: &str) -> bool {
        let account = find(&self.accounts, namespace, account);
        let account = account.as_deref().and_then(|account| account.downcast_ref::<ServiceAccount>());
        account.is_some_and(|account| account.secrets.iter().any(|own| own.name == secret))
    }
    fn was_shown(&self, namespace: &str, secret: &str) {
        let object = find(&self.secrets, namespace, secret);
        if let Some(secret) = object.as_deref().and_then(|object| object.downcast_ref()) {
            self.uses.note(secret, self.clock.now());
        }
    }
}

impl BootstrapSecrets for Identity {
    fn get(&self, name: &str) -> Option<BootstrapSecret> {
        let object = find(&self.secrets, BOOTSTRAP_NAMESPACE, name)?;
        let secret: &Secret = object.downcast_ref()?;
        Some(BootstrapSecret {
            kind: secret.type_.clone(),
            data: secret.data.iter().map(|(key, value)| (key.clone(), value.to_vec())).collect(),
            deleted: secret.metadata.deletion_timestamp.is_some(),
        })
    }
}

impl Identify for Identity {
    fn identify(&self, peer: &Peer, headers: &HeaderMap, path: &str) -> Option<Caller> {
        let credentials = Credentials { chain: &peer.chain, headers, path };
        let sources = Sources { objects: self, bootstrap: Some(self) };
        match self.authenticator.authenticate(credentials, sources, self.clock.now()) {
            Ok(found) => {
                let mut user = found.user;
                if !found.annotations.is_empty() {
                    user.trail = Trail::of(Level::Metadata);
                    found.annotations.into_iter().for_each(|(key, value)| user.trail.annotate(key, value));
                }
                Some(user)
            }
            Err(refused) => {
                tracing::debug!(error = %base::error::Chain(&refused), "request.unauthorized");
                None
            }
        }
    }
}

impl TokenReviewer for Identity {
    fn review(&self, token: &str, audiences: &[String]) -> Result<Reviewed, String> {
        let sources = Sources { objects: self, bootstrap: Some(self) };
        let audiences = Some(audiences).filter(|audiences| !audiences.is_empty());
        match self.authenticator.review(token, audiences, sources, self.clock.now()) {
            Ok(found) => Ok(Reviewed { caller: found.user, audiences: found.audiences }),
            Err(refused) => Err(refused.to_string()),
        }
    }
}
