//! Tokens for service accounts, signed with the cluster's key.

use std::sync::Arc;

use api_meta::Status;
use api_meta::field::{ErrorList, FieldError, Path};
use api_meta::gvk::GroupKind;
use api_types::authentication::v1::{BoundObjectReference, TokenRequest};
use api_types::core::v1::{Pod, ServiceAccount};
use api_types::object_meta;
use base::random::Random;
use base::time::Clock;
use client::{BoxFuture, Caller};
use server_authn::token::claims::Ref;
use server_authn::token::issue::{self, Bound, Issuer};
use server_local::{Direct, TokenIssuer};

/// The seconds that a token is good for if its request does not say: upstream's default.
const DEFAULT_SECONDS: i64 = 3600;

/// Issues tokens.
pub struct Tokens {
    issuer: Issuer,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
}

impl Tokens {
    /// Issues tokens with `issuer`'s key.
    pub fn new(issuer: Issuer, clock: Arc<dyn Clock>, random: Arc<dyn Random>) -> Tokens {
        Tokens { issuer, clock, random }
    }

    async fn answer(
        &self,
        direct: &Direct,
        account: &ServiceAccount,
        mut request: TokenRequest,
    ) -> Result<TokenRequest, Status> {
        let seconds = request.spec.expiration_seconds.unwrap_or(DEFAULT_SECONDS);
        if let Err(error) = issue::check_expiration(seconds) {
            let path = Path::new("spec").child("expirationSeconds");
            let mut errors = ErrorList::new();
            errors.push(FieldError::invalid(&path, seconds, error.to_string()));
            let kind = GroupKind { group: "authentication.k8s.io", kind: "TokenRequest" };
            return Err(Status::invalid(kind, &account.metadata.name, &errors));
        }
        let bound = match request.spec.bound_object_ref.as_deref() {
            None => None,
            Some(reference) => Some(bound(direct, account, reference).await?),
        };
        let wanted = issue::TokenRequest {
            namespace: account.metadata.namespace.clone(),
            service_account: Ref::new(&account.metadata.name, &account.metadata.uid),
            audiences: request.spec.audiences.to_vec(),
            expiration_seconds: seconds,
            bound,
        };
        let issued = self
            .issuer
            .issue(&wanted, self.clock.now(), &*self.random)
            .map_err(|error| Status::internal_error(format!("failed to generate token: {error}")))?;
        request.spec.audiences = issued.audiences.into();
        request.spec.expiration_seconds = Some(issued.expiration_seconds);
        request.metadata.name.clone_from(&account.metadata.name);
        request.metadata.namespace.clone_from(&account.metadata.namespace);
        request.metadata.creation_timestamp = Some(self.clock.now().into());
        request.status.token = issued.token;
        request.status.expiration_timestamp = Some(issued.expiration.into());
        Ok(request)
    }
}

/// What the token is to be bound to, which must exist and belong to the account.
async fn bound(
    direct: &Direct,
    account: &ServiceAccount,
    reference: &BoundObjectReference,
) -> Result<Bound, Status> {
    let namespace = &account.metadata.namespace;
    let (plural, name) = match (reference.api_version.as_str(), reference.kind.as_str()) {
        ("v1", "Pod") => ("pods", &reference.name),
        ("v1", "Secret") => ("secrets", &reference.name),
        ("v1", "Node") => ("nodes", &reference.name),
        (version, kind) => {
            return Err(Status::bad_request(format!(
                "cannot bind token for serviceaccount \"{}\" to an object of {version} {kind}",
                account.metadata.name
            )));
        }
    };
    let registry = direct.registry();
    let served = registry.catalog().find("", "v1", plural);
    let served = served.ok_or_else(|| Status::internal_error(format!("{plural} are not served")))?;
    let object = registry.get_hub(served, namespace, name).await?;
    let uid = object_meta(&*object).map(|meta| meta.uid.clone()).unwrap_or_default();
    if !reference.uid.is_empty() && reference.uid != uid {
        let why = format!(
            "the UID in the bound object reference ({}) does not match the UID in record. The object might have been deleted and then recreated",
            reference.uid
        );
        return Err(Status::conflict(served.group_resource(), name, why));
    }
    Ok(match plural {
        "pods" => {
            let pod: &Pod =
                object.downcast_ref().ok_or_else(|| Status::internal_error("a pod of another type"))?;
            if pod.spec.service_account_name != account.metadata.name {
                return Err(Status::bad_request(format!(
                    "cannot bind token for serviceaccount \"{}\" to pod running with different serviceaccount name.",
                    account.metadata.name
                )));
            }
            let node = Some(&pod.spec.node_name).filter(|node| !node.is_empty());
            let node = match node {
                None => None,
                Some(node) => Some(Ref::new(node, &node_uid(direct, node).await)),
            };
            Bound::Pod { pod: Ref::new(name, &uid), node }
        }
        "secrets" => Bound::Secret(Ref::new(name, &uid)),
        _ => Bound::Node(Ref::new(name, &uid)),
    })
}

/// A node's uid, empty if it cannot be found.
async fn node_uid(direct: &Direct, name: &str) -> String {
    let registry = direct.registry();
    let Some(served) = registry.catalog().find("", "v1", "nodes") else { return String::new() };
    match registry.get_hub(served, "", name).await {
        Ok(node) => object_meta(&*node).map(|meta| meta.uid.clone()).unwrap_or_default(),
        Err(_) => String::new(),
    }
}

impl TokenIssuer for Tokens {
    fn issue<'a>(
        &'a self,
        direct: &'a Direct,
        _: &'a Caller,
        account: &'a ServiceAccount,
        request: TokenRequest,
    ) -> BoxFuture<'a, Result<TokenRequest, Status>> {
        Box::pin(self.answer(direct, account, request))
    }
}
