//! What is wrong with what a pod says about where it is to run.

use std::collections::BTreeSet;

use api_kind::checks::{each, positive, supported};
use api_meta::field::{ErrorList, FieldError, Path};
use api_meta::labels::{SelectorLeniency, validate_label_name, validate_label_selector};
use api_meta::names;
use api_types::core::v1::{
    Affinity, NodeAffinity, NodeSelector, NodeSelectorRequirement, NodeSelectorTerm, PodAffinityTerm,
    Toleration, TopologySpreadConstraint, WeightedPodAffinityTerm,
};
use api_types::meta::v1::LabelSelector;

const REQUIRED: &str = "requiredDuringSchedulingIgnoredDuringExecution";
const PREFERRED: &str = "preferredDuringSchedulingIgnoredDuringExecution";

/// The effects that a taint can have.
pub const EFFECTS: &[&str] = &["NoSchedule", "PreferNoSchedule", "NoExecute"];

/// An affinity.
pub fn affinity(errors: &mut ErrorList, path: &Path, affinity: &Affinity) {
    if let Some(node) = &affinity.node_affinity {
        node_affinity(errors, &path.child("nodeAffinity"), node);
    }
    if let Some(pods) = &affinity.pod_affinity {
        let at = path.child("podAffinity");
        terms(errors, &at, &pods.required_during_scheduling_ignored_during_execution);
        weighted(errors, &at, &pods.preferred_during_scheduling_ignored_during_execution);
    }
    if let Some(pods) = &affinity.pod_anti_affinity {
        let at = path.child("podAntiAffinity");
        terms(errors, &at, &pods.required_during_scheduling_ignored_during_execution);
        weighted(errors, &at, &pods.preferred_during_scheduling_ignored_during_execution);
    }
}

fn node_affinity(errors: &mut ErrorList, path: &Path, node: &NodeAffinity) {
    if let Some(selector) = &node.required_during_scheduling_ignored_during_execution {
        node_selector(errors, &path.child(REQUIRED), selector);
    }
    for (index, term) in node.preferred_during_scheduling_ignored_during_execution.iter().enumerate() {
        let at = path.child(PREFERRED).index(index);
        weight(errors, &at, term.weight);
        node_term(errors, &at.child("preference"), &term.preference, false);
    }
}

fn weight(errors: &mut ErrorList, path: &Path, weight: i32) {
    if !(1..=100).contains(&weight) {
        errors.push(FieldError::invalid(&path.child("weight"), weight, "must be in the range 1-100"));
    }
}

/// A selector of nodes.
pub fn node_selector(errors: &mut ErrorList, path: &Path, selector: &NodeSelector) {
    node_selector_of(errors, path, selector, true);
}

/// The same, whose values may be such that no label has, if it is not strict.
pub fn node_selector_of(errors: &mut ErrorList, path: &Path, selector: &NodeSelector, strict: bool) {
    let at = path.child("nodeSelectorTerms");
    if selector.node_selector_terms.is_empty() {
        errors.push(FieldError::required(&at, "must have at least one node selector term"));
    }
    for (index, term) in selector.node_selector_terms.iter().enumerate() {
        node_term(errors, &at.index(index), term, strict);
    }
}

fn node_term(errors: &mut ErrorList, path: &Path, term: &NodeSelectorTerm, values: bool) {
    for (index, expression) in term.match_expressions.iter().enumerate() {
        node_requirement(errors, &path.child("matchExpressions").index(index), expression, values);
    }
    for (index, field) in term.match_fields.iter().enumerate() {
        node_field(errors, &path.child("matchFields").index(index), field);
    }
}

fn node_requirement(errors: &mut ErrorList, path: &Path, rule: &NodeSelectorRequirement, values: bool) {
    let at = path.child("values");
    match rule.operator.as_str() {
        "In" | "NotIn" if rule.values.is_empty() => {
            let why = "must be specified when `operator` is 'In' or 'NotIn'";
            errors.push(FieldError::required(&at, why));
        }
        "Exists" | "DoesNotExist" if !rule.values.is_empty() => {
            let why = "may not be specified when `operator` is 'Exists' or 'DoesNotExist'";
            errors.push(FieldError::forbidden(&at, why));
        }
        "Gt" | "Lt" if rule.values.len() != 1 => {
            let why = "must be specified single value when `operator` is 'Lt' or 'Gt'";
            errors.push(FieldError::required(&at, why));
        }
        "In" | "NotIn" | "Exists" | "DoesNotExist" | "Gt" | "Lt" => {}
        other => {
            let why = "not a valid selector operator";
            errors.push(FieldError::invalid(&path.child("operator"), other, why));
        }
    }
    errors.extend(validate_label_name(&rule.key, &path.child("key")));
    for (index, value) in rule.values.iter().enumerate().filter(|_| values) {
        each(errors, &at.index(index), value, names::is_label_value(value));
    }
}

fn node_field(errors: &mut ErrorList, path: &Path, rule: &NodeSelectorRequirement) {
    match rule.operator.as_str() {
        "In" | "NotIn" if rule.values.len() != 1 => {
            let why = "must be only one value when `operator` is 'In' or 'NotIn' for node field selector";
            errors.push(FieldError::required(&path.child("values"), why));
        }
        "In" | "NotIn" => {}
        other => {
            let why = "not a valid selector operator";
            errors.push(FieldError::invalid(&path.child("operator"), other, why));
        }
    }
    if rule.key != "metadata.name" {
        let why = "not a valid field selector key";
        errors.push(FieldError::invalid(&path.child("key"), &rule.key, why));
        return;
    }
    for (index, value) in rule.values.iter().enumerate() {
        let faults = names::name_is_dns_subdomain(value, false);
        each(errors, &path.child("values").index(index), value, faults);
    }
}

fn terms(errors: &mut ErrorList, path: &Path, terms: &[PodAffinityTerm]) {
    for (index, term) in terms.iter().enumerate() {
        pod_term(errors, &path.child(REQUIRED).index(index), term);
    }
}

fn weighted(errors: &mut ErrorList, path: &Path, terms: &[WeightedPodAffinityTerm]) {
    for (index, term) in terms.iter().enumerate() {
        let at = path.child(PREFERRED).index(index);
        weight(errors, &at, term.weight);
        pod_term(errors, &at.child("podAffinityTerm"), &term.pod_affinity_term);
    }
}

fn selector(errors: &mut ErrorList, path: &Path, selector: Option<&LabelSelector>) {
    errors.extend(validate_label_selector(selector, SelectorLeniency::default(), path));
}

fn pod_term(errors: &mut ErrorList, path: &Path, term: &PodAffinityTerm) {
    selector(errors, &path.child("labelSelector"), term.label_selector.as_deref());
    selector(errors, &path.child("namespaceSelector"), term.namespace_selector.as_deref());
    for name in &term.namespaces {
        each(errors, &path.child("namespace"), name, names::name_is_dns_label(name, false));
    }
    let keys = LabelKeys { matched: &term.match_label_keys, mismatched: &term.mismatch_label_keys };
    keys.check(errors, path, term.label_selector.as_deref());
    let at = path.child("topologyKey");
    if term.topology_key.is_empty() {
        errors.push(FieldError::required(&at, "can not be empty"));
    }
    errors.extend(validate_label_name(&term.topology_key, &at));
}

/// The keys of a pod's own labels that a selector of other pods takes up.
struct LabelKeys<'a> {
    matched: &'a [String],
    mismatched: &'a [String],
}

impl LabelKeys<'_> {
    /// Checks them beside the selector, which holds their requirements by now. `path` is that of what has all three.
    fn check(&self, errors: &mut ErrorList, path: &Path, selector: Option<&LabelSelector>) {
        for (field, keys) in [("matchLabelKeys", self.matched), ("mismatchLabelKeys", self.mismatched)] {
            let at = path.child(field);
            if !keys.is_empty() && selector.is_none() {
                let why = "must not be specified when labelSelector is not set";
                errors.push(FieldError::forbidden(&at, why));
                continue;
            }
            for (index, key) in keys.iter().enumerate() {
                errors.extend(validate_label_name(key, &at.index(index)));
            }
        }
        if let Some(selector) = selector {
            self.selected_twice(errors, path, selector);
        }
        for (index, key) in self.matched.iter().enumerate().filter(|(_, key)| self.mismatched.contains(key)) {
            let why = "exists in both matchLabelKeys and mismatchLabelKeys";
            errors.push(FieldError::invalid(&path.child("matchLabelKeys").index(index), key, why));
        }
    }

    /// Keys that the author's own selector has, too: the requirement that was made of them is then the second.
    fn selected_twice(&self, errors: &mut ErrorList, path: &Path, selector: &LabelSelector) {
        let mut seen: BTreeSet<&String> = selector.match_labels.keys().collect();
        for key in selector.match_expressions.iter().map(|expression| &expression.key) {
            let index = self.matched.iter().rposition(|matched| matched == key);
            if let (Some(index), false) = (index, seen.insert(key)) {
                // Upstream's place has no field.
                let why = "exists in both matchLabelKeys and labelSelector";
                errors.push(FieldError::invalid(&path.index(index), key, why));
            }
        }
    }
}

/// Tolerations.
pub fn tolerations(errors: &mut ErrorList, path: &Path, tolerations: &[Toleration]) {
    for (index, toleration) in tolerations.iter().enumerate() {
        let at = path.index(index);
        let operator = at.child("operator");
        if !toleration.key.is_empty() {
            errors.extend(validate_label_name(&toleration.key, &at.child("key")));
        } else if toleration.operator != "Exists" {
            let why =
                "operator must be Exists when `key` is empty, which means \"match all values and all keys\"";
            errors.push(FieldError::invalid(&operator, &toleration.operator, why));
        }
        if toleration.toleration_seconds.is_some() && toleration.effect != "NoExecute" {
            let why = "effect must be 'NoExecute' when `tolerationSeconds` is set";
            errors.push(FieldError::invalid(&at.child("effect"), &toleration.effect, why));
        }
        match toleration.operator.as_str() {
            "Equal" | "" => {
                let faults = names::is_label_value(&toleration.value);
                if !faults.is_empty() {
                    errors.push(FieldError::invalid(&operator, &toleration.value, faults.join(";")));
                }
            }
            "Exists" if !toleration.value.is_empty() => {
                let why = "value must be empty when `operator` is 'Exists'";
                errors.push(FieldError::invalid(&operator, &toleration.value, why));
            }
            "Exists" => {}
            "Lt" | "Gt" => {
                let known = ["Equal", "Exists", "Lt", "Gt"];
                errors.push(FieldError::not_supported(&operator, &toleration.operator, &known));
            }
            other => supported(errors, &operator, other, &["Equal", "Exists"]),
        }
        if !toleration.effect.is_empty() {
            supported(errors, &at.child("effect"), &toleration.effect, EFFECTS);
        }
    }
}

/// Constraints on the spread over a topology.
pub fn spread(errors: &mut ErrorList, path: &Path, constraints: &[TopologySpreadConstraint]) {
    for (index, constraint) in constraints.iter().enumerate() {
        let at = path.index(index);
        positive(errors, &at.child("maxSkew"), constraint.max_skew.into());
        if constraint.topology_key.is_empty() {
            errors.push(FieldError::required(&at.child("topologyKey"), "can not be empty"));
        }
        let place = at.child("whenUnsatisfiable");
        supported(errors, &place, &constraint.when_unsatisfiable, &["DoNotSchedule", "ScheduleAnyway"]);
        let key = |c: &TopologySpreadConstraint| (c.topology_key.clone(), c.when_unsatisfiable.clone());
        if constraints[index + 1..].iter().any(|other| key(other) == key(constraint)) {
            let text = format!("{{{}, {}}}", constraint.topology_key, constraint.when_unsatisfiable);
            errors.push(FieldError::duplicate(&at.child("{topologyKey, whenUnsatisfiable}"), text));
        }
        if let Some(domains) = constraint.min_domains {
            let place = at.child("minDomains");
            positive(errors, &place, domains.into());
            if constraint.when_unsatisfiable != "DoNotSchedule" {
                let why = format!(
                    "can only use minDomains if whenUnsatisfiable=DoNotSchedule, not {}",
                    constraint.when_unsatisfiable
                );
                errors.push(FieldError::invalid(&place, domains, why));
            }
        }
        for (name, policy) in [
            ("nodeAffinityPolicy", &constraint.node_affinity_policy),
            ("nodeTaintsPolicy", &constraint.node_taints_policy),
        ] {
            if let Some(policy) = policy {
                supported(errors, &at.child(name), policy, &["Honor", "Ignore"]);
            }
        }
        let keys = LabelKeys { matched: &constraint.match_label_keys, mismatched: &[] };
        keys.check(errors, &at, constraint.label_selector.as_deref());
        selector(errors, &at.child("labelSelector"), constraint.label_selector.as_deref());
    }
}

/// The gates that hold a pod back.
pub fn gates(errors: &mut ErrorList, path: &Path, gates: &[api_types::core::v1::PodSchedulingGate]) {
    for (index, gate) in gates.iter().enumerate() {
        let at = path.index(index);
        api_kind::checks::qualified_name(errors, &at, &gate.name);
        if gates[..index].iter().any(|other| other.name == gate.name) {
            errors.push(FieldError::duplicate(&at, &gate.name));
        }
    }
}

/// A priority's or deadline's bound: not negative, within 32 bits.
pub fn deadline(errors: &mut ErrorList, path: &Path, seconds: i64, least: i64) {
    let most = i64::from(i32::MAX);
    if !(least..=most).contains(&seconds) {
        errors.push(FieldError::invalid(path, seconds, names::inclusive_range_error(least, most)));
    }
}
