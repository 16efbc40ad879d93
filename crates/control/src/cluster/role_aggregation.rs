//! Roles that gather the rules of others, by labels: what `admin`, `edit` and `view` are made of.
//!
//! Upstream: `pkg/controller/clusterroleaggregation`, which applies the rules on the server's side; here they are an update.

use api_meta::labels::Selector;
use api_types::rbac::v1::{ClusterRole, PolicyRule};
use base::time::Time;
use client::reconcile::{Controller, Plan, Wires, World, Write};

/// The controller of aggregated roles.
pub struct RoleAggregation;

impl Controller for RoleAggregation {
    const NAME: &'static str = "clusterrole-aggregation-controller";
    type Key = String;

    fn wire(&self, wires: &mut Wires<String>) {
        // Whatever changes in one role may be about every role that gathers.
        wires.maps::<ClusterRole>(|_, world| {
            let gathering = world.all::<ClusterRole>().filter(|role| role.aggregation_rule.is_some());
            gathering.map(|role| role.metadata.name.clone()).collect()
        });
    }

    fn plan(&self, key: &String, world: &World, _: Time) -> Plan {
        let mut plan = Plan::default();
        let Some(role) = world.get::<ClusterRole>("", key) else { return plan };
        let Some(gathered) = gathered(role, world).filter(|gathered| *gathered != role.rules.to_vec()) else {
            return plan;
        };
        plan.stage([Write::update(ClusterRole { rules: gathered.into(), ..role.clone() })]);
        plan
    }
}

/// The rules of all roles that are selected, selector after selector and in the order of their names, each once; `None` if
/// the role gathers none.
fn gathered(role: &ClusterRole, world: &World) -> Option<Vec<PolicyRule>> {
    let mut rules: Vec<PolicyRule> = Vec::new();
    for selector in &role.aggregation_rule.as_deref()?.cluster_role_selectors {
        // One that cannot be read was refused when it was written.
        let selector = Selector::from_api(Some(selector)).ok()?;
        let others = world.all::<ClusterRole>().filter(|other| other.metadata.name != role.metadata.name);
        for other in others.filter(|other| selector.matches(&other.metadata.labels)) {
            for rule in &other.rules {
                if !rules.contains(rule) {
                    rules.push(rule.clone());
                }
            }
        }
    }
    Some(rules)
}

#[cfg(test)]
mod tests {
    use api_types::meta::v1::LabelSelector;
    use api_types::rbac::v1::AggregationRule;
    use client::Revision;

    use super::*;

    fn rule(resource: &str) -> PolicyRule {
        PolicyRule {
            verbs: vec!["get".to_owned()].into(),
            api_groups: vec![String::new()],
            resources: vec![resource.to_owned()],
            ..PolicyRule::default()
        }
    }

    fn role(name: &str, label: &str, rules: &[&str]) -> ClusterRole {
        let mut role = ClusterRole::default();
        role.metadata.name = name.into();
        role.metadata.labels.insert("part-of".into(), label.into());
        role.rules = rules.iter().map(|resource| rule(resource)).collect::<Vec<_>>().into();
        role
    }

    fn gathering(name: &str, labels: &[&str], rules: &[&str]) -> ClusterRole {
        let selector = |label: &&str| LabelSelector {
            match_labels: [("part-of".to_owned(), (*label).to_owned())].into(),
            ..LabelSelector::default()
        };
        let cluster_role_selectors = labels.iter().map(selector).collect();
        let rule = AggregationRule { cluster_role_selectors };
        ClusterRole { aggregation_rule: Some(Box::new(rule)), ..role(name, "view", rules) }
    }

    fn rules(plan: &Plan) -> Option<Vec<String>> {
        let role: &ClusterRole = plan.writes().next()?.object()?;
        Some(role.rules.iter().map(|rule| rule.resources[0].clone()).collect())
    }

    #[test]
    fn a_role_gathers_what_its_selectors_pick() {
        let parts = [
            role("b", "view", &["pods", "nodes"]),
            role("a", "view", &["pods"]),
            role("c", "edit", &["secrets"]),
        ];
        let plan = |gathering: ClusterRole| {
            let key = gathering.metadata.name.clone();
            let all = parts.iter().cloned().chain([gathering]);
            RoleAggregation.plan(&key, &World::default().with(all, Revision(1)), Time::EPOCH)
        };
        let names = |names: &[&str]| Some(names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>());
        assert_eq!(rules(&plan(gathering("g", &["view"], &[]))), names(&["pods", "nodes"]));
        assert_eq!(
            rules(&plan(gathering("g", &["edit", "view"], &["old"]))),
            names(&["secrets", "pods", "nodes"])
        );
        assert_eq!(rules(&plan(gathering("g", &["none"], &["old"]))), names(&[]));
        assert_eq!(rules(&plan(gathering("g", &["view"], &["pods", "nodes"]))), None);
        assert_eq!(rules(&plan(role("g", "view", &["old"]))), None);
    }
}
