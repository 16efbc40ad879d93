//! What is to be read of the counts for one pod in one state of the cluster: gathered once, then read node by node.

use crate::cluster::Cluster;
use crate::cluster::cohort::CohortId;
use crate::cluster::node::NodeIx;
use crate::cluster::peers::{HOSTNAME, PeersId, PeersKey, Seek};
use crate::cluster::tally::{Role, Source};
use crate::cluster::topology::{ColumnId, Domains};
use crate::devices;
use crate::filters::inter_pod_affinity::{self, Terms};
use crate::filters::pod_topology_spread::{self, Constraint, Lens};
use crate::profile::Profile;
use crate::reason::{Plugin, Reason};
use crate::volumes::wanted::Wanted;
use scheduler_scores::Score;

/// A `ScheduleAnyway` constraint.
pub(crate) struct Soft<'a> {
    pub(crate) lens: Lens<'a>,
    /// Hosts are counted node by node.
    pub(crate) by_node: bool,
    pub(crate) max_skew: i32,
}

impl Soft<'_> {
    #[inline]
    pub(crate) fn count(&self, node: NodeIx, domain: u32) -> u32 {
        self.lens.count(if self.by_node { node.index() as u32 + 1 } else { domain })
    }
}

/// Everything about other pods, about volumes and devices, that filters and scores read.
#[derive(Default)]
pub(crate) struct Checks<'a> {
    pub(crate) spread: Vec<Constraint<'a>>,
    pub(crate) terms: Terms<'a>,
    pub(crate) soft: Vec<Soft<'a>>,
    pub(crate) soft_needs_all_keys: bool,
    pub(crate) weighed: Vec<(Lens<'a>, i64)>,
    /// Of pods whose volumes matter.
    pub(crate) volumes: Option<Wanted<'a>>,
    /// Of pods that use devices.
    pub(crate) devices: Option<devices::wanted::Wanted<'a>>,
}

impl<'a> Checks<'a> {
    /// What applies to a pod of this cohort with these demands, whose seeking has been ensured.
    pub(crate) fn of(
        cluster: &'a Cluster,
        profile: &Profile,
        cohort: CohortId,
        peers: Option<PeersId>,
    ) -> Checks<'a> {
        let mut checks = Checks::default();
        let sought = peers.map(|id| &cluster.peers[id]);
        let prefers = sought.is_some_and(|peers| !peers.key.preferred.is_empty());
        let settings = &profile.pod_affinity;
        let weighs =
            profile.scores(Score::InterPodAffinity) && (prefers || !settings.ignore_preferred_of_existing);
        let hard_weight = if weighs { settings.hard_weight } else { 0 };
        let repels = profile.filters(Plugin::InterPodAffinity);
        checks.meet_existing(cluster, cohort, repels, weighs, hard_weight);
        if let Some(peers) = sought
            && let Some(seek) = &peers.item.seek
        {
            if profile.filters(Plugin::PodTopologySpread) {
                checks.seek_evenly(cluster, cohort, &peers.key, seek);
            }
            if repels {
                checks.seek_peers(cluster, cohort, &peers.key, seek);
            }
            if profile.scores(Score::PodTopologySpread) {
                checks.seek_softly(cluster, &peers.key, seek);
            }
            if weighs {
                checks.seek_preferred(cluster, seek);
            }
        }
        checks
    }

    /// What pods that are there hold against, or for, this one.
    fn meet_existing(
        &mut self,
        cluster: &'a Cluster,
        cohort: CohortId,
        repels: bool,
        weighs: bool,
        hard_weight: i64,
    ) {
        for matcher in &cluster.cohorts[cohort].item.matched_by {
            for tally in &cluster.matchers[*matcher].item.carrying {
                let tally = &cluster.tallies[*tally];
                let (Source::Carrying(_, role), Domains::Label(column)) =
                    (tally.key.source, tally.key.domains)
                else {
                    continue;
                };
                if tally.item.total() == 0 {
                    continue;
                }
                let lens = lens(cluster, column, tally.item.counts());
                match role {
                    Role::Reject if repels => self.terms.existing.push(lens),
                    Role::Attract if hard_weight > 0 => self.weighed.push((lens, hard_weight)),
                    Role::Weigh(weight) if weighs => self.weighed.push((lens, i64::from(weight))),
                    Role::Reject | Role::Attract | Role::Weigh(_) => {}
                }
            }
        }
    }

    fn seek_evenly(&mut self, cluster: &'a Cluster, cohort: CohortId, key: &PeersKey, seek: &Seek) {
        let own = &cluster.cohorts[cohort].key;
        for (spread, (column, tally)) in key.hard.iter().zip(&seek.hard) {
            let tally = &cluster.tallies[*tally].item;
            let counted = spread.selector.matches(&own.labels);
            let lens = lens(cluster, *column, tally.counts());
            self.spread.push(Constraint::new(
                lens,
                spread.max_skew,
                tally.least(spread.min_domains),
                counted,
            ));
        }
    }

    fn seek_peers(&mut self, cluster: &'a Cluster, cohort: CohortId, key: &PeersKey, seek: &Seek) {
        let own = &cluster.cohorts[cohort].key;
        self.terms.own = !key.affinity.is_empty() || !key.anti_affinity.is_empty();
        let mut matching = 0;
        for (column, tally) in &seek.affinity {
            let tally = &cluster.tallies[*tally].item;
            matching += tally.total();
            self.terms.affinity.push(lens(cluster, *column, tally.counts()));
        }
        if !key.affinity.is_empty() && matching == 0 {
            self.terms.may_be_first = cluster.is_match(&key.affinity_matcher(), own);
        }
        for (column, tally) in &seek.anti_affinity {
            let tally = &cluster.tallies[*tally].item;
            if tally.total() > 0 {
                self.terms.anti_affinity.push(lens(cluster, *column, tally.counts()));
            }
        }
    }

    fn seek_softly(&mut self, cluster: &'a Cluster, key: &PeersKey, seek: &Seek) {
        for (spread, (column, tally)) in key.soft.iter().zip(&seek.soft) {
            let counts = tally.map_or(&[][..], |tally| cluster.tallies[tally].item.counts());
            self.soft.push(Soft {
                lens: lens(cluster, *column, counts),
                by_node: spread.key == HOSTNAME,
                max_skew: spread.max_skew,
            });
        }
        self.soft_needs_all_keys = key.soft_needs_all_keys;
    }

    fn seek_preferred(&mut self, cluster: &'a Cluster, seek: &Seek) {
        for (column, tally, weight) in &seek.preferred {
            let tally = &cluster.tallies[*tally].item;
            if tally.total() > 0 {
                self.weighed.push((lens(cluster, *column, tally.counts()), *weight));
            }
        }
    }

    /// The same for a pod whose volumes ask this of nodes.
    pub(crate) fn with_volumes(mut self, volumes: Option<Wanted<'a>>) -> Checks<'a> {
        self.volumes = volumes;
        self
    }

    /// The same for a pod whose claims of devices ask this of nodes.
    pub(crate) fn with_devices(mut self, devices: Option<devices::wanted::Wanted<'a>>) -> Checks<'a> {
        self.devices = devices;
        self
    }

    /// Whether neither other pods, nor volumes, nor devices matter.
    pub(crate) fn is_free(&self) -> bool {
        self.volumes.is_none() && self.devices.is_none() && self.spread.is_empty() && !self.terms.apply()
    }

    /// Why a node is no place because of the pod's volumes.
    pub(crate) fn reject_volumes(&self, node: NodeIx, reasons: &mut Vec<Reason>) {
        if let Some(volumes) = &self.volumes {
            volumes.reasons(node, reasons);
        }
    }

    /// Whether a node has the devices, which is what is asked last.
    pub(crate) fn has_devices(&self, node: NodeIx) -> bool {
        self.devices.as_ref().is_none_or(|devices| devices.fits(node))
    }

    /// Why a node is no place because of the pod's devices.
    pub(crate) fn reject_devices(&self, node: NodeIx, reasons: &mut Vec<Reason>) {
        if let Some(devices) = &self.devices {
            devices.reasons(node, reasons);
        }
    }

    /// Why the pod cannot be scheduled at all, as was found while nodes were looked at.
    pub(crate) fn error(&self) -> Option<String> {
        self.devices.as_ref().and_then(devices::wanted::Wanted::error)
    }

    /// Why a node is no place because of other pods, if so.
    #[inline]
    pub(crate) fn reject(&self, node: NodeIx) -> Option<Reason> {
        pod_topology_spread::check(&self.spread, node)
            .or_else(|| inter_pod_affinity::check(&self.terms, node))
    }
}

fn lens<'a>(cluster: &'a Cluster, column: ColumnId, counts: &'a [u32]) -> Lens<'a> {
    Lens { domains: cluster.columns[column].item.domains(), counts }
}
