//! By which bindings a policy is asked about a request, and with which parameters: the same for policies of all sorts.

use api_types::admissionregistration::v1::MatchResources;
use client::Resource;
use serde_json::Value as Json;

use super::active::{Active, Sort};
use super::{PolicyParts, params};
use crate::matching::Subject;

/// One way in which a policy is asked.
pub(super) enum Way<'a, S: Sort> {
    /// For a binding.
    For {
        /// The binding.
        binding: &'a S::Binding,
        /// The version that the object is looked at in.
        resource: Resource,
        /// A set of parameters, if there is one.
        param: Option<Json>,
    },
    /// Not at all, and why: because of a binding, or of the policy itself.
    Misconfigured(Option<&'a S::Binding>, String),
}

/// All ways in which a policy is asked, in the order of its bindings; none if it is not about the request.
pub(super) async fn ways<'a, S: Sort>(
    parts: &PolicyParts,
    active: &'a Active<S>,
    policy: &S::Policy,
    subject: &Subject<'_>,
) -> Vec<Way<'a, S>> {
    let everything = MatchResources::default();
    let resource = match subject.matches(S::constraints(policy).unwrap_or(&everything)).await {
        Ok(Some(resource)) => resource,
        Ok(None) => return Vec::new(),
        Err(status) => return vec![Way::Misconfigured(None, status.message.clone())],
    };
    let source = match params::source(&*parts.versions, S::param_kind(policy)) {
        Ok(source) => source,
        Err(why) => return vec![Way::Misconfigured(None, why)],
    };
    let mut ways = Vec::new();
    for binding in active.bindings() {
        match subject.matches(S::limits(binding).unwrap_or(&everything)).await {
            Ok(Some(_)) => {}
            Ok(None) => continue,
            Err(status) => {
                ways.push(Way::Misconfigured(Some(binding), status.message.clone()));
                continue;
            }
        }
        let wanted = source.as_ref().zip(S::param_ref(binding));
        let namespace = subject.attributes.namespace;
        match params::collect(&*parts.lookup, &*parts.versions, wanted, namespace).await {
            Ok(params) => ways.extend(params.into_iter().map(|param| Way::For {
                binding,
                resource: resource.clone(),
                param,
            })),
            Err(why) => ways.push(Way::Misconfigured(Some(binding), why)),
        }
    }
    ways
}
