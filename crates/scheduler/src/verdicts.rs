//! What each shape of pod gets of each node, remembered until the node changes.
//!
//! A verdict holds which of the node's own filters rejects the shape, and the scores that no other node takes part in. A
//! binding changes one node's stamp, so the next pod of the shape has one node judged again and reads the others.
//! The shapes used last are remembered, as many as [`crate::limits`] allow.

use crate::cluster::Cluster;
use crate::cluster::node::NodeIx;
use crate::limits::{MAX_REMEMBERED_SHAPES, MIN_REMEMBERED_SHAPES, REMEMBERED_BYTES};
use crate::profile::{Profile, Resource};
use crate::reason::{Plugin, Reason};
use crate::shape::Shape;
use scheduler_arena::{Interned, SharedId};
use scheduler_filters::{node_ports, node_unschedulable, taint_toleration};
use scheduler_scores::allocation::{self, Taken};
use scheduler_scores::balanced_allocation::{self, Change};

/// The place of a shape.
pub(crate) type ShapeId = SharedId<Shape, Memory>;

/// Where a shape's verdicts are, if they are remembered.
#[derive(Default)]
pub(crate) struct Memory(Option<usize>);

/// The first of the node's own filters that rejects.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Verdict {
    #[default]
    Fits,
    Unschedulable,
    Taint,
    EnforcedAffinity,
    NodeAffinity,
    Ports,
    Resources,
}

/// What a shape gets of one node.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Cell {
    stamp: u32,
    /// Raw, as is the next.
    pub(crate) affinity: i32,
    pub(crate) taints: u16,
    pub(crate) fit: u8,
    pub(crate) balance: u8,
    pub(crate) verdict: Verdict,
}

/// What a shape gets of all nodes.
struct Sheet {
    shape: ShapeId,
    used: u64,
    cells: Vec<Cell>,
    images: Vec<u8>,
    images_of: (u64, usize),
}

/// All shapes in use, and the sheets of those used last.
#[derive(Default)]
pub(crate) struct Verdicts {
    shapes: Interned<Shape, Memory>,
    sheets: Vec<Sheet>,
    clock: u64,
}

/// A sheet that is up to date as far as it is asked.
pub(crate) struct Judge<'a> {
    shape: &'a Shape,
    cells: &'a mut Vec<Cell>,
    pub(crate) images: &'a [u8],
}

impl Verdicts {
    pub(crate) fn acquire(&mut self, shape: Shape) -> ShapeId {
        match self.shapes.acquire(&shape) {
            Some(id) => id,
            None => self.shapes.insert(shape, Memory::default()),
        }
    }

    pub(crate) fn release(&mut self, id: ShapeId) {
        self.shapes.release(id);
    }

    pub(crate) fn shape(&self, id: ShapeId) -> &Shape {
        &self.shapes[id].key
    }

    /// The judge of a shape.
    pub(crate) fn judge(&mut self, id: ShapeId, cluster: &Cluster) -> Judge<'_> {
        self.clock += 1;
        let at = match self.shapes[id].item.0 {
            Some(at) => at,
            None => self.open_sheet(id, cluster.nodes.slots()),
        };
        let shape = &self.shapes[id].key;
        let sheet = &mut self.sheets[at];
        sheet.used = self.clock;
        if sheet.cells.len() < cluster.nodes.slots() {
            sheet.cells.resize(cluster.nodes.slots(), Cell::default());
        }
        let images_of = (cluster.images.state_of(&shape.images), cluster.order.len());
        if images_of.0 == 0 {
            sheet.images.clear();
        } else if images_of != sheet.images_of || sheet.images.len() < cluster.nodes.slots() {
            cluster.image_scores(&shape.images, &mut sheet.images);
        }
        sheet.images_of = images_of;
        Judge { shape, cells: &mut sheet.cells, images: &sheet.images }
    }

    fn open_sheet(&mut self, id: ShapeId, slots: usize) -> usize {
        let affordable = REMEMBERED_BYTES / (slots.max(1) * size_of::<Cell>());
        let most = affordable.clamp(MIN_REMEMBERED_SHAPES, MAX_REMEMBERED_SHAPES);
        self.shapes.retain(id);
        if self.sheets.len() < most {
            let at = self.sheets.len();
            self.sheets.push(Sheet {
                shape: id,
                used: 0,
                cells: Vec::new(),
                images: Vec::new(),
                images_of: (0, 0),
            });
            self.shapes[id].item.0 = Some(at);
            return at;
        }
        let oldest = (0..self.sheets.len()).min_by_key(|at| self.sheets[*at].used).unwrap_or(0);
        let sheet = &mut self.sheets[oldest];
        let before = std::mem::replace(&mut sheet.shape, id);
        sheet.cells.fill(Cell::default());
        sheet.images_of = (0, 0);
        self.shapes[before].item.0 = None;
        self.shapes.release(before);
        self.shapes[id].item.0 = Some(oldest);
        oldest
    }
}

#[cfg(test)]
impl Verdicts {
    /// # Panics
    /// If what is remembered of a node that has not changed is not what it gets now.
    pub(crate) fn audit(&self, cluster: &Cluster) {
        for sheet in &self.sheets {
            for (at, cell) in sheet.cells.iter().enumerate() {
                if cell.stamp != 0 && cell.stamp == cluster.nodes.stamp[at] {
                    assert_eq!(*cell, judge(&self.shapes[sheet.shape].key, cluster, NodeIx::at(at)));
                }
            }
        }
    }
}

impl<'a> Judge<'a> {
    pub(crate) fn shape(&self) -> &'a Shape {
        self.shape
    }

    /// What the shape gets of a node.
    #[inline]
    pub(crate) fn cell(&mut self, cluster: &Cluster, node: NodeIx) -> Cell {
        let cell = self.cells[node.index()];
        if cell.stamp == cluster.nodes.stamp[node.index()] {
            return cell;
        }
        let cell = judge(self.shape, cluster, node);
        self.cells[node.index()] = cell;
        cell
    }

    /// What the shape got of a node that has just been asked about.
    #[inline]
    pub(crate) fn known(&self, node: NodeIx) -> Cell {
        self.cells[node.index()]
    }
}

/// What a shape gets of a node, freshly judged.
pub(crate) fn judge(shape: &Shape, cluster: &Cluster, node: NodeIx) -> Cell {
    let (nodes, at) = (&cluster.nodes, node.index());
    let facts = &nodes.facts[at];
    let profile = cluster.profiles.of(shape.profile);
    let verdict = first_to_reject(shape, profile, cluster, node);
    let mut cell = Cell { stamp: nodes.stamp[at], verdict, ..Cell::default() };
    if verdict == Verdict::Fits {
        let (name, labels) = (&nodes.name[at], &facts.labels);
        let affinity = shape.preferred.weight(name, labels) + profile.added.preferred.weight(name, labels);
        cell.affinity = affinity.clamp(i64::from(i32::MIN), i64::from(i32::MAX)) as i32;
        cell.taints = taint_toleration::untolerated_soft(&facts.taints, &shape.tolerations) as u16;
        let (fit, balance) = resources(shape, profile, cluster, at);
        (cell.fit, cell.balance) = (fit as u8, balance as u8);
    }
    cell
}

/// The first of the profile's filters that rejects.
fn first_to_reject(shape: &Shape, profile: &Profile, cluster: &Cluster, node: NodeIx) -> Verdict {
    let (nodes, at) = (&cluster.nodes, node.index());
    let (name, facts) = (&nodes.name[at], &nodes.facts[at]);
    let asks = |plugin| profile.filters(plugin);
    if asks(Plugin::NodeUnschedulable) && !node_unschedulable::admits(facts.unschedulable, &shape.tolerations)
    {
        Verdict::Unschedulable
    } else if asks(Plugin::TaintToleration) && !taint_toleration::admits(&facts.taints, &shape.tolerations) {
        Verdict::Taint
    } else if asks(Plugin::NodeAffinity) && !profile.added.admits(name, &facts.labels) {
        Verdict::EnforcedAffinity
    } else if asks(Plugin::NodeAffinity) && !shape.required.matches(name, &facts.labels) {
        Verdict::NodeAffinity
    } else if asks(Plugin::NodePorts)
        && !shape.ports.is_empty()
        && !node_ports::fits(&shape.ports, nodes.ports[at].keys())
    {
        Verdict::Ports
    } else if asks(Plugin::NodeResourcesFit) && !nodes.room(node).fits(shape.needed()) {
        Verdict::Resources
    } else {
        Verdict::Fits
    }
}

/// What the use of resources is worth once the pod is there, and how even it gets.
fn resources(shape: &Shape, profile: &Profile, cluster: &Cluster, at: usize) -> (i64, i64) {
    let demand = &shape.demand;
    let taken = profile.fit.resources.iter().map(|(resource, weight)| {
        let [allocatable, requested] = use_of(cluster, at, resource, true);
        let wanted = shape.weighed().of_resource(resource, true);
        Taken {
            requested: requested + wanted,
            allocatable: counted(resource, wanted, allocatable),
            weight: *weight,
        }
    });
    let fit = allocation::score(&profile.fit.strategy, taken);
    if profile.balanced.iter().all(|resource| demand.of_resource(resource, false) == 0) {
        return (fit, 0);
    }
    let changes = profile.balanced.iter().map(|resource| {
        let [allocatable, without] = use_of(cluster, at, resource, false);
        let wanted = demand.of_resource(resource, false);
        Change { with: without + wanted, without, allocatable: counted(resource, wanted, allocatable) }
    });
    (fit, balanced_allocation::score(changes))
}

/// A resource that not every node has counts only for pods that want it.
fn counted(resource: &Resource, wanted: i64, allocatable: i64) -> i64 {
    match resource {
        Resource::Other(_) if wanted == 0 => 0,
        _ => allocatable,
    }
}

/// How much of a resource a node has, and how much of it is taken, as scores count it or as it is.
fn use_of(cluster: &Cluster, at: usize, resource: &Resource, as_scored: bool) -> [i64; 2] {
    let nodes = &cluster.nodes;
    let (have, taken) = (&nodes.allocatable[at], &nodes.requested[at]);
    match resource {
        Resource::Cpu if as_scored => [have.cpu_milli, nodes.scored[at][0]],
        Resource::Cpu => [have.cpu_milli, taken.cpu_milli],
        Resource::Memory if as_scored => [have.memory_bytes, nodes.scored[at][1]],
        Resource::Memory => [have.memory_bytes, taken.memory_bytes],
        Resource::EphemeralStorage => [have.ephemeral_bytes, taken.ephemeral_bytes],
        Resource::Other(name) => {
            let found = nodes.extended[at].iter().find(|extended| extended.name == *name);
            found.map_or([0, 0], |extended| [extended.allocatable, extended.requested])
        }
    }
}

/// The reasons behind a verdict.
pub(crate) fn reasons(
    verdict: Verdict,
    shape: &Shape,
    cluster: &Cluster,
    node: NodeIx,
    reasons: &mut Vec<Reason>,
) {
    match verdict {
        Verdict::Fits => {}
        Verdict::Unschedulable => reasons.push(Reason::Unschedulable),
        Verdict::Taint => reasons.push(Reason::Taint),
        Verdict::EnforcedAffinity => reasons.push(Reason::EnforcedAffinity),
        Verdict::NodeAffinity => reasons.push(Reason::NodeAffinity),
        Verdict::Ports => reasons.push(Reason::Ports),
        Verdict::Resources => cluster.nodes.room(node).lacks(shape.needed(), reasons),
    }
}
