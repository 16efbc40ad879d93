//! What was found, as claims say it.

use api_meta::node_affinity::NAME_FIELD;
use api_types::core::v1::{NodeSelector, NodeSelectorRequirement, NodeSelectorTerm};
use api_types::resource::v1::{
    AllocationResult, DeviceAllocationConfiguration, DeviceRequestAllocationResult, ResourceClaim,
};

use super::request::Request;
use super::search::{Chosen, Search};

impl<'a> Search<'_, 'a> {
    /// What each of the claims gets.
    pub(super) fn results(&self) -> Vec<AllocationResult> {
        let claims = self.claims.iter().enumerate();
        claims
            .map(|(at, claim)| {
                let mut result = AllocationResult::default();
                result.devices.results = self.chosen[at].iter().map(|own| self.device(at, own)).collect();
                let requests: Vec<&Request<'a>> = self.settled_on(at).collect();
                result.devices.config = configuration(claim, &requests);
                result.node_selector = self.nodes(at).map(Box::new);
                result
            })
            .collect()
    }

    fn settled_on(&self, claim: usize) -> impl Iterator<Item = &Request<'a>> {
        let requests = self.requests[claim].iter().zip(&self.settled[claim]);
        requests.map(|(alternatives, settled)| &alternatives[*settled])
    }

    fn device(&self, claim: usize, own: &Chosen<'a>) -> DeviceRequestAllocationResult {
        let request = &self.requests[claim][own.request][own.alternative];
        DeviceRequestAllocationResult {
            request: request.full_name(),
            driver: own.id.driver.to_string(),
            pool: own.id.pool.to_string(),
            device: own.id.device.to_string(),
            admin_access: request.is_admin.then_some(true),
            tolerations: request.tolerations.to_vec(),
            binding_conditions: own.device.binding_conditions.clone(),
            binding_failure_conditions: own.device.binding_failure_conditions.clone(),
            share_id: own.is_shared.then(String::new),
            consumed_capacity: own.consumed.clone(),
            skip_node_operations: Vec::new(),
        }
    }

    /// From which nodes a claim's devices can all be reached; `None` if from everywhere.
    fn nodes(&self, claim: usize) -> Option<NodeSelector> {
        let mut term = NodeSelectorTerm::default();
        for own in &self.chosen[claim] {
            let spec = &own.offer.slice.spec;
            let (name, selector) = match spec.per_device_node_selection {
                Some(true) => (&own.device.node_name, &own.device.node_selector),
                _ => (&spec.node_name, &spec.node_selector),
            };
            if name.is_some() || own.device.binds_to_node == Some(true) {
                return Some(only(self.node.name));
            }
            // There is one term: validation sees to that.
            for wanted in selector.iter().flat_map(|selector| selector.node_selector_terms.first()) {
                add(&mut term.match_fields, &wanted.match_fields);
                add(&mut term.match_expressions, &wanted.match_expressions);
            }
        }
        let is_anywhere = term.match_fields.is_empty() && term.match_expressions.is_empty();
        (!is_anywhere).then(|| NodeSelector { node_selector_terms: vec![term].into() })
    }
}

fn only(node: &str) -> NodeSelector {
    let field = NodeSelectorRequirement {
        key: NAME_FIELD.to_owned(),
        operator: "In".to_owned(),
        values: vec![node.to_owned()],
    };
    let term = NodeSelectorTerm { match_fields: vec![field], ..NodeSelectorTerm::default() };
    NodeSelector { node_selector_terms: vec![term].into() }
}

fn add(all: &mut Vec<NodeSelectorRequirement>, more: &[NodeSelectorRequirement]) {
    for wanted in more {
        let is_same = |own: &NodeSelectorRequirement| {
            let has = |one: &NodeSelectorRequirement, other: &NodeSelectorRequirement| {
                one.values.iter().all(|value| other.values.contains(value))
            };
            own.key == wanted.key && own.operator == wanted.operator && has(own, wanted) && has(wanted, own)
        };
        if !all.iter().any(is_same) {
            all.push(wanted.clone());
        }
    }
}

/// The configurations of classes, each once, then those of the claim that are about what was settled on. One that is about all requests
/// names none.
fn configuration(claim: &ResourceClaim, requests: &[&Request<'_>]) -> Vec<DeviceAllocationConfiguration> {
    let mut all: Vec<DeviceAllocationConfiguration> = Vec::new();
    let mut classes: Vec<(&str, std::ops::Range<usize>)> = Vec::new();
    for request in requests {
        let class = request.class.metadata.name.as_str();
        if let Some((_, range)) = classes.iter().find(|(known, _)| *known == class) {
            all[range.clone()].iter_mut().for_each(|own| own.requests.push(request.full_name()));
            continue;
        }
        let first = all.len();
        all.extend(request.class.spec.config.iter().map(|own| DeviceAllocationConfiguration {
            source: "FromClass".to_owned(),
            requests: vec![request.full_name()],
            device_configuration: own.device_configuration.clone(),
        }));
        classes.push((class, first..all.len()));
    }
    for own in &claim.spec.devices.config {
        if own.requests.is_empty() || requests.iter().any(|request| request.is_in(own.requests.iter())) {
            all.push(DeviceAllocationConfiguration {
                source: "FromClaim".to_owned(),
                requests: own.requests.clone(),
                device_configuration: own.device_configuration.clone(),
            });
        }
    }
    for own in &mut all {
        if requests.iter().all(|request| request.is_in(own.requests.iter())) {
            own.requests.clear();
        }
    }
    all
}
