//! The authorizers one after the other: the privileged group, then the node's, then RBAC.
//!
//! The server asks [`Union`] for every request and every access review. The first answer other than "no opinion" stands;
//! if there is none, the request is refused with all reasons, each under its authorizer's name, as upstream's
//! `--authorization-mode=Node,RBAC` has it.

#[cfg(test)]
mod tests;

use api_types::authorization::v1::{NonResourceRule, ResourceRule, SubjectRulesReviewStatus};

use crate::node::{Graph, node_of};
use crate::rbac::{Index, aggregate};
use crate::{Attributes, Authorize, Decision};

/// Members may do anything, whatever the policy says.
pub const PRIVILEGED_GROUP: &str = "system:masters";

const NO_NODE_RULES: &str = "node authorizer does not support user rule resolution";

/// All authorizers of a server.
#[derive(Clone, Copy)]
pub struct Union<'a> {
    /// What nodes need.
    pub node: &'a Graph,
    /// Roles and bindings.
    pub rbac: &'a Index,
}

struct PrivilegedGroup;

impl Authorize for PrivilegedGroup {
    fn authorize(&self, request: &Attributes<'_>) -> Decision {
        if request.in_group(PRIVILEGED_GROUP) { Decision::allow("") } else { Decision::no_opinion("") }
    }
}

impl Authorize for Union<'_> {
    fn authorize(&self, request: &Attributes<'_>) -> Decision {
        let chain: [(&str, &dyn Authorize); 3] = [
            ("kubernetes.io/system-privileged-group", &PrivilegedGroup),
            ("node", self.node),
            ("rbac", self.rbac),
        ];
        authorize_in_turn(&chain, request)
    }
}

/// The first decision of a chain; without any, no opinion and every reason on a line of its own.
pub fn authorize_in_turn(chain: &[(&str, &dyn Authorize)], request: &Attributes<'_>) -> Decision {
    let mut reasons = Vec::new();
    for (name, authorizer) in chain {
        match authorizer.authorize(request) {
            Decision::NoOpinion { reason } if reason.is_empty() => {}
            Decision::NoOpinion { reason } => reasons.push(format!("{name}: {reason}")),
            decided => return decided,
        }
    }
    Decision::no_opinion(reasons.join("\n"))
}

impl Union<'_> {
    /// What a user may do in a namespace, for SelfSubjectRulesReview: RBAC's rules, and for nodes the remark that there
    /// is more.
    pub fn rules_for(&self, user: &str, groups: &[String], namespace: &str) -> SubjectRulesReviewStatus {
        let held = self.rbac.rules_for(user, groups, namespace);
        let mut errors = Vec::new();
        let incomplete = node_of(&Attributes::of(user, groups)).is_some();
        if incomplete {
            errors.push(NO_NODE_RULES.to_owned());
        }
        errors.extend(held.errors.iter().map(ToString::to_string));
        let mut status = SubjectRulesReviewStatus {
            resource_rules: Vec::new().into(),
            non_resource_rules: Vec::new().into(),
            incomplete,
            evaluation_error: aggregate(&errors).unwrap_or_default(),
        };
        for rule in held.rules {
            if !rule.resources.is_empty() {
                status.resource_rules.push(ResourceRule {
                    verbs: rule.verbs.clone(),
                    api_groups: rule.api_groups,
                    resources: rule.resources,
                    resource_names: rule.resource_names,
                });
            }
            if !rule.non_resource_urls.is_empty() {
                let urls = rule.non_resource_urls;
                status
                    .non_resource_rules
                    .push(NonResourceRule { verbs: rule.verbs, non_resource_urls: urls });
            }
        }
        status
    }
}
