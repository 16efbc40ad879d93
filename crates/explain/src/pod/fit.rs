//! What nodes have and what a pod wants of them, put in numbers and names: the grounds on which plugins reject.

use std::collections::BTreeMap;

use api_meta::node_affinity::Term;
use api_meta::pod_resources::{Count, requests};
use api_record::scalar::{Quantity, QuantityFormat};
use api_types::core::v1::{
    Node, NodeSelectorRequirement, NodeSelectorTerm, PersistentVolume, PersistentVolumeClaim, Pod, Taint,
};

use crate::evidence::Evidence;
use crate::finding::few;
use crate::limits::SHOWN;

/// How much a pod counts as where pods themselves are counted.
const PODS: &str = "pods";

/// A pod and all that nodes are compared with it by.
pub(crate) struct Grounds<'a> {
    pub(crate) pod: &'a Pod,
    pub(crate) evidence: &'a Evidence,
    asked: BTreeMap<String, Quantity>,
    /// The pods that use something of a node, by its name.
    by_node: BTreeMap<&'a str, Vec<&'a Pod>>,
}

/// A resource of a node that is not enough.
struct Short {
    resource: String,
    asked: Quantity,
    allocatable: Quantity,
    left: Quantity,
    /// The pods that have most of it.
    by: Vec<(String, Quantity)>,
}

impl<'a> Grounds<'a> {
    pub(crate) fn new(pod: &'a Pod, evidence: &'a Evidence) -> Grounds<'a> {
        let mut by_node: BTreeMap<&str, Vec<&Pod>> = BTreeMap::new();
        for other in evidence.world.all::<Pod>() {
            if !other.spec.node_name.is_empty() && !control_base::pod::is_terminal(other) {
                by_node.entry(&other.spec.node_name).or_default().push(other);
            }
        }
        let mut asked = requests(pod, Count::InForce);
        asked.insert(PODS.to_owned(), Quantity::from_units(1, QuantityFormat::DecimalSi));
        Grounds { pod, evidence, asked, by_node }
    }

    pub(crate) fn node(&self, name: &str) -> Option<&'a Node> {
        self.evidence.world.get::<Node>("", name)
    }

    /// The pods of a node that have not ended.
    pub(crate) fn on(&self, node: &str) -> &[&'a Pod] {
        self.by_node.get(node).map_or(&[], Vec::as_slice)
    }

    /// How far a node is from suiting, for whoever sorts nodes: in what it lacks of a resource.
    pub(crate) fn distance(&self, plugin: &str, reason: &str, node: &str) -> Quantity {
        if plugin != "NodeResourcesFit" {
            return Quantity::default();
        }
        self.short(node, reason).map_or_else(Quantity::default, |short| {
            let mut lacks = short.asked;
            lacks.subtract(&short.left);
            lacks
        })
    }

    /// The resource that a reason is about, as the node has it.
    fn short(&self, node: &str, reason: &str) -> Option<Short> {
        let resource = match reason {
            "Too many pods" => PODS,
            reason => reason.strip_prefix("Insufficient ")?,
        };
        let allocatable = self.node(node)?.status.allocatable.get(resource).cloned().unwrap_or_default();
        let one = self.asked.get(PODS)?;
        let of = |pod: &Pod| match resource {
            PODS => one.clone(),
            resource => requests(pod, Count::InForce).get(resource).cloned().unwrap_or_default(),
        };
        let mut left = allocatable.clone();
        let mut by = Vec::new();
        for pod in self.on(node) {
            let own = of(pod);
            left.subtract(&own);
            if !own.is_zero() {
                by.push((format!("{}/{}", pod.metadata.namespace, pod.metadata.name), own));
            }
        }
        by.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        let asked = self.asked.get(resource).cloned().unwrap_or_default();
        Some(Short { resource: resource.to_owned(), asked, allocatable, left, by })
    }

    pub(crate) fn room(&self, node: &str, reason: &str) -> Option<String> {
        let Short { resource, asked, allocatable, left, by } = self.short(node, reason)?;
        if resource == PODS {
            return Some(format!("all {allocatable} pods that it allows are there"));
        }
        if asked > allocatable {
            return Some(format!("asks for {asked} {resource}, and it has {allocatable} in all"));
        }
        let left = if left.sign() < 0 { Quantity::default() } else { left };
        let most = few(by.iter().map(|(pod, own)| format!("{pod} {own}")), SHOWN);
        Some(format!("asks for {asked} {resource}, and {left} of {allocatable} is left (most is of {most})"))
    }

    pub(crate) fn room_remedies(&self, nodes: &[&str], reason: &str) -> Vec<String> {
        let shorts = nodes.iter().filter_map(|node| Some((*node, self.short(node, reason)?)));
        let shorts: Vec<(&str, Short)> = shorts.collect();
        let roomiest = shorts.iter().max_by(|(_, a), (_, b)| a.left.cmp(&b.left));
        let Some((node, short)) = roomiest else { return Vec::new() };
        let resource = &short.resource;
        if *resource == PODS {
            return vec!["add a node, or let pods end that are not needed".to_owned()];
        }
        let mut remedies = Vec::new();
        if short.left.sign() > 0 {
            remedies.push(format!("ask for at most {} {resource}, which node {node} has left", short.left));
        }
        match shorts.iter().any(|(_, short)| short.asked <= short.allocatable) {
            true => {
                let mut lacks = short.asked.clone();
                lacks.subtract(&short.left);
                remedies.push(format!("free {lacks} {resource} on node {node}, or add a node"));
            }
            false => remedies.push(format!("add a node that has at least {} {resource}", short.asked)),
        }
        remedies
    }

    /// The taints that keep the pod away from a node.
    fn untolerated(&self, node: &str) -> Vec<&'a Taint> {
        let taints = self.node(node).into_iter().flat_map(|node| &node.spec.taints);
        let tolerations = &self.pod.spec.tolerations;
        let keeps = |taint: &&Taint| {
            matches!(taint.effect.as_str(), "NoSchedule" | "NoExecute")
                && !tolerations.iter().any(|toleration| control_base::taints::tolerates(toleration, taint))
        };
        taints.filter(keeps).collect()
    }

    pub(crate) fn taints(&self, node: &str) -> Option<String> {
        let taints = self.untolerated(node);
        (!taints.is_empty())
            .then(|| format!("does not tolerate {}", few(taints.into_iter().map(shown), SHOWN)))
    }

    /// Which labels it lacks.
    pub(crate) fn labels(&self, node: &str) -> Option<String> {
        let node = self.node(node)?;
        let wrong = self.mismatches(node);
        (!wrong.is_empty())
            .then(|| format!("wants {}", few(wrong.iter().map(|wrong| wrong.said(node)), SHOWN)))
    }

    /// What of a pod's node selector, and of the affinity term that comes nearest, a node is not.
    fn mismatches(&self, node: &Node) -> Vec<Wanted> {
        let spec = &self.pod.spec;
        let selector = spec.node_selector.iter().map(|(key, value)| Wanted {
            requirement: NodeSelectorRequirement {
                key: key.clone(),
                operator: "In".into(),
                values: vec![value.clone()],
            },
            is_field: false,
        });
        let mut wrong: Vec<Wanted> = selector.filter(|wanted| !wanted.is_met_by(node)).collect();
        let required = spec
            .affinity
            .as_ref()
            .and_then(|affinity| affinity.node_affinity.as_ref())
            .and_then(|affinity| affinity.required_during_scheduling_ignored_during_execution.as_ref());
        let terms = required.into_iter().flat_map(|required| required.node_selector_terms.iter());
        let of_terms =
            terms.map(|term| wanted(term).filter(|wanted| !wanted.is_met_by(node)).collect::<Vec<_>>());
        wrong.extend(of_terms.min_by_key(Vec::len).unwrap_or_default());
        wrong
    }

    /// What no node at all is, or else what the nearest is not.
    pub(crate) fn label_remedy(&self, nodes: &[&str]) -> Option<String> {
        let nearest = self.node(nodes.first()?)?;
        let all = || self.evidence.world.all::<Node>();
        let wrong = self.mismatches(nearest);
        if let Some(none) = wrong.iter().find(|wanted| !all().any(|node| wanted.is_met_by(node))) {
            return Some(format!("no node at all has {none}: label one, or ask for something else"));
        }
        let first = wrong.first()?;
        Some(format!("make room on the nodes that have {first}, label others, or ask for something else"))
    }

    /// The host ports that are taken, and by whom.
    pub(crate) fn ports(&self, node: &str) -> Option<String> {
        let mut taken = Vec::new();
        for wanted in host_ports(self.pod) {
            let meets = |other: &&&Pod| host_ports(other).any(|theirs| clash(&wanted, &theirs));
            if let Some(other) = self.on(node).iter().find(meets) {
                taken.push(format!(
                    "{}/{} is of {}/{}",
                    wanted.1, wanted.0, other.metadata.namespace, other.metadata.name
                ));
            }
        }
        (!taken.is_empty()).then(|| format!("host port {}", few(taken, SHOWN)))
    }

    /// The volumes that cannot be reached from a node.
    pub(crate) fn volumes(&self, node: &str) -> Option<String> {
        let node = self.node(node)?;
        let world = &self.evidence.world;
        let namespace = &self.pod.metadata.namespace;
        let far = api_volume::pod::claims(self.pod).filter_map(|used| {
            let claim = world.get::<PersistentVolumeClaim>(namespace, &used.claim)?;
            let volume = world.get::<PersistentVolume>("", &claim.spec.volume_name)?;
            let reachable = api_volume::matching::is_reachable(volume, &node.metadata.labels);
            (!reachable).then(|| {
                format!("volume {} of claim {} is where {}", volume.metadata.name, used.claim, place(volume))
            })
        });
        let far: Vec<String> = far.collect();
        (!far.is_empty()).then(|| far.join(", "))
    }
}

/// What a volume asks of the nodes that it can be used on.
fn place(volume: &PersistentVolume) -> String {
    let required = volume.spec.node_affinity.as_ref().and_then(|affinity| affinity.required.as_ref());
    let terms = required.into_iter().flat_map(|required| required.node_selector_terms.iter());
    let terms =
        terms.map(|term| wanted(term).map(|wanted| wanted.to_string()).collect::<Vec<_>>().join(" and "));
    terms.collect::<Vec<_>>().join(" or ")
}

/// One thing that is wanted of nodes.
struct Wanted {
    requirement: NodeSelectorRequirement,
    is_field: bool,
}

fn wanted(term: &NodeSelectorTerm) -> impl Iterator<Item = Wanted> + '_ {
    let of = |is_field| {
        move |requirement: &NodeSelectorRequirement| Wanted { requirement: requirement.clone(), is_field }
    };
    term.match_expressions.iter().map(of(false)).chain(term.match_fields.iter().map(of(true)))
}

impl Wanted {
    fn is_met_by(&self, node: &Node) -> bool {
        let mut term = NodeSelectorTerm::default();
        let place = if self.is_field { &mut term.match_fields } else { &mut term.match_expressions };
        place.push(self.requirement.clone());
        Term::of(&term).matches(&node.metadata.name, &node.metadata.labels)
    }

    fn said(&self, node: &Node) -> String {
        let has = match node.metadata.labels.get(&self.requirement.key) {
            _ if self.is_field => String::new(),
            Some(value) => format!(" (it is {value})"),
            None => " (it has no such label)".to_owned(),
        };
        format!("{self}{has}")
    }
}

impl std::fmt::Display for Wanted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let NodeSelectorRequirement { key, operator, values } = &self.requirement;
        match (operator.as_str(), values.as_slice()) {
            ("In", [only]) => write!(f, "{key}={only}"),
            ("In", _) => write!(f, "{key} in ({})", values.join(",")),
            ("NotIn", _) => write!(f, "{key} not in ({})", values.join(",")),
            ("Exists", _) => write!(f, "{key}"),
            ("DoesNotExist", _) => write!(f, "no {key}"),
            ("Gt", [least]) => write!(f, "{key} above {least}"),
            ("Lt", [most]) => write!(f, "{key} below {most}"),
            _ => write!(f, "{key} {operator} {}", values.join(",")),
        }
    }
}

/// `key=value:effect`.
fn shown(taint: &Taint) -> String {
    let value = if taint.value.is_empty() { String::new() } else { format!("={}", taint.value) };
    format!("{}{value}:{}", taint.key, taint.effect)
}

/// What would let the pod on a node despite its taints.
pub(crate) fn taint_remedies(grounds: &Grounds<'_>, node: &str) -> Vec<String> {
    let taints = grounds.untolerated(node);
    let Some(first) = taints.first() else { return Vec::new() };
    match first.key.as_str() {
        "node.kubernetes.io/not-ready" | "node.kubernetes.io/unreachable" => {
            vec![format!("the taint goes when node {node} is ready: knarr why node/{node}")]
        }
        "node.kubernetes.io/unschedulable" => vec![format!("kubectl uncordon {node}")],
        key if key.starts_with("node.kubernetes.io/") => {
            vec![format!(
                "the taint goes when node {node} has enough of what it lacks: knarr why node/{node}"
            )]
        }
        _ => vec![
            format!("tolerate {} in spec.tolerations", shown(first)),
            format!("kubectl taint nodes {node} {}:{}-", first.key, first.effect),
        ],
    }
}

/// Port, protocol and address of each host port; an empty address is all of them.
type HostPort<'a> = (&'a str, i32, &'a str);

fn host_ports(pod: &Pod) -> impl Iterator<Item = HostPort<'_>> {
    let lasting =
        pod.spec.init_containers.iter().filter(|own| own.restart_policy.as_deref() == Some("Always"));
    let ports = lasting.chain(pod.spec.containers.iter()).flat_map(|container| &container.ports);
    ports.filter(|port| port.host_port > 0).map(|port| {
        let protocol = if port.protocol.is_empty() { "TCP" } else { &port.protocol };
        let address = if port.host_ip == "0.0.0.0" { "" } else { &port.host_ip };
        (protocol, port.host_port, address)
    })
}

fn clash(one: &HostPort<'_>, other: &HostPort<'_>) -> bool {
    (one.0, one.1) == (other.0, other.1) && (one.2.is_empty() || other.2.is_empty() || one.2 == other.2)
}
