//! Secrets of type `kubernetes.io/service-account-token` are filled with a token of their account, and go when it goes.
//!
//! Upstream: `pkg/controller/serviceaccount/tokens_controller.go`. It acts as the controller manager itself, as upstream's does: no account
//! could hold the permission to make tokens of all others.

#[cfg(test)]
mod tests;

use std::sync::Arc;

use api_meta::Status;
use api_types::core::v1::{Secret, ServiceAccount};
use base::time::Time;
use client::reconcile::{Controller, Guard, Plan, Wires, World, Write, resource_of};
use client::{Caller, Target};

/// The type of such Secrets.
pub(super) const TYPE: &str = "kubernetes.io/service-account-token";
/// On a Secret: whose token it holds.
pub(super) const ACCOUNT: &str = "kubernetes.io/service-account.name";
/// On a Secret: the uid of that account.
pub(super) const ACCOUNT_UID: &str = "kubernetes.io/service-account.uid";

const TOKEN: &str = "token";
const CA: &str = "ca.crt";
const NAMESPACE: &str = "namespace";

/// Who signs the tokens that lie in Secrets.
pub trait TokenSigner: Send + Sync {
    /// A token without an end for an account, which counts as long as the Secret holds it.
    ///
    /// # Errors
    /// Why none can be made.
    fn sign(&self, account: &ServiceAccount, secret: &str) -> Result<String, String>;
}

/// Fills such Secrets.
pub struct AccountTokens {
    signer: Arc<dyn TokenSigner>,
    root_ca: Vec<u8>,
}

/// A Secret, and whose it is: when it has gone, its account is to name it no more.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key {
    /// The namespace of both.
    pub namespace: String,
    /// The Secret's name.
    pub secret: String,
    /// The account's name.
    pub account: String,
    /// The account's uid, if the Secret says it.
    pub uid: String,
}

impl AccountTokens {
    /// Tokens of this signer, beside the certificates, in PEM, by which the API server is known.
    pub fn new(signer: Arc<dyn TokenSigner>, root_ca: &str) -> AccountTokens {
        AccountTokens { signer, root_ca: root_ca.as_bytes().to_vec() }
    }
}

impl Controller for AccountTokens {
    const NAME: &'static str = "serviceaccount-token-controller";
    type Key = Key;

    fn wire(&self, wires: &mut Wires<Key>) {
        wires.maps::<Secret>(|secret, _| of(secret).into_iter().collect());
        wires.maps::<ServiceAccount>(|account, world| {
            let (namespace, name) = (&account.metadata.namespace, &account.metadata.name);
            let typed = world.with_text::<Secret>(&["type"], |type_| type_ == TYPE);
            let own = typed.filter(|secret| secret.metadata.namespace == *namespace);
            own.filter_map(of).filter(|key| key.account == *name).collect()
        });
    }

    fn plan(&self, key: &Key, world: &World, _: Time) -> Plan {
        let mut plan = Plan::default();
        let account = world.get::<ServiceAccount>(&key.namespace, &key.account);
        let account = account.filter(|own| key.uid.is_empty() || own.metadata.uid == key.uid);
        let secret = world.get::<Secret>(&key.namespace, &key.secret);
        match (secret.filter(|own| of(own).as_ref() == Some(key)), account) {
            // Another key is about what is there by that name now.
            (None, _) if secret.is_some_and(|own| own.type_ == TYPE) => {}
            (None, account) => {
                plan.stage(account.and_then(|account| without(account, key)));
            }
            (Some(secret), None) => {
                let gone =
                    Guard::Absent(target::<ServiceAccount>(&key.namespace, &key.account), key.uid.clone());
                plan.stage([Write::delete(secret).guarded(gone)]);
            }
            (Some(secret), Some(account)) => match self.filled(secret, account) {
                Ok(filled) => {
                    plan.stage(filled.map(Write::update));
                }
                Err(why) => plan.failure = Some(Status::internal_error(why)),
            },
        }
        plan
    }

    fn caller(&self) -> Caller {
        self.reader()
    }
}

impl AccountTokens {
    /// The Secret with all that it should hold; `None` if it holds it.
    fn filled(&self, secret: &Secret, account: &ServiceAccount) -> Result<Option<Secret>, String> {
        let is_empty = |entry: &str| secret.data.get(entry).is_none_or(|data| data.is_empty());
        let mut filled = secret.clone();
        if !self.root_ca.is_empty() && secret.data.get(CA).is_none_or(|data| data[..] != self.root_ca[..]) {
            filled.data.insert(CA.to_owned(), self.root_ca.clone().into());
        }
        if is_empty(NAMESPACE) {
            let namespace = secret.metadata.namespace.as_bytes().to_vec();
            filled.data.insert(NAMESPACE.to_owned(), namespace.into());
        }
        if is_empty(TOKEN) {
            let token = self.signer.sign(account, &secret.metadata.name)?;
            filled.data.insert(TOKEN.to_owned(), token.into_bytes().into());
        }
        if filled.data == secret.data {
            return Ok(None);
        }
        let annotations = &mut filled.metadata.annotations;
        annotations.insert(ACCOUNT.to_owned(), account.metadata.name.clone());
        annotations.insert(ACCOUNT_UID.to_owned(), account.metadata.uid.clone());
        Ok(Some(filled))
    }
}

fn of(secret: &Secret) -> Option<Key> {
    let meta = &secret.metadata;
    let annotation = |key: &str| meta.annotations.get(key).cloned().unwrap_or_default();
    (secret.type_ == TYPE).then(|| Key {
        namespace: meta.namespace.clone(),
        secret: meta.name.clone(),
        account: annotation(ACCOUNT),
        uid: annotation(ACCOUNT_UID),
    })
}

/// The account without the Secret that has gone, by a consistent read.
fn without(account: &ServiceAccount, key: &Key) -> Option<Write> {
    let mut changed = account.clone();
    changed.secrets.retain(|own| own.name != key.secret);
    let gone = Guard::Absent(target::<Secret>(&key.namespace, &key.secret), String::new());
    (changed.secrets.len() < account.secrets.len()).then(|| Write::update(changed).guarded(gone))
}

fn target<T: api_record::Typed>(namespace: &str, name: &str) -> Target {
    Target {
        resource: resource_of::<T>().clone(),
        namespace: namespace.to_owned(),
        name: name.to_owned(),
        subresource: String::new(),
    }
}
