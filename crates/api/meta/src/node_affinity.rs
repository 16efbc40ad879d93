//! Node selectors and required node affinity: which nodes a pod can be on by its own wish. The scheduler and the controller of
//! DaemonSets ask. Upstream: `component-helpers/scheduling/corev1/nodeaffinity`.

use std::collections::{BTreeMap, BTreeSet};

use api_types::core::v1::{NodeSelectorRequirement, NodeSelectorTerm, PodSpec};

use crate::field::Path;
use crate::labels::{Operator, Requirement};

/// The field by which a node is named.
pub const NAME_FIELD: &str = "metadata.name";

/// One term: all of its requirements. A term that is malformed or empty matches no node.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Term(Option<Wanted>);

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Wanted {
    labels: Vec<Requirement>,
    /// Of the node's name; true for `In`, false for `NotIn`.
    names: Vec<(bool, String)>,
}

impl Term {
    /// The term that is written so.
    pub fn of(term: &NodeSelectorTerm) -> Term {
        if term.match_expressions.is_empty() && term.match_fields.is_empty() {
            return Term(None);
        }
        let labels = term.match_expressions.iter().map(requirement).collect::<Option<Vec<_>>>();
        let names = term.match_fields.iter().map(name_requirement).collect::<Option<Vec<_>>>();
        Term(labels.zip(names).map(|(labels, names)| Wanted { labels, names }))
    }

    /// Whether a node of this name and these labels is meant.
    pub fn matches(&self, name: &str, labels: &BTreeMap<String, String>) -> bool {
        self.0.as_ref().is_some_and(|wanted| {
            wanted
                .labels
                .iter()
                .all(|requirement| requirement.matches(labels.get(requirement.key()).map(String::as_str)))
                && wanted.names.iter().all(|(same, wanted)| (wanted == name) == *same)
        })
    }
}

fn requirement(of: &NodeSelectorRequirement) -> Option<Requirement> {
    let operator = match of.operator.as_str() {
        "In" => Operator::In,
        "NotIn" => Operator::NotIn,
        "Exists" => Operator::Exists,
        "DoesNotExist" => Operator::DoesNotExist,
        "Gt" => Operator::GreaterThan,
        "Lt" => Operator::LessThan,
        _ => return None,
    };
    Requirement::new(&of.key, operator, of.values.clone(), &Path::NONE).ok()
}

fn name_requirement(of: &NodeSelectorRequirement) -> Option<(bool, String)> {
    let [value] = of.values.as_slice() else { return None };
    match (of.key.as_str(), of.operator.as_str()) {
        (NAME_FIELD, "In") => Some((true, value.clone())),
        (NAME_FIELD, "NotIn") => Some((false, value.clone())),
        _ => None,
    }
}

/// What a pod requires of a node's labels and name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Required {
    selector: BTreeMap<String, String>,
    /// Any one of them, if there is affinity at all.
    terms: Option<Vec<Term>>,
    /// The only nodes that the terms leave, if each term names some.
    names: Option<BTreeSet<String>>,
}

impl Required {
    /// What a pod of this spec requires.
    pub fn of(spec: &PodSpec) -> Required {
        let affinity = spec.affinity.as_ref().and_then(|affinity| affinity.node_affinity.as_ref());
        let selector = affinity
            .and_then(|affinity| affinity.required_during_scheduling_ignored_during_execution.as_ref());
        Required {
            selector: spec.node_selector.clone(),
            terms: selector.map(|selector| selector.node_selector_terms.iter().map(Term::of).collect()),
            names: selector.and_then(|selector| names_of_all(&selector.node_selector_terms)),
        }
    }

    /// Whether a node of this name and these labels will do.
    pub fn matches(&self, name: &str, labels: &BTreeMap<String, String>) -> bool {
        self.selector.iter().all(|(key, value)| labels.get(key) == Some(value))
            && self.terms.as_ref().is_none_or(|terms| terms.iter().any(|term| term.matches(name, labels)))
    }

    /// The nodes that come into question, if they are named; an empty set means that the terms contradict themselves.
    pub fn node_names(&self) -> Option<&BTreeSet<String>> {
        self.names.as_ref()
    }
}

fn names_of_all(terms: &[NodeSelectorTerm]) -> Option<BTreeSet<String>> {
    let mut all = None;
    for term in terms {
        let mut of_term: Option<BTreeSet<String>> = None;
        for field in &term.match_fields {
            if field.key == NAME_FIELD && field.operator == "In" {
                let values = field.values.iter().cloned().collect();
                of_term = Some(match of_term {
                    None => values,
                    Some(before) => before.intersection(&values).cloned().collect(),
                });
            }
        }
        all.get_or_insert_with(BTreeSet::new).extend(of_term?);
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use api_types::core::v1::{Affinity, NodeAffinity, NodeSelector};

    fn requirement(key: &str, operator: &str, values: &[&str]) -> NodeSelectorRequirement {
        NodeSelectorRequirement {
            key: key.into(),
            operator: operator.into(),
            values: values.iter().map(|value| (*value).into()).collect(),
        }
    }

    fn required(terms: Vec<NodeSelectorTerm>) -> Required {
        let node_affinity = NodeAffinity {
            required_during_scheduling_ignored_during_execution: Some(Box::new(NodeSelector {
                node_selector_terms: terms.into(),
            })),
            ..NodeAffinity::default()
        };
        Required::of(&PodSpec {
            affinity: Some(Box::new(Affinity {
                node_affinity: Some(Box::new(node_affinity)),
                ..Affinity::default()
            })),
            ..PodSpec::default()
        })
    }

    fn expressions(of: Vec<NodeSelectorRequirement>) -> NodeSelectorTerm {
        NodeSelectorTerm { match_expressions: of, ..NodeSelectorTerm::default() }
    }

    #[test]
    fn operators_match_as_upstreams_do() {
        let labels: BTreeMap<String, String> =
            [("zone", "a"), ("cores", "8")].map(|(k, v)| (k.into(), v.into())).into();
        for (key, operator, values, matches) in [
            ("zone", "In", vec!["a", "b"], true),
            ("zone", "NotIn", vec!["a"], false),
            ("disk", "NotIn", vec!["a"], true),
            ("zone", "Exists", vec![], true),
            ("disk", "DoesNotExist", vec![], true),
            ("cores", "Gt", vec!["7"], true),
            ("cores", "Gt", vec!["8"], false),
            ("cores", "Lt", vec!["9"], true),
            ("zone", "Gt", vec!["1"], false),
            ("zone", "Gt", vec!["one"], false),
            ("zone", "Like", vec!["a"], false),
        ] {
            let required = required(vec![expressions(vec![requirement(key, operator, &values)])]);
            assert_eq!(required.matches("n", &labels), matches, "{key} {operator} {values:?}");
        }
    }

    #[test]
    fn terms_are_alternatives_and_an_empty_one_matches_nothing() {
        let labels = BTreeMap::new();
        assert!(!required(vec![]).matches("n", &labels));
        assert!(!required(vec![NodeSelectorTerm::default()]).matches("n", &labels));
        let absent = expressions(vec![requirement("zone", "DoesNotExist", &[])]);
        assert!(required(vec![NodeSelectorTerm::default(), absent]).matches("n", &labels));
    }

    #[test]
    fn names_are_known_beforehand_only_if_every_term_has_some() {
        let name = |name: &str| NodeSelectorTerm {
            match_fields: vec![requirement(NAME_FIELD, "In", &[name])],
            ..NodeSelectorTerm::default()
        };
        let both = required(vec![name("a"), name("b")]);
        assert_eq!(both.node_names().map(BTreeSet::len), Some(2));
        assert!(both.matches("a", &BTreeMap::new()) && !both.matches("c", &BTreeMap::new()));
        let any = expressions(vec![requirement("zone", "Exists", &[])]);
        assert!(required(vec![name("a"), any]).node_names().is_none());
        let mut conflict = name("a");
        conflict.match_fields.push(requirement(NAME_FIELD, "In", &["b"]));
        assert_eq!(required(vec![conflict]).node_names().map(BTreeSet::len), Some(0));
    }
}
