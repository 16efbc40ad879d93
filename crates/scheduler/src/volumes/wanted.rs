//! What the volumes of a pod ask of nodes: gathered once for an attempt, then looked at node by node.
//!
//! Upstream's plugins VolumeRestrictions, NodeVolumeLimits, VolumeBinding and VolumeZone, in this order.

use std::collections::{BTreeMap, BTreeSet};

use api_meta::owners;
use api_types::core::v1::{PersistentVolume, PersistentVolumeClaim};
use api_volume::annotation::SELECTED_NODE;
use api_volume::{NO_PROVISIONER, STORAGE, class, is_bound_to, is_fully_bound, matching};

use super::claims::Claims;
use super::drivers::Making;
use super::{ClaimKey, Volumes, selected_node};
use crate::cluster::Cluster;
use crate::cluster::node::NodeIx;
use crate::cluster::pod::PodId;
use crate::event::Decided;
use crate::profile::Profile;
use crate::reason::{Plugin, Reason, Refusal};
use crate::shape::Labels;
use scheduler_scores::Score;
use scheduler_scores::volume_binding::{self, Asked};

const EXCLUSIVE: &str = "ReadWriteOncePod";

/// The labels by which a volume says where it is, in upstream's order.
const PLACES: [&str; 4] = [
    "failure-domain.beta.kubernetes.io/zone",
    "failure-domain.beta.kubernetes.io/region",
    "topology.kubernetes.io/zone",
    "topology.kubernetes.io/region",
];

/// What a pod's volumes ask of nodes.
pub(crate) struct Wanted<'a> {
    cluster: &'a Cluster,
    claims: &'a Claims,
    /// The volumes of claims that are bound; none for those that have gone.
    bound: Vec<Option<&'a PersistentVolume>>,
    /// Claims that get a volume only now, the smallest first, with the volumes that they could have.
    delayed: Vec<(&'a PersistentVolumeClaim, Vec<&'a PersistentVolume>)>,
    places: Vec<(&'static str, BTreeSet<&'a str>)>,
    /// Claims that one pod alone may use.
    exclusive: Vec<ClaimKey>,
    /// The volumes that drivers attach for it, with their drivers.
    attached: BTreeMap<String, String>,
    profile: &'a Profile,
}

fn refused(plugin: Plugin, why: String) -> Refusal {
    Refusal::Claims { plugin, why: why.into() }
}

impl<'a> Wanted<'a> {
    /// What a pod's volumes ask of nodes; `None` if it has none that matter.
    ///
    /// # Errors
    /// If no node will do as things are.
    pub(crate) fn of(
        cluster: &'a Cluster,
        profile: &'a Profile,
        pod: PodId,
    ) -> Result<Option<Wanted<'a>>, Refusal> {
        let Some(claims) = cluster.pods[pod].claims.as_deref() else { return Ok(None) };
        let volumes = &cluster.volumes;
        let mut wanted = Wanted {
            cluster,
            claims,
            bound: Vec::new(),
            delayed: Vec::new(),
            places: Vec::new(),
            exclusive: Vec::new(),
            attached: attached(volumes, claims),
            profile,
        };
        for of in claims.named().filter(|_| profile.filters(Plugin::VolumeRestrictions)) {
            let claim = volumes.claim(&of).ok_or_else(|| {
                let why = format!("persistentvolumeclaim {:?} not found", of.1);
                refused(Plugin::VolumeRestrictions, why)
            })?;
            if claim.spec.access_modes.iter().any(|mode| mode == EXCLUSIVE) {
                wanted.exclusive.push(of);
            }
        }
        if profile.filters(Plugin::VolumeBinding) {
            let found = usable(cluster, pod, claims).map_err(|why| refused(Plugin::VolumeBinding, why))?;
            wanted.sort(&found)?;
        }
        if profile.filters(Plugin::VolumeZone) {
            wanted.locate()?;
        }
        Ok(Some(wanted))
    }

    /// Which claims have their volumes, and which get them now.
    fn sort(&mut self, found: &[&'a PersistentVolumeClaim]) -> Result<(), Refusal> {
        let volumes = &self.cluster.volumes;
        for claim in found.iter().copied() {
            let name = class::of_claim(claim);
            if is_fully_bound(claim) {
                self.bound.push(volumes.volume(&claim.spec.volume_name));
            } else if claim.spec.volume_name.is_empty()
                && volumes.class(name).is_some_and(class::waits_for_consumer)
            {
                let could = |volume: &&PersistentVolume| {
                    volume.spec.claim_ref.is_none() || is_bound_to(volume, claim)
                };
                self.delayed.push((claim, volumes.of_class(name).filter(could).collect()));
            } else {
                let why = "pod has unbound immediate PersistentVolumeClaims".to_owned();
                return Err(refused(Plugin::VolumeBinding, why));
            }
        }
        self.delayed.sort_by_key(|(claim, _)| matching::requested(claim));
        Ok(())
    }

    /// Where the volumes say that they are.
    fn locate(&mut self) -> Result<(), Refusal> {
        let volumes = &self.cluster.volumes;
        for of in self.claims.named() {
            let name = volumes.claim(&of).map_or("", |claim| claim.spec.volume_name.as_str());
            if name.is_empty() {
                continue;
            }
            let volume = volumes
                .volume(name)
                .ok_or_else(|| refused(Plugin::VolumeZone, format!("persistentvolume {name:?} not found")))?;
            self.places.extend(places(volume));
        }
        Ok(())
    }

    /// Whether a node would do.
    #[inline]
    pub(crate) fn fits(&self, node: NodeIx) -> bool {
        self.judge(node).is_ok()
    }

    /// Why a node would not do: what the first of the plugins says that minds.
    pub(crate) fn reasons(&self, node: NodeIx, reasons: &mut Vec<Reason>) {
        reasons.extend(self.judge(node).err().into_iter().flatten());
    }

    /// What is to be written so that the pod can run on a node.
    pub(crate) fn decide(&self, node: NodeIx) -> Decided {
        self.judge(node).unwrap_or_default()
    }

    fn judge(&self, node: NodeIx) -> Result<Decided, Vec<Reason>> {
        if self.profile.filters(Plugin::VolumeRestrictions)
            && let Some(reason) = self.restricted(node)
        {
            return Err(vec![reason]);
        }
        if self.profile.filters(Plugin::NodeVolumeLimits)
            && let Some(reason) = self.limited(node)
        {
            return Err(vec![reason]);
        }
        let decided = self.bind(node)?;
        if self.is_elsewhere(node) {
            return Err(vec![Reason::VolumeZone]);
        }
        Ok(decided)
    }

    fn restricted(&self, node: NodeIx) -> Option<Reason> {
        let cluster = self.cluster;
        if !self.claims.disks.is_empty() {
            let others = cluster.nodes.pods[node.index()].iter();
            let mut others = others.filter_map(|other| cluster.pods[*other].claims.as_deref());
            if others.any(|other| self.claims.collides(other)) {
                return Some(Reason::DiskConflict);
            }
        }
        let is_used = self.exclusive.iter().any(|claim| cluster.volumes.is_used(claim));
        is_used.then_some(Reason::ClaimInUse)
    }

    /// Why a node cannot have the volumes: a driver does not run there, or cannot attach that many.
    fn limited(&self, node: NodeIx) -> Option<Reason> {
        let (volumes, name) = (&self.cluster.volumes, &*self.cluster.nodes.name[node.index()]);
        let missing = self.attached.values().find(|driver| !volumes.drivers.may_be_used(driver, name));
        if let Some(driver) = missing {
            return Some(Reason::NoDriver { driver: driver.as_str().into() });
        }
        self.is_too_much(node).then_some(Reason::TooManyVolumes)
    }

    /// Whether a driver cannot attach that many volumes to a node.
    fn is_too_much(&self, node: NodeIx) -> bool {
        let (cluster, name) = (self.cluster, &self.cluster.nodes.name[node.index()]);
        let Some(limits) = cluster.volumes.limits(name) else { return false };
        let mut new = self.attached.clone();
        if new.is_empty() {
            return false;
        }
        let mut there = BTreeMap::new();
        for other in &cluster.nodes.pods[node.index()] {
            if let Some(claims) = cluster.pods[*other].claims.as_deref() {
                there.extend(attached(&cluster.volumes, claims));
            }
        }
        for (driver, volume) in cluster.volumes.attached(name) {
            let volume = cluster.volumes.volume(volume);
            if let Some(csi) = volume.and_then(|volume| volume.spec.persistent_volume_source.csi.as_deref()) {
                there.insert(format!("{driver}/{}", csi.volume_handle), driver.to_owned());
            }
        }
        new.retain(|volume, _| !there.contains_key(volume));
        let count = |all: &BTreeMap<String, String>, of: &str| {
            i64::try_from(all.values().filter(|driver| *driver == of).count()).unwrap_or(i64::MAX)
        };
        let drivers: BTreeSet<&String> = new.values().collect();
        drivers.into_iter().any(|driver| {
            limits.get(driver).is_some_and(|most| count(&there, driver) + count(&new, driver) > *most)
        })
    }

    /// Upstream's `FindPodVolumes`.
    fn bind(&self, node: NodeIx) -> Result<Decided, Vec<Reason>> {
        let name = &*self.cluster.nodes.name[node.index()];
        let labels = &self.cluster.nodes.facts[node.index()].labels;
        let mut reasons = Vec::new();
        // The first of the bound claims that is wrong is told of.
        for volume in &self.bound {
            match volume {
                None => reasons.push(Reason::VolumeGone),
                Some(volume) if !matching::is_reachable(volume, labels) => {
                    reasons.push(Reason::VolumeAffinity);
                }
                Some(_) => continue,
            }
            break;
        }
        let mut decided = Decided::default();
        let mut provisions: Vec<&PersistentVolumeClaim> = Vec::new();
        let mut chosen = BTreeSet::new();
        let selected = self.delayed.iter().filter_map(|(claim, _)| Some((claim, selected_node(claim)?)));
        let (mut is_satisfied, mut has_room) = (true, true);
        for (claim, of) in selected {
            is_satisfied &= of == name;
            provisions.push(claim);
        }
        if is_satisfied {
            for (claim, could) in self.delayed.iter().filter(|(claim, _)| selected_node(claim).is_none()) {
                match matching::find(claim, could.iter().copied(), Some(labels), &chosen, true) {
                    Some(volume) => {
                        chosen.insert(volume.metadata.name.as_str());
                        decided.claims_of.push(super::key(claim));
                        decided
                            .volumes
                            .push(api_volume::bind(volume, claim).unwrap_or_else(|| volume.clone()));
                    }
                    None => provisions.push(claim),
                }
            }
            // The first that is wrong is told of.
            let makings = provisions.iter().map(|claim| self.making(claim, labels));
            match makings.into_iter().find(|making| !matches!(making, Making::Possible(_))) {
                Some(Making::TooLittleRoom) => has_room = false,
                Some(_) => is_satisfied = false,
                None => {}
            }
        }
        if !is_satisfied {
            reasons.push(Reason::NoVolume);
        }
        if !has_room {
            reasons.push(Reason::TooLittleStorage);
        }
        if !reasons.is_empty() {
            return Err(reasons);
        }
        decided.provisions = provisions.into_iter().map(|claim| selecting(claim, name)).collect();
        Ok(decided)
    }

    /// Whether a claim's volume can be made for a node with these labels.
    fn making(&self, claim: &PersistentVolumeClaim, labels: &Labels) -> Making {
        let volumes = &self.cluster.volumes;
        let class = volumes.class(class::of_claim(claim)).filter(|class| {
            !matches!(class.provisioner.as_str(), "" | NO_PROVISIONER)
                && matching::is_allowed(&class.allowed_topologies, labels)
        });
        class.map_or(Making::Impossible, |class| {
            let bytes = claim.spec.resources.requests.get(STORAGE).map(|own| own.units());
            volumes.drivers.has_room(&class.provisioner, &class.metadata.name, bytes, labels)
        })
    }

    /// Whether nodes are rated by the room that they have: there are claims that get their volumes now.
    pub(crate) fn are_rated(&self) -> bool {
        !self.delayed.is_empty() && self.profile.scores(Score::VolumeBinding)
    }

    /// How good a node is for the claims that get their volumes now: by the volumes that it has for them, or by the room for those that are to
    /// be made.
    pub(crate) fn rating(&self, node: NodeIx) -> i64 {
        let labels = &self.cluster.nodes.facts[node.index()].labels;
        let decided = self.decide(node);
        let mut asked = Asked::new();
        for (volume, of) in decided.volumes.iter().zip(&decided.claims_of) {
            let requested =
                self.cluster.volumes.claim(of).map_or(0, |claim| matching::requested(claim).units());
            let own = asked.entry(class::of_volume(volume)).or_default();
            *own = (own.0 + requested, own.1 + matching::capacity(volume).units());
        }
        if decided.volumes.is_empty() {
            for claim in &decided.provisions {
                let Making::Possible(Some(room)) = self.making(claim, labels) else { continue };
                let own = asked.entry(class::of_claim(claim)).or_default();
                *own = (own.0 + matching::requested(claim).units(), room);
            }
        }
        volume_binding::score(&asked, &self.profile.room)
    }

    /// Whether the volumes say that they are elsewhere. A node that says nothing of itself is everywhere.
    fn is_elsewhere(&self, node: NodeIx) -> bool {
        let labels = &self.cluster.nodes.facts[node.index()].labels;
        if self.places.is_empty() || !PLACES.iter().any(|place| labels.contains_key(*place)) {
            return false;
        }
        self.places.iter().any(|(key, values)| {
            let own = labels.get(*key).or_else(|| labels.get(current(key)));
            own.is_none_or(|own| !values.contains(own.as_str()))
        })
    }
}

/// The claims of a pod, all of which have to be there and its own.
fn usable<'a>(
    cluster: &'a Cluster,
    pod: PodId,
    claims: &Claims,
) -> Result<Vec<&'a PersistentVolumeClaim>, String> {
    let of = &cluster.pods[pod].of;
    let mut found = Vec::new();
    for used in &claims.uses {
        let name = &used.claim;
        let claim = cluster.volumes.claim(&claims.key(used)).ok_or_else(|| match used.is_ephemeral {
            true => {
                format!(
                    "waiting for ephemeral volume controller to create the persistentvolumeclaim {name:?}"
                )
            }
            false => format!("persistentvolumeclaim {name:?} not found"),
        })?;
        if claim.status.phase == "Lost" {
            let volume = &claim.spec.volume_name;
            return Err(format!(
                "persistentvolumeclaim {name:?} bound to non-existent persistentvolume {volume:?}"
            ));
        }
        if claim.metadata.deletion_timestamp.is_some() {
            return Err(format!("persistentvolumeclaim {name:?} is being deleted"));
        }
        let is_own = || owners::controller_of(&claim.metadata).is_some_and(|owner| *owner.uid == *of.uid);
        if used.is_ephemeral && !is_own() {
            return Err(api_volume::pod::not_its_own(&of.namespace, &of.name, claim));
        }
        found.push(claim);
    }
    Ok(found)
}

/// The claim as it is once its volume is to be made for a node.
fn selecting(claim: &PersistentVolumeClaim, node: &str) -> PersistentVolumeClaim {
    let mut claim = claim.clone();
    claim.metadata.annotations.insert(SELECTED_NODE.to_owned(), node.to_owned());
    claim
}

/// The volumes that drivers attach for a pod, with their drivers; one that is not made yet is known by its claim.
fn attached(volumes: &Volumes, claims: &Claims) -> BTreeMap<String, String> {
    let mut all = BTreeMap::new();
    for of in claims.uses.iter().map(|used| claims.key(used)) {
        let Some(claim) = volumes.claim(&of) else { continue };
        match volumes.volume(&claim.spec.volume_name) {
            Some(volume) => {
                if let Some(csi) = &volume.spec.persistent_volume_source.csi {
                    all.insert(format!("{}/{}", csi.driver, csi.volume_handle), csi.driver.clone());
                }
            }
            None => {
                if let Some(class) = volumes.class(class::of_claim(claim)) {
                    let handle = format!("{}/{}/{}", class.provisioner, of.0, of.1);
                    all.insert(handle, class.provisioner.clone());
                }
            }
        }
    }
    all
}

/// What a volume's labels say of where it is.
pub(crate) fn places(volume: &PersistentVolume) -> Vec<(&'static str, BTreeSet<&str>)> {
    let labels = &volume.metadata.labels;
    let place = |key: &'static str| {
        let values: BTreeSet<&str> = labels.get(key)?.split("__").map(str::trim).collect();
        (!values.contains("")).then_some((key, values))
    };
    PLACES.iter().filter_map(|key| place(key)).collect()
}

/// What a label is called since it is no longer beta.
fn current(key: &str) -> &str {
    match key {
        "failure-domain.beta.kubernetes.io/zone" => "topology.kubernetes.io/zone",
        "failure-domain.beta.kubernetes.io/region" => "topology.kubernetes.io/region",
        key => key,
    }
}
