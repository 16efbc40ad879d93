//! Extenders: programs that have a say in where pods go. The core knows when they are asked, and goes on with what they answer.
//!
//! A question stops the cycle, as it does upstream: until it is answered no other pod is tried, so that nobody else takes what was found. What
//! is bound goes on being bound, and what happens is taken in. Hence two rules. Whoever passed has to be feasible still when the
//! answer comes; if nobody is, the pod is tried anew. And what happened meanwhile and may help against a rejection lets the pod be
//! tried again soon, as upstream's in-flight events do.
//!
//! Upstream: `schedule_one.go` (`findNodesThatPassExtenders`, `prioritizeNodes`), `framework/preemption` (`callExtenders`). Who is
//! asked, and how, is the shell's to know.

use std::collections::{BTreeMap, HashMap};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use base::time::Time;

use crate::cluster::pod::{Place, PodId, PodRef};
use crate::cycle::Outcome;
use crate::cycle::asking::Asked;
use crate::diagnosis::Diagnosis;
use crate::event::{Action, Event};
use crate::preemption::{Candidate, Preemption};
use crate::profile::Profiles;
use crate::queue::Lane;
use crate::queue::hints::{self, Change};
use crate::reason::Plugins;
use crate::scheduler::Scheduler;

const NO_CANDIDATE: &str = "no candidate node for preemption";

/// What extenders are asked about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Extenders {
    /// Which nodes would do.
    pub filter: bool,
    /// How good nodes are.
    pub prioritize: bool,
    /// Whom to evict.
    pub preempt: bool,
}

/// A question to the extenders.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// To be given back with the answer.
    pub number: u64,
    /// The pod that a node is sought for.
    pub pod: PodRef,
    /// What is asked.
    pub about: Subject,
}

/// What is asked about a pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subject {
    /// Which of these nodes would do, and how good they are.
    Nodes(Vec<Arc<str>>),
    /// Which of these evictions would do.
    Victims {
        /// At most one for each node.
        evictions: Vec<Eviction>,
        /// All pods on the node of each of them.
        there: Vec<Vec<PodRef>>,
    },
}

/// Pods that could be evicted from a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Eviction {
    /// The node.
    pub node: Arc<str>,
    /// The pods.
    pub victims: Vec<PodRef>,
    /// How many of these evictions go against disruption budgets.
    pub violations: i64,
}

/// What extenders answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// About nodes.
    Nodes(Passed),
    /// The evictions that would do, with the victims that extenders want.
    Victims(Vec<Eviction>),
}

/// What extenders say of nodes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Passed {
    /// Those that would do, and what is added to the weighted sum of each one's scores.
    pub nodes: Vec<(Arc<str>, i64)>,
    /// Those that would not, by name, as far as it was said why.
    pub rejected: BTreeMap<String, Rejected>,
}

/// Why an extender rejects a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejected {
    /// In its words.
    pub why: String,
    /// Whether evicting pods could not help.
    pub is_final: bool,
}

/// The question that waits for its answer, and what was learned since the attempt began.
#[derive(Default)]
pub(crate) struct Asking {
    open: Option<Open>,
    questions: u64,
    rejected: BTreeMap<String, Rejected>,
    /// The plugins against whose rejection something may help that happened since.
    meanwhile: Plugins,
    marks: Marks,
}

struct Open {
    number: u64,
    pod: PodId,
    uid: Arc<str>,
    about: About,
}

enum About {
    Nodes(Asked),
    Victims(Arc<Diagnosis>),
}

/// Traces of what extenders may look at and the core does not, so that it is known whether that has changed.
#[derive(Default)]
struct Marks {
    nodes: BTreeMap<String, u64>,
    pods: BTreeMap<String, u64>,
}

impl Asking {
    /// An attempt begins.
    pub(crate) fn begin(&mut self) {
        self.meanwhile = Plugins::default();
        self.rejected.clear();
    }

    /// Whether a question waits for its answer.
    pub(crate) fn is_open(&self) -> bool {
        self.open.is_some()
    }

    /// The pod that is asked about, if it is still there.
    pub(crate) fn pod(&self, by_uid: &HashMap<Arc<str>, PodId>) -> Option<PodId> {
        let open = self.open.as_ref()?;
        by_uid.get(&open.uid).copied().filter(|id| *id == open.pod)
    }

    /// Whether what happened since the attempt began may help against a rejection by these.
    pub(crate) fn may_help(&self, rejectors: Plugins) -> bool {
        self.meanwhile.meets(rejectors)
    }

    /// What happened may help against rejections by these.
    pub(crate) fn note(&mut self, helped: Plugins) {
        self.meanwhile.join(helped);
    }

    /// Whether pods are to be tried again that extenders rejected: they say of nothing what would help, and so everything may that upstream
    /// tells its plugins of.
    pub(crate) fn rouses(&mut self, event: &Event<'_>, profiles: &Profiles) -> bool {
        match event {
            Event::Node(node) => {
                let conditions = node.status.conditions.iter().map(|own| (&own.type_, &own.status));
                let trace = trace(&(&node.metadata.annotations, conditions.collect::<Vec<_>>()));
                changes(&mut self.marks.nodes, &node.metadata.name, trace)
            }
            Event::NodeGone(name) => {
                self.marks.nodes.remove(*name);
                false
            }
            Event::Pod(pod) if !pod.spec.node_name.is_empty() => {
                self.marks.pods.remove(&pod.metadata.uid);
                !matches!(pod.status.phase.as_str(), "Succeeded" | "Failed")
            }
            Event::Pod(pod) if profiles.find(&pod.spec.scheduler_name).is_some() => {
                let trace = trace(&(&pod.metadata.annotations, &pod.metadata.labels));
                changes(&mut self.marks.pods, &pod.metadata.uid, trace)
            }
            Event::PodGone(uid) => {
                self.marks.pods.remove(*uid);
                false
            }
            Event::Claim(_)
            | Event::ClaimGone { .. }
            | Event::Volume(_)
            | Event::VolumeGone(_)
            | Event::Class(_)
            | Event::ClassGone(_)
            | Event::CsiNode(_)
            | Event::CsiNodeGone(_)
            | Event::Driver(_)
            | Event::DriverGone(_)
            | Event::Room(_)
            | Event::RoomGone { .. }
            | Event::DeviceClaim(_)
            | Event::DeviceClaimGone { .. }
            | Event::DeviceClass(_)
            | Event::DeviceClassGone(_) => true,
            _ => false,
        }
    }
}

/// The hasher starts from fixed keys: the same objects leave the same trace.
fn trace(of: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    of.hash(&mut hasher);
    hasher.finish()
}

/// Whether what is known is another now.
fn changes(marks: &mut BTreeMap<String, u64>, of: &str, trace: u64) -> bool {
    match marks.get_mut(of) {
        Some(before) => std::mem::replace(before, trace) != trace,
        None => {
            marks.insert(of.to_owned(), trace);
            false
        }
    }
}

impl Scheduler {
    /// Asks which of the nodes would do that were found.
    pub(crate) fn ask_about_nodes(&mut self, id: PodId, asked: Asked) {
        let name = |node: &crate::cluster::node::NodeIx| self.cluster.nodes.name[node.index()].clone();
        let names = asked.nodes.iter().map(name).collect();
        self.ask(id, Subject::Nodes(names), About::Nodes(asked));
    }

    /// Asks which of the evictions would do that could make room.
    pub(crate) fn ask_about_victims(
        &mut self,
        id: PodId,
        diagnosis: Arc<Diagnosis>,
        candidates: &[Candidate],
    ) {
        let (nodes, pods) = (&self.cluster.nodes, &self.cluster.pods);
        let refs = |ids: &[PodId]| ids.iter().map(|id| pods[*id].of.clone()).collect::<Vec<_>>();
        let eviction = |of: &Candidate| Eviction {
            node: nodes.name[of.node.index()].clone(),
            victims: refs(&of.victims),
            violations: i64::try_from(of.violations).unwrap_or(i64::MAX),
        };
        let evictions = candidates.iter().map(eviction).collect();
        let there = candidates.iter().map(|of| refs(&nodes.pods[of.node.index()])).collect();
        self.ask(id, Subject::Victims { evictions, there }, About::Victims(diagnosis));
    }

    fn ask(&mut self, id: PodId, subject: Subject, about: About) {
        let asking = &mut self.asking;
        asking.questions += 1;
        let (number, pod) = (asking.questions, self.cluster.pods[id].of.clone());
        asking.open = Some(Open { number, pod: id, uid: pod.uid.clone(), about });
        self.actions.push(Action::Ask(Question { number, pod, about: subject }));
    }

    /// Goes on with an attempt. The answer is for nothing where the pod has gone, has got a node, or has changed and is queued as it is now.
    pub(crate) fn on_answer(&mut self, number: u64, answer: Result<&Answer, &str>, now: Time) {
        let is_still_there = self.asking.pod(&self.by_uid).is_some();
        let Some(open) = self.asking.open.take_if(|open| open.number == number) else { return };
        let id = open.pod;
        let waits = |pod: &crate::cluster::pod::Pod| {
            let lane = pod.pending.as_ref().map(|pending| pending.ticket.lane);
            pod.place == Place::Nowhere && lane == Some(Lane::None)
        };
        if !is_still_there || !waits(&self.cluster.pods[id]) {
            return;
        }
        match (open.about, answer) {
            (About::Nodes(asked), answer) => self.on_nodes(id, &asked, answer, now),
            (About::Victims(diagnosis), Ok(Answer::Victims(evictions))) => {
                let found = match self.candidates(evictions) {
                    none if none.is_empty() => Preemption::Ineligible(NO_CANDIDATE.to_owned()),
                    some => Preemption::Candidates(some),
                };
                self.reject_after(id, &diagnosis, found, now);
            }
            (About::Victims(diagnosis), other) => {
                let why = other.err().unwrap_or(NO_CANDIDATE).to_owned();
                self.reject_after(id, &diagnosis, Preemption::Ineligible(why), now);
            }
        }
    }

    fn on_nodes(&mut self, id: PodId, asked: &Asked, answer: Result<&Answer, &str>, now: Time) {
        self.renew_default_spread(id);
        let Some(shape) = self.cluster.pods[id].pending.as_ref().map(|pending| pending.shape) else { return };
        let Scheduler { cluster, verdicts, cycle, asking, .. } = self;
        let nothing = Passed::default();
        let passed = match answer {
            Ok(Answer::Nodes(passed)) => passed,
            // The nominated node alone is no reason to give up.
            Err(error) if !asked.is_nominated() => {
                self.settle(id, Outcome::Error(error.to_owned()), now);
                return;
            }
            _ => &nothing,
        };
        asking.rejected.extend(passed.rejected.iter().map(|(name, own)| (name.clone(), own.clone())));
        let outcome = if asked.is_nominated() && passed.nodes.is_empty() {
            Some(cycle.attempt(cluster, verdicts, id, shape, true))
        } else {
            cycle.conclude(cluster, verdicts, (id, shape), asked, &passed.nodes, &asking.rejected)
        };
        match outcome {
            Some(outcome) => self.settle(id, outcome, now),
            None => self.attempt(id, now),
        }
    }

    /// The evictions that are still to be had.
    fn candidates(&self, evictions: &[Eviction]) -> Vec<Candidate> {
        let nodes = &self.cluster.nodes;
        let candidate = |of: &Eviction| {
            let node = nodes.find(&of.node).filter(|node| nodes.known[node.index()])?;
            let there = |victim: &PodRef| {
                let id = self.by_uid.get(&victim.uid).copied()?;
                (self.cluster.pods[id].place.node() == Some(node)).then_some(id)
            };
            let victims: Vec<PodId> = of.victims.iter().filter_map(there).collect();
            let violations = usize::try_from(of.violations).unwrap_or(0);
            (!victims.is_empty()).then_some(Candidate { node, victims, violations })
        };
        evictions.iter().filter_map(candidate).collect()
    }

    /// Notes what a change may be to the pod that is asked about: it lies in no group that could be woken.
    pub(crate) fn note_meanwhile(&mut self, change: &Change<'_>) {
        let Some(id) = self.asking.pod(&self.by_uid) else { return };
        let pod = &self.cluster.pods[id];
        let Some(pending) = &pod.pending else { return };
        let namespace = |name: &str| self.cluster.namespace(name);
        let helped = hints::helped(
            change,
            &hints::Wants {
                shape: self.verdicts.shape(pending.shape),
                cohort: &self.cluster.cohorts[pod.cohort].key,
                peers: pod.peers.map(|peers| &*self.cluster.peers[peers].key),
                claims: pod.claims.as_deref(),
                devices: pod.devices.as_deref(),
                namespace: &namespace,
            },
        );
        self.asking.note(helped);
    }
}
