//! From claims, volumes and classes to what the scheduler remembers of them, whom that may help, and whose volumes are bound now.

use std::sync::Arc;

use api_types::core::v1::{PersistentVolume, PersistentVolumeClaim};
use api_types::storage::v1::{CSINode, CSIStorageCapacity, StorageClass, VolumeAttachment};
use api_volume::class;
use base::time::Time;

use super::binding::{Broken, Pledge};
use super::wanted::{Wanted, places};
use super::{Limits, key};
use crate::cluster::node::NodeIx;
use crate::cluster::pod::{Place, PodId};
use crate::event::{Action, Decided, FailureReason, Nomination};
use crate::limits::BIND_VOLUMES;
use crate::queue::hints::Change;
use crate::reason::{Plugin, Plugins};
use crate::scheduler::Scheduler;

impl Scheduler {
    pub(crate) fn on_claim(&mut self, claim: &PersistentVolumeClaim, now: Time) {
        let of = key(claim);
        let is_new = !self.cluster.volumes.set_claim(of.clone(), Some(claim));
        self.keep_pledges(now);
        self.wake(&Change::Claim { of: &of, is_new }, now);
    }

    pub(crate) fn on_claim_gone(&mut self, namespace: &str, name: &str, now: Time) {
        self.cluster.volumes.set_claim((namespace.to_owned(), name.to_owned()), None);
        self.keep_pledges(now);
    }

    pub(crate) fn on_volume(&mut self, volume: &PersistentVolume, now: Time) {
        let before = self.cluster.volumes.set_volume(volume);
        let is_elsewhere = before.as_ref().is_none_or(|before| places(before) != places(volume));
        self.keep_pledges(now);
        self.wake(&Change::Volume { is_elsewhere }, now);
    }

    pub(crate) fn on_volume_gone(&mut self, name: &str, now: Time) {
        self.cluster.volumes.remove_volume(name);
        self.keep_pledges(now);
    }

    pub(crate) fn on_class(&mut self, class: &StorageClass, now: Time) {
        let before = self.cluster.volumes.set_class(class);
        let topologies = |class: &StorageClass| -> Vec<Vec<(String, Vec<String>)>> {
            let term = |term: &api_types::core::v1::TopologySelectorTerm| {
                let all = term.match_label_expressions.iter();
                all.map(|wanted| (wanted.key.clone(), wanted.values.to_vec())).collect()
            };
            class.allowed_topologies.iter().map(term).collect()
        };
        let is_new = before.is_none();
        let allows = before.is_none_or(|before| topologies(&before) != topologies(class));
        self.wake(&Change::Class { allows, waits: is_new && class::waits_for_consumer(class) }, now);
    }

    pub(crate) fn on_csi_node(&mut self, node: &CSINode, now: Time) {
        let limit = |driver: &api_types::storage::v1::CSINodeDriver| {
            let count = driver.allocatable.as_ref().and_then(|own| own.count)?;
            Some((driver.name.clone(), i64::from(count)))
        };
        let limits: Limits = node.spec.drivers.iter().filter_map(limit).collect();
        self.cluster.volumes.drivers.install(&node.metadata.name, Some(node));
        let before = self.cluster.volumes.set_limits(&node.metadata.name, Some(limits.clone()));
        let is_new = before.is_none();
        let rises = before.is_none_or(|before| {
            limits.iter().any(|(driver, most)| *most > before.get(driver).copied().unwrap_or(0))
        });
        self.wake(&Change::Limits { is_new, rises }, now);
    }

    pub(crate) fn on_csi_node_gone(&mut self, name: &str) {
        self.cluster.volumes.drivers.install(name, None);
        self.cluster.volumes.set_limits(name, None);
    }

    pub(crate) fn on_room(&mut self, room: &CSIStorageCapacity, now: Time) {
        if self.cluster.volumes.drivers.set_room(room) {
            self.wake(&Change::Room, now);
        }
    }

    pub(crate) fn on_attachment(&mut self, attachment: &VolumeAttachment) {
        let spec = &attachment.spec;
        let volume = spec.source.persistent_volume_name.as_ref().filter(|_| !spec.attacher.is_empty());
        let of = volume.map(|volume| (spec.node_name.clone(), spec.attacher.clone(), volume.clone()));
        self.cluster.volumes.set_attachment(&attachment.metadata.name, of);
    }

    pub(crate) fn on_attachment_gone(&mut self, name: &str, now: Time) {
        if self.cluster.volumes.set_attachment(name, None) {
            self.wake(&Change::Detached, now);
        }
    }

    /// Takes for a pod, which is to run on a node, the volumes and devices that it gets there; answers whether they have to be bound first.
    pub(crate) fn pledge(&mut self, id: PodId, node: NodeIx, now: Time) -> bool {
        let decided = Arc::new(self.decide_volumes(id, node));
        let devices = self.promise(id, node, now);
        if decided.is_empty() && devices.is_none() {
            return false;
        }
        let node = self.cluster.nodes.name[node.index()].clone();
        if !decided.is_empty() {
            let (pod, decided) = (self.cluster.pods[id].of.clone(), Arc::clone(&decided));
            self.actions.push(Action::BindVolumes { pod, node: node.clone(), decided });
        }
        let until = now + BIND_VOLUMES;
        self.pledges.insert(id, Pledge { node, decided, is_written: false, until, devices });
        true
    }

    /// Takes the volumes for a pod that it gets on a node.
    fn decide_volumes(&mut self, id: PodId, node: NodeIx) -> Decided {
        let profiles = &self.cluster.profiles;
        let Some(profile) = profiles.find(&self.cluster.pods[id].of.scheduler_name) else {
            return Decided::default();
        };
        let wanted = Wanted::of(&self.cluster, profiles.of(profile), id).ok().flatten();
        let decided = wanted.map(|wanted| wanted.decide(node)).unwrap_or_default();
        self.cluster.volumes.assume(&decided.volumes, &decided.provisions);
        decided
    }

    pub(crate) fn on_volumes_written(&mut self, uid: &str, result: Result<(), &str>, now: Time) {
        let Some(&id) = self.by_uid.get(uid) else { return };
        match result {
            Ok(()) => {
                if let Some(pledge) = self.pledges.get_mut(&id) {
                    pledge.is_written = true;
                }
                self.keep_pledges(now);
            }
            Err(error) => self.break_pledge(id, Plugin::VolumeBinding, error, now),
        }
    }

    /// Binds the pods whose volumes and devices are bound, and gives up on those whose never will be.
    pub(crate) fn keep_pledges(&mut self, now: Time) {
        let pledges = self.pledges.iter();
        let settled: Vec<(PodId, Result<(), Broken>)> = pledges
            .filter_map(|(id, pledge)| match pledge.is_kept(&self.cluster, now) {
                Ok(true) => Some((*id, Ok(()))),
                Ok(false) => None,
                Err(why) => Some((*id, Err(why))),
            })
            .collect();
        for (id, result) in settled {
            match result {
                Ok(()) => {
                    let Some(pledge) = self.pledges.remove(&id) else { continue };
                    let pod = self.cluster.pods[id].of.clone();
                    self.actions.push(Action::Bind { pod, node: pledge.node });
                }
                Err((plugin, why)) => self.break_pledge(id, plugin, &why, now),
            }
        }
    }

    /// A pod that does not get its volumes or devices where it was to run looks for a node again.
    pub(crate) fn break_pledge(&mut self, id: PodId, plugin: Plugin, why: &str, now: Time) {
        if !self.forget_pledge(id) || !matches!(self.cluster.pods[id].place, Place::Assumed(_)) {
            return;
        }
        self.cluster.displace(id);
        self.unreserve(id);
        let message = format!("running PreBind plugin {:?}: {why}", plugin.name());
        self.fail(id, FailureReason::SchedulerError, message, Plugins::default(), Nomination::Clear);
        self.queue.retry(id, &mut self.cluster.pods[id], now);
        self.wake_for_gone(id, now);
    }

    /// A pod does not wait for volumes any more; what was decided for it is free again, unless the API shows it by now.
    pub(crate) fn forget_pledge(&mut self, id: PodId) -> bool {
        let Some(pledge) = self.pledges.remove(&id) else { return false };
        let Decided { volumes, provisions, .. } = &*pledge.decided;
        self.cluster.volumes.revert(volumes, provisions);
        true
    }
}
