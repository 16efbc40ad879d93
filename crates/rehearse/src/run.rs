//! The rehearsal itself: the copy, those who act on it, and time.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use api_record::{Bytes, Record};
use api_types::apps::v1::{ControllerRevision, DaemonSet, Deployment, ReplicaSet, StatefulSet};
use api_types::batch::v1::Job;
use api_types::core::v1::{
    LimitRange, Namespace, Node, PersistentVolume, PersistentVolumeClaim, Pod, ReplicationController,
    ResourceQuota, Service, ServiceAccount,
};
use api_types::discovery::v1::EndpointSlice;
use api_types::networking::v1::{IPAddress, ServiceCIDR};
use api_types::node::v1::RuntimeClass;
use api_types::object_meta;
use api_types::policy::v1::PodDisruptionBudget;
use api_types::scheduling::v1::PriorityClass;
use api_types::storage::v1::{CSINode, StorageClass, VolumeAttachment};
use base::drain;
use base::time::Time;
use base_virtual::Dice;
use base_virtual::executor::{Executor, Group};
use client::reconcile::{self, Controller, Deps, resource_of};
use client::{Api as _, Body, Caller, PatchKind, Request, Resource, Status, Target, Verb};
use control::resources::{Served, built_in};
use control::{cluster, network, storage, workload};
use store::{Feed, KeyRange, Revision, Store as _};

use crate::agent::Agents;
use crate::end;
use crate::limits::{HORIZON, QUIET, SETTLE};
use crate::outcome::Outcome;
use crate::provisioner::Provisioners;
use crate::stage::Stage;

/// Chance is the same in each rehearsal.
const SEED: u64 = 1;

/// What the copy is made of: all that the parts that run here look at.
pub fn resources() -> Vec<&'static Resource> {
    vec![
        resource_of::<Namespace>(),
        resource_of::<Node>(),
        resource_of::<Pod>(),
        resource_of::<Service>(),
        resource_of::<EndpointSlice>(),
        resource_of::<ReplicationController>(),
        resource_of::<ReplicaSet>(),
        resource_of::<Deployment>(),
        resource_of::<StatefulSet>(),
        resource_of::<DaemonSet>(),
        resource_of::<ControllerRevision>(),
        resource_of::<Job>(),
        resource_of::<PodDisruptionBudget>(),
        resource_of::<PersistentVolume>(),
        resource_of::<PersistentVolumeClaim>(),
        resource_of::<StorageClass>(),
        resource_of::<CSINode>(),
        resource_of::<VolumeAttachment>(),
        resource_of::<LimitRange>(),
        resource_of::<ResourceQuota>(),
        resource_of::<ServiceAccount>(),
        resource_of::<PriorityClass>(),
        resource_of::<RuntimeClass>(),
        resource_of::<ServiceCIDR>(),
        resource_of::<IPAddress>(),
    ]
}

/// What is rehearsed.
#[derive(Default)]
pub struct Input {
    /// All objects of the [`resources`].
    pub objects: Vec<(Resource, Arc<dyn Record>)>,
    /// What is applied.
    pub wanted: Vec<Wanted>,
    /// The time.
    pub now: Time,
}

/// An object that is applied.
pub enum Wanted {
    /// As the server answered that it would be.
    Answered(Resource, Arc<dyn Record>),
    /// As it is asked for, in JSON: the server could not say, since the namespace is made with it. The copy's own admission and checks say.
    Asked(Target, Bytes),
}

/// Those who act, and their time.
struct Play {
    executor: Executor,
    stage: Stage,
    /// Tells when something was written.
    writes: Feed,
}

/// Lets everything happen that follows from the objects that are wanted.
///
/// # Errors
/// If the copy cannot be made, or an object that only the copy can judge is refused.
pub fn rehearse(input: &Input) -> Result<Outcome, Status> {
    let dice = Dice::new(SEED);
    let executor = Executor::new(input.now, dice.fork("executor"));
    let group = executor.group();
    let stage = Stage::new(executor.clock(0), executor.tasks(group), &dice);
    for (resource, object) in &input.objects {
        stage.put(resource, &**object)?;
    }
    let writes = stage.store().watch(KeyRange::all(), Revision::NONE);
    let mut play = Play { executor, stage, writes };
    play.start(group, running(&input.objects));
    play.rest(SETTLE);
    let before = play.objects(group)?;
    play.stage.forget_told();
    let begin = play.executor.now();
    for wanted in &input.wanted {
        match wanted {
            Wanted::Answered(resource, object) => play.stage.put(resource, &**object)?,
            Wanted::Asked(target, object) => play.apply(group, target, object)?,
        }
    }
    let shown = play.objects(group)?;
    let settled = play.rest(HORIZON);
    let after = play.objects(group)?;
    // What users ask for is told of by itself, and is no doing of the controllers.
    let own = applied_keys(&input.wanted).into_iter();
    let mut applied = before.clone();
    applied.extend(own.filter_map(|key| Some((key.clone(), Arc::clone(shown.get(&key)?)))));
    let masks = play.stage.masks();
    let mut outcome = end::compare(&before, &applied, &after, &masks);
    outcome.steps = end::steps(&play.stage.told(), begin, &masks);
    outcome.settled = settled;
    play.executor.clear();
    Ok(outcome)
}

/// The objects that are applied, by resource, namespace and name.
fn applied_keys(wanted: &[Wanted]) -> BTreeSet<end::Key> {
    let key = |wanted: &Wanted| match wanted {
        Wanted::Answered(resource, object) => end::key(resource, &**object),
        Wanted::Asked(target, _) => (target.resource.clone(), target.namespace.clone(), target.name.clone()),
    };
    wanted.iter().map(key).collect()
}

/// The pods that have a node, by their uids.
fn running(objects: &[(Resource, Arc<dyn Record>)]) -> BTreeSet<String> {
    let pods = objects.iter().filter_map(|(_, object)| (**object).downcast_ref::<Pod>());
    pods.filter(|pod| !pod.spec.node_name.is_empty()).map(|pod| pod.metadata.uid.clone()).collect()
}

/// The resources of the copy, as the controllers of all kinds want them.
fn served() -> Vec<Served> {
    let own = resources();
    let mut all = built_in();
    all.retain(|row| own.contains(&&row.resource));
    all
}

impl Play {
    fn start(&self, group: Group, known: BTreeSet<String>) {
        self.run(group, workload::Deployments);
        self.run(group, workload::ReplicaSets);
        self.run(group, workload::ReplicationControllers);
        self.run(group, workload::StatefulSets);
        self.run(group, workload::DaemonSets::default());
        self.run(group, workload::Jobs);
        self.run(group, workload::Disruptions::new(&served()));
        self.run(group, network::EndpointSlices);
        self.run(group, storage::PersistentVolumeBinder::default());
        self.run(group, storage::EphemeralVolumes);
        self.run(group, cluster::Garbage::new(&served()));
        self.run(group, cluster::ServiceAccounts);
        self.run(group, cluster::ResourceQuotas::new(&served()));
        self.run(group, cluster::TaintEviction);
        self.run(group, Agents::new(known));
        self.run(group, Provisioners);
        self.schedule(group);
    }

    fn run<C: Controller>(&self, group: Group, controller: C) {
        let deps = Deps {
            api: Arc::new(self.stage.clone()),
            clock: self.executor.clock(0),
            tasks: self.executor.tasks(group),
            inspector: Arc::default(),
        };
        let (signal, watch) = drain::channel();
        self.executor.spawn(group, async move {
            let _signal = signal;
            reconcile::run(controller, deps, watch).await;
        });
    }

    fn schedule(&self, group: Group) {
        let api = Arc::new(self.stage.clone());
        let (clock, tasks) = (self.executor.clock(0), self.executor.tasks(group));
        let (signal, watch) = drain::channel();
        let config = scheduler::Config { seed: SEED, ..scheduler::Config::default() };
        self.executor.spawn(group, async move {
            let _signal = signal;
            scheduler_shell::run(api, clock, tasks, config, watch).await;
        });
    }

    /// Lets time pass until nothing has been written for a while; answers whether that came within `most`.
    fn rest(&mut self, most: Duration) -> bool {
        let Play { executor, writes, .. } = self;
        let mut last = executor.now();
        let end = last + most;
        executor.clone().run(end, || {
            let now = executor.now();
            while let Ok(Some(_)) = writes.try_next() {
                last = now;
            }
            now.since(last) >= QUIET
        });
        executor.now().since(last) >= QUIET || executor.now() < end
    }

    /// Carries out one piece of work on the copy, and answers what came of it.
    fn done<T: Send + 'static>(
        &self,
        group: Group,
        work: impl Future<Output = T> + Send + 'static,
    ) -> Result<T, Status> {
        let place: Arc<Mutex<Option<T>>> = Arc::default();
        let result = Arc::clone(&place);
        self.executor.spawn(group, async move {
            let outcome = work.await;
            *result.lock().unwrap_or_else(PoisonError::into_inner) = Some(outcome);
        });
        let is_done = || place.lock().unwrap_or_else(PoisonError::into_inner).is_some();
        self.executor.run(self.executor.now() + SETTLE, is_done);
        let outcome = place.lock().unwrap_or_else(PoisonError::into_inner).take();
        outcome.ok_or_else(|| Status::internal_error("the copy did not answer"))
    }

    /// All that there is.
    fn objects(&self, group: Group) -> Result<end::Objects, Status> {
        let stage = self.stage.clone();
        self.done(group, async move {
            let mut all = end::Objects::new();
            for resource in resources() {
                let target = Target {
                    resource: resource.clone(),
                    namespace: String::new(),
                    name: String::new(),
                    subresource: String::new(),
                };
                let request = Request::new(Verb::List, target);
                if let client::Outcome::List(list) = stage.call(&Caller::default(), request).await?.outcome {
                    all.extend(list.items.into_iter().map(|object| (end::key(resource, &*object), object)));
                }
            }
            Ok(all)
        })?
    }

    fn apply(&self, group: Group, target: &Target, object: &Bytes) -> Result<(), Status> {
        let mut request = Request::new(Verb::Patch, target.clone());
        request.body = Body::Patch(PatchKind::Apply, object.clone());
        request.write.field_manager = "kubectl".to_owned();
        request.write.force = Some(true);
        let stage = self.stage.clone();
        self.done(group, async move { stage.call(&Caller::default(), request).await.map(drop) })?
    }
}

/// The name of an object in its namespace.
pub(crate) fn place(object: &dyn Record) -> (String, String) {
    object_meta(object).map(|meta| (meta.namespace.clone(), meta.name.clone())).unwrap_or_default()
}
