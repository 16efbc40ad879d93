//! Whether enough indexes have succeeded for a job to be over. Upstream: `success_policy.go`.

use api_types::batch::v1::{Job, SuccessPolicyRule};

use super::indexes::Indexes;

/// The first rule that is met, in words.
pub(super) fn met(job: &Job, completions: i64, succeeded: &Indexes) -> Option<String> {
    if succeeded.is_empty() {
        return None;
    }
    let mut rules = job.spec.success_policy.iter().flat_map(|policy| policy.rules.iter());
    let number = rules.position(|rule| is_met(rule, completions, succeeded))?;
    Some(format!("Matched rules at index {number}"))
}

fn is_met(rule: &SuccessPolicyRule, completions: i64, succeeded: &Indexes) -> bool {
    let Some(text) = &rule.succeeded_indexes else {
        return rule.succeeded_count.is_some_and(|wanted| succeeded.total() >= wanted);
    };
    let wanted = Indexes::parse(text, completions);
    if wanted.is_empty() {
        return false;
    }
    let common = wanted.common(succeeded);
    common == wanted.total() || rule.succeeded_count.is_some_and(|enough| common >= enough)
}
