//! Who writes a policy with parameters, or binds one to them, must be allowed to read them: a policy shows what they hold.
//! (`pkg/registry/admissionregistration/*/authz.go`.)
//!
//! Upstream asks this at the end of validation, of objects that are well-formed; here it is the first of what may refuse them.

#[cfg(test)]
mod tests;

use std::fmt::Display;
use std::sync::Arc;

use api_meta::Status;
use api_meta::field::{ErrorList, FieldError, Path};
use api_meta::gvk::GroupKind;
use api_record::Record;
use api_types::admissionregistration::v1::{
    MutatingAdmissionPolicy, MutatingAdmissionPolicyBinding, ParamKind, ParamRef, ValidatingAdmissionPolicy,
    ValidatingAdmissionPolicyBinding,
};
use client::{BoxFuture, Caller};
use server_authz::union::PRIVILEGED_GROUP;
use server_registry::admit::{Attributes, Operation};

use crate::versions::Kind;
use crate::{Authorizer, Lookup, MUTATING_POLICIES, POLICIES, Plugin, Versions};

/// Refuses policies and bindings whose writers may not read the parameters.
pub struct ParamRights {
    lookup: Arc<dyn Lookup>,
    versions: Arc<dyn Versions>,
    authorizer: Authorizer,
}

/// What of an object says which parameters are read.
enum Reads<'a> {
    /// A policy's objects of a kind.
    Policy(&'a ParamKind),
    /// A binding's objects, of the kind that its policy says.
    Binding { policy: &'a str, params: &'a ParamRef },
}

/// What must be allowed to whoever writes it.
struct Right<'a> {
    verb: &'static str,
    name: &'a str,
    namespace: &'a str,
    group: &'a str,
    version: &'a str,
    resource: &'a str,
}

/// Where parameters are; `*` for what is not known, which takes the right to read everything.
struct Place {
    group: String,
    version: String,
    resource: String,
    /// Why it is not known.
    unknown: Option<Unknown>,
}

enum Unknown {
    Policy,
    Version(String),
    Kind(String),
}

impl ParamRights {
    /// Looks policies up with `lookup`, and resources of kinds with `versions`.
    pub fn new(lookup: Arc<dyn Lookup>, versions: Arc<dyn Versions>, authorizer: Authorizer) -> ParamRights {
        ParamRights { lookup, versions, authorizer }
    }

    fn may(&self, caller: &Caller, right: &Right<'_>) -> bool {
        let asked = server_authz::Attributes::of(&caller.name, &caller.groups);
        let asked = asked.on(right.verb, right.group, right.resource);
        (self.authorizer)(&server_authz::Attributes {
            uid: &caller.uid,
            extra: &caller.extra,
            api_version: right.version,
            name: right.name,
            namespace: right.namespace,
            ..asked
        })
    }

    fn place(&self, kind: &ParamKind) -> Place {
        let mut place = Place::unknown(None);
        let (group, version) = kind.api_version.split_once('/').unwrap_or(("", &kind.api_version));
        if version.contains('/') {
            place.unknown = Some(Unknown::Version(format!("&{{{} {}}}", kind.api_version, kind.kind)));
            return place;
        }
        (place.group, place.version) = (group.to_owned(), version.to_owned());
        let of = Kind { group: group.to_owned(), version: version.to_owned(), kind: kind.kind.clone() };
        match self.versions.resource(&of) {
            Some((resource, _)) => place.resource = resource.plural.into_owned(),
            None => place.unknown = Some(Unknown::Kind(format!("&{{{} {}}}", kind.api_version, kind.kind))),
        }
        place
    }

    /// Why a policy must not be written.
    fn policy(&self, caller: &Caller, kind: &ParamKind) -> Result<(), String> {
        let Place { group, version, resource, .. } = &self.place(kind);
        let right = Right { verb: "get", name: "*", namespace: "*", group, version, resource };
        if self.may(caller, &right) {
            return Ok(());
        }
        Err(format!(
            "user {} must have \"get\" permission on all objects of the referenced paramKind (kind={}, apiVersion={})",
            shown(caller),
            kind.kind,
            kind.api_version
        ))
    }

    /// Why a binding must not be written.
    async fn binding(
        &self,
        caller: &Caller,
        mutates: bool,
        policy: &str,
        params: &ParamRef,
    ) -> Result<(), String> {
        let policies = if mutates { MUTATING_POLICIES } else { POLICIES };
        let place = match self.lookup.get(&policies, "", policy).await {
            Ok(found) => kind_of(&*found).map_or(Place::unknown(None), |kind| self.place(kind)),
            Err(_) => Place::unknown(Some(Unknown::Policy)),
        };
        let Place { group, version, resource, unknown } = &place;
        let verb = if params.name.is_empty() { "list" } else { "get" };
        let (name, namespace) = (params.name.as_str(), params.namespace.as_str());
        if self.may(caller, &Right { verb, name, namespace, group, version, resource }) {
            return Ok(());
        }
        let user = shown(caller);
        let everything = |what: &dyn Display| {
            format!(
                "unable to {what} to determine minimum required permissions and user {user} does not have \"{verb}\" \
                 permission for all groups, versions and resources"
            )
        };
        Err(match unknown {
            Some(Unknown::Policy) => everything(&format_args!("get policy {policy}")),
            Some(Unknown::Version(kind)) => everything(&format_args!("parse paramKind {kind}")),
            Some(Unknown::Kind(kind)) => everything(&format_args!("resolve paramKind {kind}")),
            // Upstream swaps the two here for those that mutate.
            None if mutates => format!(
                "user {verb} does not have \"{user}\" permission on the object referenced by paramRef"
            ),
            None => format!(
                "user {user} does not have \"{verb}\" permission on the object referenced by paramRef"
            ),
        })
    }

    async fn check(
        &self,
        caller: &Caller,
        object: &dyn Record,
        old: Option<&dyn Record>,
    ) -> Option<FieldError> {
        let reads = reads(object)?;
        // Upstream compares pointers of a binding's parameters, which are never the same: bindings are always asked about.
        let same = matches!(reads, Reads::Policy(kind) if old.and_then(kind_of) == Some(kind));
        if same || caller.is_in(PRIVILEGED_GROUP) {
            return None;
        }
        let (field, refused) = match reads {
            Reads::Policy(kind) => ("paramKind", self.policy(caller, kind)),
            Reads::Binding { policy, params } => {
                let mutates = object.downcast_ref::<MutatingAdmissionPolicyBinding>().is_some();
                ("paramRef", self.binding(caller, mutates, policy, params).await)
            }
        };
        refused.err().map(|why| FieldError::forbidden(&Path::new("spec").child(field), why))
    }
}

impl Place {
    fn unknown(why: Option<Unknown>) -> Place {
        let any = || "*".to_owned();
        Place { group: any(), version: any(), resource: any(), unknown: why }
    }
}

fn kind_of(policy: &dyn Record) -> Option<&ParamKind> {
    if let Some(policy) = policy.downcast_ref::<ValidatingAdmissionPolicy>() {
        return policy.spec.param_kind.as_deref();
    }
    policy.downcast_ref::<MutatingAdmissionPolicy>()?.spec.param_kind.as_deref()
}

/// What an object reads; nothing for a policy or a binding without parameters, and for everything else.
fn reads(object: &dyn Record) -> Option<Reads<'_>> {
    if let Some(kind) = kind_of(object) {
        return Some(Reads::Policy(kind));
    }
    let (policy, params) = if let Some(binding) = object.downcast_ref::<ValidatingAdmissionPolicyBinding>() {
        (&binding.spec.policy_name, &binding.spec.param_ref)
    } else {
        let binding = object.downcast_ref::<MutatingAdmissionPolicyBinding>()?;
        (&binding.spec.policy_name, &binding.spec.param_ref)
    };
    params.as_deref().map(|params| Reads::Binding { policy, params })
}

/// A user as Go shows the structure: name, uid, groups and what else is known.
fn shown(caller: &Caller) -> String {
    fn list(all: &[String]) -> String {
        format!("[{}]", all.join(" "))
    }
    let extra: Vec<String> =
        caller.extra.iter().map(|(key, values)| format!("{key}:{}", list(values))).collect();
    format!("&{{{} {} {} map[{}]}}", caller.name, caller.uid, list(&caller.groups), extra.join(" "))
}

impl Plugin for ParamRights {
    fn validate<'a>(
        &'a self,
        attributes: &'a Attributes<'a>,
        object: Option<&'a dyn Record>,
        old: Option<&'a dyn Record>,
    ) -> BoxFuture<'a, Result<(), Status>> {
        Box::pin(async move {
            let written = matches!(attributes.operation, Operation::Create | Operation::Update);
            let Some(object) = object.filter(|_| written && attributes.subresource.is_empty()) else {
                return Ok(());
            };
            let Some(error) = self.check(attributes.caller, object, old).await else { return Ok(()) };
            let of = self.versions.kind(&attributes.resource, "").unwrap_or_default();
            let mut errors = ErrorList::new();
            errors.push(error);
            let kind = GroupKind { group: &of.group, kind: &of.kind };
            Err(Status::invalid(kind, attributes.name, &errors))
        })
    }
}
