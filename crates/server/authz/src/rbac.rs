//! Role-based access control: who is granted what by roles and bindings.
//!
//! The server keeps one [`Index`] up to date from its view of the four kinds and publishes clones of it; a clone costs
//! nothing and never changes, so requests read without a lock. The registry asks [`escalation`] before it stores a role
//! or a binding.

pub mod escalation;

mod compact;
mod cover;
mod grants;
mod index;
mod rule;

#[cfg(test)]
mod tests;

use std::ops::ControlFlow;

use api_types::rbac::v1::PolicyRule;

pub use cover::covers;
pub use grants::{Grant, Grants, RoleError};
pub use index::Index;
pub use rule::{rule_allows, rules_allow};

use crate::{Attributes, Authorize, Decision};

impl Authorize for Index {
    fn authorize(&self, request: &Attributes<'_>) -> Decision {
        let mut errors = Vec::new();
        let found = self.grants(request.user, request.groups, request.namespace).try_for_each(|grant| {
            match grant {
                Ok(grant) if rules_allow(request, grant.rules) => {
                    return ControlFlow::Break(format!("RBAC: allowed by {grant}"));
                }
                Ok(_) => {}
                Err(error) => errors.push(error.to_string()),
            }
            ControlFlow::Continue(())
        });
        match found {
            ControlFlow::Break(reason) => Decision::Allow { reason },
            ControlFlow::Continue(()) => Decision::no_opinion(
                aggregate(&errors).map_or(String::new(), |errors| format!("RBAC: {errors}")),
            ),
        }
    }
}

/// The rules a user holds, and why there may be more.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct HeldRules {
    /// The rules, in the order of their bindings; repetitions stay.
    pub rules: Vec<PolicyRule>,
    /// The bindings whose role could not be found; the rules stand nevertheless.
    pub errors: Vec<RoleError>,
}

impl Index {
    /// Every rule that a user holds in a namespace (empty: across the cluster only).
    pub fn rules_for(&self, user: &str, groups: &[String], namespace: &str) -> HeldRules {
        let mut held = HeldRules::default();
        for grant in self.grants(user, groups, namespace) {
            match grant {
                Ok(grant) => held.rules.extend_from_slice(grant.rules),
                Err(error) => held.errors.push(error),
            }
        }
        held
    }
}

/// Several errors as upstream's aggregate writes them: one alone bare, several in brackets, none twice.
pub(crate) fn aggregate(errors: &[String]) -> Option<String> {
    let mut seen: Vec<&str> = Vec::new();
    for error in errors {
        if !seen.contains(&error.as_str()) {
            seen.push(error);
        }
    }
    match seen.as_slice() {
        [] => None,
        [one] => Some((*one).to_owned()),
        several => Some(format!("[{}]", several.join(", "))),
    }
}
