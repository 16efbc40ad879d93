//! The authorizer as expressions ask it: on behalf of the request's caller, or of a service account.

use std::collections::BTreeMap;

use api_cel::{Authorize, Check, Decision};
use client::Caller;
use server_registry::admit::Attributes;

use crate::Authorizer;

/// Asks for a caller.
pub(super) struct Asking {
    pub(super) authorizer: Authorizer,
    pub(super) caller: Caller,
}

impl Authorize for Asking {
    fn decide(&self, check: &Check) -> Decision {
        let account = check.service_account.as_ref().map(|(namespace, name)| {
            let user = format!("system:serviceaccount:{namespace}:{name}");
            let groups = ["system:serviceaccounts".to_owned(), format!("system:serviceaccounts:{namespace}")];
            (user, Vec::from(groups))
        });
        let (user, groups) = match &account {
            Some((user, groups)) => (user, groups),
            None => (&self.caller.name, &self.caller.groups),
        };
        let none = BTreeMap::new();
        let asked = server_authz::Attributes::of(user, groups);
        let asked = match &check.path {
            Some(path) => server_authz::Attributes {
                path,
                verb: &check.verb,
                is_resource_request: false,
                extra: &none,
                ..asked
            },
            None => server_authz::Attributes {
                verb: &check.verb,
                is_resource_request: true,
                api_group: &check.group,
                api_version: "*",
                resource: &check.resource,
                subresource: &check.subresource,
                namespace: &check.namespace,
                name: &check.name,
                extra: &none,
                ..asked
            },
        };
        Decision { allowed: (self.authorizer)(&asked), reason: String::new(), error: None }
    }
}

/// What `authorizer.requestResource` has said already.
pub(super) fn own(attributes: &Attributes<'_>) -> Check {
    Check {
        group: attributes.resource.group.to_string(),
        resource: attributes.resource.plural.to_string(),
        subresource: attributes.subresource.to_owned(),
        namespace: attributes.namespace.to_owned(),
        name: attributes.name.to_owned(),
        ..Check::default()
    }
}
