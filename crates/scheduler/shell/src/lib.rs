//! Running the scheduler against an API: views become events, actions become plans.
//!
//! The core decides; here is only what carries words to it and deeds from it. It forgets nothing that matters when it
//! stops: a new one reads the same views.
//!
//! Layer: beside the core, above `client`. Entry points: [`run`], [`run_with`]; [`resources`] for whoever shows the core the same; [`Extenders`] for
//! whoever asks others.
//!
//! State: none that counts: volumes and devices that are being bound are tried again by whoever starts next. Failure: what cannot be carried out is told
//! to the core, which backs off; a view that is refused is asked for again. Limits: `ATTEMPTS` pods between two looks at what changed.
//!
//! Upstream: `pkg/scheduler/{schedule_one,eventhandlers}.go`, `metrics`. How to test: `cargo test -p scheduler-shell`, and the simulator, which runs it.

mod devices;
mod extenders;
mod metrics;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use api_record::{Record, Typed as _};
use api_types::apps::v1::{ReplicaSet, StatefulSet};
use api_types::core::v1::{
    Binding, Namespace, Node, ObjectReference, PersistentVolume, PersistentVolumeClaim, Pod,
    ReplicationController, Service,
};
use api_types::object_meta;
use api_types::policy::v1::PodDisruptionBudget;
use api_types::resource::v1::{DeviceClass, DeviceTaintRule, ResourceClaim, ResourceSlice};
use api_types::storage::v1::{CSIDriver, CSINode, CSIStorageCapacity, StorageClass, VolumeAttachment};
use base::drain;
use base::error::Chain;
use base::task::{self, Tasks};
use base::time::{Clock, Time};
use client::reconcile::{Note, Op, Plan, Recorder, Severity, Write, execute, resource_of};
use client::view::{Change, Follower};
use client::{Api, Caller, RawView, Resource, Scope};
use scheduler::{
    Action, Answer, Config, DEFAULT_NAME, Decided, Event, Failure, Nomination, OwnerKind, PodRef, Scheduler,
    scheduled_note,
};
use tokio::sync::{Notify, mpsc};

pub use extenders::{Extenders, There, name};
pub use metrics::Metrics;

/// How many attempts are made before changes are looked at again.
const ATTEMPTS: usize = 256;

/// The wait before a view that was refused is asked for again.
const OPEN_AGAIN: Duration = Duration::from_millis(100);

/// As whom the scheduler acts.
pub fn caller() -> Caller {
    Caller::new("system:kube-scheduler", &["system:authenticated"])
}

/// Runs the scheduler until it is asked to finish.
pub async fn run(
    api: Arc<dyn Api>,
    clock: Arc<dyn Clock>,
    tasks: Tasks,
    config: Config,
    drain: drain::Watch,
) {
    run_with(api, clock, tasks, config, Company::default(), drain).await;
}

/// Who else has to do with a scheduler.
#[derive(Clone, Default)]
pub struct Company {
    /// What it does is counted here.
    pub metrics: Arc<Metrics>,
    /// Those have a say, if any do.
    pub extenders: Option<Arc<dyn Extenders>>,
}

/// The same in company.
pub async fn run_with(
    api: Arc<dyn Api>,
    clock: Arc<dyn Clock>,
    tasks: Tasks,
    mut config: Config,
    company: Company,
    mut drain: drain::Watch,
) {
    let changed = Arc::new(Notify::new());
    let mut listeners = task::Set::new(tasks.clone());
    let mut followers = Vec::new();
    for resource in resources() {
        let view = tokio::select! {
            biased;
            view = open(&*api, &*clock, resource) => view,
            () = drain.signaled() => return,
        };
        view.reached(client::Revision(0)).await;
        listeners.spawn(view.wake(Arc::clone(&changed)));
        followers.push(Follower::new(view));
    }
    let view_of = |wanted: &'static Resource| {
        let at = resources().iter().position(|resource| std::ptr::eq(*resource, wanted))?;
        followers.get(at).map(|follower| follower.view().clone())
    };
    config.extenders = company.extenders.as_ref().map(|extenders| extenders.about()).unwrap_or_default();
    let (done, outcomes) = mpsc::unbounded_channel();
    let hands = Hands {
        api,
        clock: Arc::clone(&clock),
        who: Arc::new(caller()),
        recorders: Arc::new(Recorders::of_all(&config)),
        pods: view_of(resource_of::<Pod>()),
        nodes: view_of(resource_of::<Node>()),
        extenders: company.extenders,
        metrics: company.metrics,
        done,
    };
    let mut loop_ =
        Loop { core: Scheduler::new(config), followers, hands, outcomes, work: task::Set::new(tasks) };
    loop_.serve(&changed, &mut drain).await;
}

/// What the scheduler looks at. Nodes come before the pods on them, and what pods refer to before the pods.
pub fn resources() -> [&'static Resource; 19] {
    [
        resource_of::<Namespace>(),
        resource_of::<Node>(),
        resource_of::<Service>(),
        resource_of::<ReplicationController>(),
        resource_of::<ReplicaSet>(),
        resource_of::<StatefulSet>(),
        resource_of::<PodDisruptionBudget>(),
        resource_of::<StorageClass>(),
        resource_of::<PersistentVolume>(),
        resource_of::<PersistentVolumeClaim>(),
        resource_of::<CSIDriver>(),
        resource_of::<CSIStorageCapacity>(),
        resource_of::<CSINode>(),
        resource_of::<VolumeAttachment>(),
        resource_of::<DeviceClass>(),
        resource_of::<DeviceTaintRule>(),
        resource_of::<ResourceSlice>(),
        resource_of::<ResourceClaim>(),
        resource_of::<Pod>(),
    ]
}

async fn open(api: &dyn Api, clock: &dyn Clock, resource: &Resource) -> RawView {
    loop {
        match api.view(&caller(), Scope::all(resource.clone())).await {
            Ok(view) => return view,
            Err(status) => {
                tracing::debug!(%resource, error = %Chain(&status), "view.refused");
                clock.sleep(OPEN_AGAIN).await;
            }
        }
    }
}

/// What came of an action.
enum Done {
    /// A pod was bound, or was not, for this reason.
    Bound(Arc<str>, Result<(), String>),
    /// What was decided about a pod's volumes was written, or was not, for this reason.
    VolumesWritten(Arc<str>, Result<(), String>),
    /// What was decided about a pod's devices was written, or was not, for this reason; the claims as they are now.
    DevicesWritten(Arc<str>, Vec<ResourceClaim>, Result<(), String>),
    /// A pod could not be evicted.
    NotEvicted(Arc<str>),
    /// The extenders' answer to the question of this number.
    Answered(u64, Result<Answer, String>),
}

struct Loop {
    core: Scheduler,
    followers: Vec<Follower>,
    hands: Hands,
    outcomes: mpsc::UnboundedReceiver<Done>,
    work: task::Set<()>,
}

impl Loop {
    async fn serve(&mut self, changed: &Notify, drain: &mut drain::Watch) {
        loop {
            let now = self.hands.clock.now();
            self.take_in(now);
            let outputs = self.core.step(Event::Run { attempts: ATTEMPTS }, now);
            self.hands.carry_out(outputs.actions, &mut self.work);
            self.hands.metrics.wait(self.core.waiting());
            while self.work.try_join_next().is_some() {}
            if outputs.ready > 0 {
                tokio::task::yield_now().await;
                continue;
            }
            let wait = outputs.wake_at.map(|at| at.since(now));
            let clock = Arc::clone(&self.hands.clock);
            let wake = async move {
                match wait {
                    Some(wait) => clock.sleep(wait).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                () = drain.signaled() => break,
                Some(done) = self.outcomes.recv() => self.hear(&done),
                () = changed.notified() => {}
                () = wake => {}
            }
        }
        while self.work.join_next().await.is_some() {}
    }

    fn hear(&mut self, done: &Done) {
        let now = self.hands.clock.now();
        let event = match done {
            Done::Bound(uid, result) => {
                let result = result.as_ref().map_err(String::as_str).copied();
                Event::BindDone { uid, result }
            }
            Done::VolumesWritten(uid, result) => {
                let result = result.as_ref().map_err(String::as_str).copied();
                Event::VolumesWritten { uid, result }
            }
            Done::DevicesWritten(uid, claims, result) => {
                let result = result.as_ref().map_err(String::as_str).copied();
                Event::DevicesWritten { uid, claims, result }
            }
            Done::NotEvicted(uid) => Event::EvictionFailed { uid },
            Done::Answered(number, answer) => {
                Event::Answered { number: *number, answer: answer.as_ref().map_err(String::as_str) }
            }
        };
        let outputs = self.core.step(event, now);
        self.hands.carry_out(outputs.actions, &mut self.work);
    }

    fn take_in(&mut self, now: Time) {
        for follower in &mut self.followers {
            for change in follower.catch_up().1 {
                for event in events(&change) {
                    let outputs = self.core.step(event, now);
                    self.hands.carry_out(outputs.actions, &mut self.work);
                }
            }
        }
        while let Ok(done) = self.outcomes.try_recv() {
            self.hear(&done);
        }
    }
}

/// What a change of a view is to the core. Between two looks an object can have made room for another of its name: then both
/// have to be told of.
fn events(change: &Change) -> impl Iterator<Item = Event<'_>> {
    let gone = change.gone().and_then(|object| gone(&**object));
    gone.into_iter().chain(change.after().and_then(|object| Event::of(&**object)))
}

fn gone(object: &dyn Record) -> Option<Event<'_>> {
    let meta = object_meta(object)?;
    let (namespace, name) = (meta.namespace.as_str(), meta.name.as_str());
    let owner = |kind| Some(Event::OwnerGone { kind, namespace, name });
    let schema: *const api_record::Schema = object.schema();
    match schema {
        schema if std::ptr::eq(schema, Pod::SCHEMA) => Some(Event::PodGone(&meta.uid)),
        schema if std::ptr::eq(schema, Node::SCHEMA) => Some(Event::NodeGone(name)),
        schema if std::ptr::eq(schema, Namespace::SCHEMA) => Some(Event::NamespaceGone(name)),
        schema if std::ptr::eq(schema, Service::SCHEMA) => Some(Event::ServiceGone { namespace, name }),
        schema if std::ptr::eq(schema, PodDisruptionBudget::SCHEMA) => {
            Some(Event::BudgetGone { namespace, name })
        }
        schema if std::ptr::eq(schema, PersistentVolumeClaim::SCHEMA) => {
            Some(Event::ClaimGone { namespace, name })
        }
        schema if std::ptr::eq(schema, PersistentVolume::SCHEMA) => Some(Event::VolumeGone(name)),
        schema if std::ptr::eq(schema, StorageClass::SCHEMA) => Some(Event::ClassGone(name)),
        schema if std::ptr::eq(schema, CSINode::SCHEMA) => Some(Event::CsiNodeGone(name)),
        schema if std::ptr::eq(schema, CSIDriver::SCHEMA) => Some(Event::DriverGone(name)),
        schema if std::ptr::eq(schema, CSIStorageCapacity::SCHEMA) => {
            Some(Event::RoomGone { namespace, name })
        }
        schema if std::ptr::eq(schema, VolumeAttachment::SCHEMA) => Some(Event::AttachmentGone(name)),
        schema if std::ptr::eq(schema, ResourceClaim::SCHEMA) => {
            Some(Event::DeviceClaimGone { namespace, name })
        }
        schema if std::ptr::eq(schema, ResourceSlice::SCHEMA) => Some(Event::SliceGone(name)),
        schema if std::ptr::eq(schema, DeviceClass::SCHEMA) => Some(Event::DeviceClassGone(name)),
        schema if std::ptr::eq(schema, DeviceTaintRule::SCHEMA) => Some(Event::TaintRuleGone(name)),
        schema if std::ptr::eq(schema, ReplicaSet::SCHEMA) => owner(OwnerKind::ReplicaSet),
        schema if std::ptr::eq(schema, StatefulSet::SCHEMA) => owner(OwnerKind::StatefulSet),
        schema if std::ptr::eq(schema, ReplicationController::SCHEMA) => {
            owner(OwnerKind::ReplicationController)
        }
        _ => None,
    }
}

/// Who tells of pods: a recorder for each profile, under its name.
struct Recorders {
    by_name: BTreeMap<String, Mutex<Recorder>>,
    rest: Mutex<Recorder>,
}

impl Recorders {
    fn of_all(config: &Config) -> Recorders {
        let recorder = |name: &str| Mutex::new(Recorder::new(name));
        let names = config.profiles.iter().map(|profile| profile.scheduler_name.clone());
        Recorders {
            by_name: names.map(|name| (name.clone(), recorder(&name))).collect(),
            rest: recorder(DEFAULT_NAME),
        }
    }

    fn of(&self, name: &str) -> &Mutex<Recorder> {
        self.by_name.get(name).unwrap_or(&self.rest)
    }
}

/// What carries actions out.
#[derive(Clone)]
struct Hands {
    api: Arc<dyn Api>,
    clock: Arc<dyn Clock>,
    who: Arc<Caller>,
    recorders: Arc<Recorders>,
    pods: Option<RawView>,
    nodes: Option<RawView>,
    extenders: Option<Arc<dyn Extenders>>,
    metrics: Arc<Metrics>,
    done: mpsc::UnboundedSender<Done>,
}

impl Hands {
    fn carry_out(&self, actions: Vec<Action>, work: &mut task::Set<()>) {
        self.metrics.count(&actions);
        for action in actions {
            let hands = self.clone();
            work.spawn(async move { hands.act(action).await });
        }
    }

    async fn act(&self, action: Action) {
        match action {
            Action::Ask(question) => self.ask(question).await,
            Action::Bind { pod, node } => {
                let result = match self.bind_by_extender(&pod, &node).await {
                    Some(result) => result,
                    None => {
                        let failure = self.execute(&pod.scheduler_name, bind(&pod, &node)).await;
                        let told = |why| Err(format!("running Bind plugin \"DefaultBinder\": {why}"));
                        failure.map_or(Ok(()), told)
                    }
                };
                // The loop outlives its work.
                let _ = self.done.send(Done::Bound(pod.uid, result));
            }
            Action::BindVolumes { pod, decided, .. } => {
                let failure = self.execute(&pod.scheduler_name, bind_volumes(&decided)).await;
                let _ = self.done.send(Done::VolumesWritten(pod.uid, failure.map_or(Ok(()), Err)));
            }
            Action::BindDevices { pod, node, bindings } => self.bind_devices(pod, &node, &bindings).await,
            Action::Unreserve { pod, claims } => {
                self.execute(&pod.scheduler_name, devices::unreserve(&pod, &claims)).await;
            }
            Action::Deallocate { pod, claim } => {
                let mut plan = Plan::default();
                plan.stage([Write::status(*claim.0)]);
                self.execute(&pod.scheduler_name, plan).await;
            }
            Action::Scheduled { pod, node } => {
                let message = scheduled_note(&pod, &node);
                self.tell(&pod.scheduler_name, &pod, Severity::Normal, "Scheduled", message).await;
            }
            Action::Failed(failure) => self.failed(&failure).await,
            Action::Unnominate { pod } => self.unnominate(&pod).await,
            Action::Preempt { preemptor, node, victims } => self.preempt(&preemptor, &node, &victims).await,
        }
    }

    /// The pod as the view shows it, if it is still the same.
    fn pod(&self, of: &PodRef) -> Option<Pod> {
        let snapshot = self.pods.as_ref()?.snapshot();
        let pod: &Pod = snapshot.get(&of.namespace, &of.name)?.downcast_ref()?;
        (*pod.metadata.uid == *of.uid).then(|| pod.clone())
    }

    async fn failed(&self, failure: &Failure) {
        let of = &failure.pod;
        self.tell(&of.scheduler_name, of, Severity::Warning, "FailedScheduling", failure.note()).await;
        let Some(pod) = self.pod(of) else { return };
        let now: api_record::scalar::Time = self.clock.now().into();
        let old = pod.status.conditions.iter().find(|condition| condition.type_ == "PodScheduled");
        let since =
            old.filter(|old| old.status == "False").and_then(|old| old.last_transition_time).unwrap_or(now);
        let mut status = serde_json::json!({
            "conditions": [{
                "type": "PodScheduled",
                "status": "False",
                "reason": failure.reason.as_str(),
                "message": failure.message,
                "lastTransitionTime": since.to_string(),
            }],
        });
        match &failure.nomination {
            Nomination::Keep => {}
            Nomination::Clear => status["nominatedNodeName"] = serde_json::Value::Null,
            Nomination::Node(node) => status["nominatedNodeName"] = (**node).into(),
        }
        let mut plan = Plan::default();
        plan.stage([Write::patch(&pod, "status", serde_json::json!({ "status": status }))]);
        self.execute(&of.scheduler_name, plan).await;
    }

    async fn unnominate(&self, of: &PodRef) {
        let Some(pod) = self.pod(of) else { return };
        let status = serde_json::json!({ "status": { "nominatedNodeName": null } });
        let mut plan = Plan::default();
        plan.stage([Write::patch(&pod, "status", status)]);
        self.execute(&of.scheduler_name, plan).await;
    }

    async fn preempt(&self, preemptor: &PodRef, node: &str, victims: &[PodRef]) {
        let now: api_record::scalar::Time = self.clock.now().into();
        let teller = &preemptor.scheduler_name;
        for victim in victims {
            let Some(pod) = self.pod(victim) else { continue };
            let condition = serde_json::json!({ "status": { "conditions": [{
                "type": "DisruptionTarget",
                "status": "True",
                "reason": "PreemptionByScheduler",
                "message": format!("{teller}: preempting to accommodate a higher priority pod"),
                "lastTransitionTime": now.to_string(),
            }] } });
            let mut plan = Plan::default();
            plan.stage([Write::patch(&pod, "status", condition)]);
            plan.stage([Write::delete(&pod)]);
            match self.execute(teller, plan).await {
                None => {
                    let message = Action::preempted_note(preemptor, node);
                    self.tell(teller, victim, Severity::Normal, "Preempted", message).await;
                }
                Some(_) => drop(self.done.send(Done::NotEvicted(Arc::clone(&victim.uid)))),
            }
        }
    }

    async fn tell(
        &self,
        teller: &str,
        of: &PodRef,
        severity: Severity,
        reason: &'static str,
        message: String,
    ) {
        let about = self.pod(of).unwrap_or_else(|| bare(of));
        let plan = Plan { events: vec![Note::new(&about, severity, reason, message)], ..Plan::default() };
        self.execute(teller, plan).await;
    }

    /// Carries a plan out, in the name of a profile; answers what went wrong.
    async fn execute(&self, teller: &str, plan: Plan) -> Option<String> {
        let recorder = self.recorders.of(teller);
        let finished = execute(&*self.api, &self.who, recorder, &*self.clock, plan).await;
        finished.failure.map(|failure| failure.status.message.clone())
    }
}

/// A pod of which only the name is known.
fn bare(of: &PodRef) -> Pod {
    let mut pod = Pod::default();
    pod.metadata.namespace = of.namespace.to_string();
    pod.metadata.name = of.name.to_string();
    pod.metadata.uid = of.uid.to_string();
    pod
}

fn bind(of: &PodRef, node: &str) -> Plan {
    let pod = bare(of);
    let mut binding = Binding::default();
    binding.metadata.clone_from(&pod.metadata);
    binding.target = ObjectReference { kind: "Node".into(), name: node.into(), ..ObjectReference::default() };
    let mut plan = Plan::default();
    plan.stage([Write::of(resource_of::<Pod>(), &pod.metadata, "binding", Op::Create(Box::new(binding)))]);
    plan
}

/// Volumes first: what they say is what the controller binds by.
fn bind_volumes(decided: &Decided) -> Plan {
    let mut plan = Plan::default();
    plan.stage(decided.volumes.iter().cloned().map(Write::update));
    plan.stage(decided.provisions.iter().cloned().map(Write::update));
    plan
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pod(uid: &str) -> Option<Arc<dyn Record>> {
        let of = PodRef {
            uid: uid.into(),
            namespace: "shop".into(),
            name: "db-0".into(),
            scheduler_name: "c".into(),
        };
        Some(Arc::new(bare(&of)))
    }

    fn told(old: Option<Arc<dyn Record>>, new: Option<Arc<dyn Record>>) -> Vec<String> {
        let change = Change::between(old, new);
        let told = events(&change).map(|event| match event {
            Event::Pod(pod) => format!("+{}", pod.metadata.uid),
            Event::PodGone(uid) => format!("-{uid}"),
            _ => "?".into(),
        });
        told.collect()
    }

    #[test]
    fn a_pod_that_took_anothers_name_is_not_that_other() {
        assert_eq!(told(None, pod("u1")), ["+u1"]);
        assert_eq!(told(pod("u1"), pod("u1")), ["+u1"]);
        assert_eq!(told(pod("u1"), pod("u2")), ["-u1", "+u2"]);
        assert_eq!(told(pod("u1"), None), ["-u1"]);
    }
}
