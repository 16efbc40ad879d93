//! Several schemas at once: all of them, one, any, none.

use api_meta::field::{FieldError, Path};
use serde_json::Value;

use super::Judge;
use super::outcome::Outcome;
use crate::Node;
use crate::node::Checks;

/// An error of no field in particular, as upstream reports these.
fn overall(path: &Path, message: String) -> Outcome {
    Outcome::wrong(FieldError::invalid(path, "", message))
}

impl Judge<'_> {
    /// Here nothing is let pass because it was so before, as upstream does not either.
    pub(super) fn choices(&self, name: &str, value: &Value, checks: &Checks) -> Outcome {
        let judge = |node: &Node| match value {
            Value::Object(fields) if self.root && name.is_empty() => {
                let mut outcome = node
                    .checks
                    .as_deref()
                    .map(|checks| self.choices(name, value, checks))
                    .unwrap_or_default();
                outcome.merge(self.object(name, fields, None, node));
                outcome
            }
            _ => self.value(name, value, None, node),
        };
        let mut outcome = Outcome::default();
        if !checks.any_of.is_empty() {
            outcome.merge(self.any(name, &checks.any_of, &judge));
        }
        if !checks.one_of.is_empty() {
            outcome.merge(self.one(name, &checks.one_of, &judge));
        }
        if !checks.all_of.is_empty() {
            outcome.merge(self.all(name, &checks.all_of, &judge));
        }
        if checks.not.as_ref().is_some_and(|node| judge(node).is_valid()) {
            outcome.merge(overall(self.path, format!("{name:?} must not validate the schema (not)")));
        }
        outcome.matched += 1;
        outcome
    }

    fn any(&self, name: &str, nodes: &[Node], judge: &dyn Fn(&Node) -> Outcome) -> Outcome {
        let mut nearest: Option<Outcome> = None;
        for node in nodes {
            let outcome = judge(node);
            if outcome.is_valid() {
                return outcome;
            }
            if nearest.as_ref().is_none_or(|nearest| outcome.matched > nearest.matched) {
                nearest = Some(outcome);
            }
        }
        let mut outcome = overall(self.path, format!("{name:?} must validate at least one schema (anyOf)"));
        outcome.merge(nearest.unwrap_or_default());
        outcome
    }

    fn one(&self, name: &str, nodes: &[Node], judge: &dyn Fn(&Node) -> Outcome) -> Outcome {
        let mut nearest: Option<Outcome> = None;
        let mut valid: Vec<Outcome> = Vec::new();
        for node in nodes {
            let outcome = judge(node);
            if outcome.is_valid() {
                nearest = None;
                valid.push(outcome);
            } else if valid.is_empty()
                && nearest.as_ref().is_none_or(|nearest| outcome.matched > nearest.matched)
            {
                nearest = Some(outcome);
            }
        }
        let why = match valid.len() {
            1 => return valid.swap_remove(0),
            0 => "Found none valid".to_owned(),
            count => format!("Found {count} valid alternatives"),
        };
        let message = format!("{name:?} must validate one and only one schema (oneOf). {why}");
        let mut outcome = overall(self.path, message);
        outcome.merge(nearest.unwrap_or_default());
        outcome
    }

    fn all(&self, name: &str, nodes: &[Node], judge: &dyn Fn(&Node) -> Outcome) -> Outcome {
        let mut outcome = Outcome::default();
        let mut valid = 0;
        for node in nodes {
            let one = judge(node);
            valid += usize::from(one.is_valid());
            outcome.merge(one);
        }
        if valid != nodes.len() {
            let more = if valid == 0 { ". None validated" } else { "" };
            let message = format!("{name:?} must validate all the schemas (allOf){more}");
            outcome.merge(overall(self.path, message));
        }
        outcome
    }
}
