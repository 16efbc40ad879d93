//! Which plugin works at which extension point, and which of them a profile has there.

use crate::types::{Plugin, PluginSet, Plugins};

/// An extension point at which plugins of single pods work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Point {
    PreEnqueue,
    QueueSort,
    PreFilter,
    Filter,
    PostFilter,
    PreScore,
    Score,
    Reserve,
    Permit,
    PreBind,
    Bind,
    PostBind,
}

use Point::{
    Bind, Filter, Permit, PostBind, PostFilter, PreBind, PreEnqueue, PreFilter, PreScore, QueueSort, Reserve,
    Score,
};

/// The plugins of upstream's default profile, in its order.
const DEFAULTS: [&str; 20] = [
    "SchedulingGates",
    "PrioritySort",
    "NodeName",
    "NodeUnschedulable",
    "TaintToleration",
    "NodeAffinity",
    "NodePorts",
    "NodeResourcesFit",
    "VolumeRestrictions",
    "NodeVolumeLimits",
    "VolumeBinding",
    "VolumeZone",
    "PodTopologySpread",
    "InterPodAffinity",
    "DynamicResources",
    "DefaultPreemption",
    "NodeResourcesBalancedAllocation",
    "ImageLocality",
    "DefaultBinder",
    "NodeDeclaredFeatures",
];

/// Upstream's own plugins, and where they work.
const KNOWN: [(&str, &[Point]); 24] = [
    ("SchedulingGates", &[PreEnqueue]),
    ("PrioritySort", &[QueueSort]),
    ("NodeName", &[PreFilter, Filter]),
    ("NodeUnschedulable", &[PreFilter, Filter]),
    ("TaintToleration", &[PreFilter, Filter, PreScore, Score]),
    ("NodeAffinity", &[PreFilter, Filter, PreScore, Score]),
    ("NodePorts", &[PreFilter, Filter]),
    ("NodeResourcesFit", &[PreFilter, Filter, PreScore, Score]),
    ("VolumeRestrictions", &[PreFilter, Filter]),
    ("NodeVolumeLimits", &[PreFilter, Filter]),
    ("VolumeBinding", &[PreFilter, Filter, PreScore, Score, Reserve, PreBind]),
    ("VolumeZone", &[PreFilter, Filter]),
    ("PodTopologySpread", &[PreFilter, Filter, PreScore, Score]),
    ("InterPodAffinity", &[PreFilter, Filter, PreScore, Score]),
    ("DynamicResources", &[PreEnqueue, PreFilter, Filter, PostFilter, Score, Reserve, PreBind]),
    ("DefaultPreemption", &[PreEnqueue, PostFilter]),
    ("NodeResourcesBalancedAllocation", &[PreScore, Score]),
    ("ImageLocality", &[Score]),
    ("DefaultBinder", &[Bind]),
    ("NodeDeclaredFeatures", &[PreFilter, Filter]),
    ("DeferredPodScheduling", &[PreFilter, Filter, Permit]),
    ("GangScheduling", &[PreEnqueue, Permit]),
    ("TopologyPlacementGenerator", &[]),
    ("PodGroupPodsCount", &[]),
];

/// All points with their sets, in the order in which upstream looks at them.
const POINTS: [(Point, &str); 12] = [
    (PreFilter, "PreFilterPlugin"),
    (Filter, "FilterPlugin"),
    (PostFilter, "PostFilterPlugin"),
    (Reserve, "ReservePlugin"),
    (PreScore, "PreScorePlugin"),
    (Score, "ScorePlugin"),
    (PreBind, "PreBindPlugin"),
    (Bind, "BindPlugin"),
    (PostBind, "PostBindPlugin"),
    (Permit, "PermitPlugin"),
    (PreEnqueue, "PreEnqueuePlugin"),
    (QueueSort, "QueueSortPlugin"),
];

impl Plugins {
    pub(crate) fn at(&self, point: Point) -> &PluginSet {
        match point {
            PreEnqueue => &self.pre_enqueue,
            QueueSort => &self.queue_sort,
            PreFilter => &self.pre_filter,
            Filter => &self.filter,
            PostFilter => &self.post_filter,
            PreScore => &self.pre_score,
            Score => &self.score,
            Reserve => &self.reserve,
            Permit => &self.permit,
            PreBind => &self.pre_bind,
            Bind => &self.bind,
            PostBind => &self.post_bind,
        }
    }
}

/// Where a plugin works; `None` for one that there is not.
fn points_of(plugin: &str) -> Option<&'static [Point]> {
    KNOWN.iter().find(|(name, _)| *name == plugin).map(|(_, points)| *points)
}

/// What a profile has at each point, with the weights that are given.
pub(crate) struct Enabled(Vec<(Point, Vec<(String, i32)>)>);

impl Enabled {
    /// Upstream's defaults with a profile's changes.
    ///
    /// # Errors
    /// When a plugin does not exist, does not work where it is enabled, or is enabled twice.
    pub(crate) fn of(plugins: &Plugins) -> Result<Enabled, String> {
        let mut enabled = Vec::new();
        for (point, word) in POINTS {
            enabled.push((point, named_at(point, word, plugins.at(point))?));
        }
        let everywhere = merged(&plugins.multi_point);
        for ((point, there), (_, word)) in enabled.iter_mut().zip(POINTS) {
            expand(*point, word, plugins.at(*point), &everywhere, there)?;
        }
        Ok(Enabled(enabled))
    }

    pub(crate) fn at(&self, point: Point) -> &[(String, i32)] {
        self.0.iter().find(|(other, _)| *other == point).map_or(&[], |(_, plugins)| plugins)
    }

    pub(crate) fn has(&self, point: Point, plugin: &str) -> bool {
        self.at(point).iter().any(|(name, _)| name == plugin)
    }
}

/// The defaults of all points, but for those that are disabled, then what is enabled besides.
fn merged(custom: &PluginSet) -> Vec<(String, i32)> {
    let weight = |plugin: &Plugin| (plugin.name.clone(), plugin.weight.unwrap_or(0));
    let disabled = |name: &str| custom.disabled.iter().any(|plugin| plugin.name == name);
    let mut enabled = Vec::new();
    let mut replaced = Vec::new();
    if !disabled("*") {
        for name in DEFAULTS.iter().filter(|name| !disabled(name)) {
            // The last that is said of one plugin replaces the default.
            let custom = custom.enabled.iter().enumerate().rfind(|(_, plugin)| plugin.name == **name);
            match custom {
                Some((at, plugin)) => {
                    replaced.push(at);
                    enabled.push(weight(plugin));
                }
                None => enabled.push(((*name).to_owned(), default_weight(name))),
            }
        }
    }
    let rest = custom.enabled.iter().enumerate().filter(|(at, _)| !replaced.contains(at));
    enabled.extend(rest.map(|(_, plugin)| weight(plugin)));
    enabled
}

/// The weight in upstream's default profile.
fn default_weight(plugin: &str) -> i32 {
    match plugin {
        "TaintToleration" => 3,
        "NodeAffinity" | "PodTopologySpread" | "InterPodAffinity" | "DynamicResources" => 2,
        "NodeResourcesFit" | "NodeResourcesBalancedAllocation" | "ImageLocality" => 1,
        _ => 0,
    }
}

/// What is enabled at a point by name.
fn named_at(point: Point, word: &str, own: &PluginSet) -> Result<Vec<(String, i32)>, String> {
    let mut enabled: Vec<(String, i32)> = Vec::new();
    for plugin in &own.enabled {
        let name = &plugin.name;
        let points = points_of(name).ok_or_else(|| format!("{word} \"{name}\" does not exist"))?;
        if !points.contains(&point) {
            return Err(format!("plugin \"{name}\" does not extend {word} plugin"));
        }
        if enabled.iter().any(|(other, _)| other == name) {
            return Err(format!("plugin \"{name}\" already registered as \"{word}\""));
        }
        enabled.push((name.clone(), plugin.weight.unwrap_or(0)));
    }
    Ok(enabled)
}

/// Adds what is enabled everywhere, as far as it is not disabled at the point.
fn expand(
    point: Point,
    word: &str,
    own: &PluginSet,
    everywhere: &[(String, i32)],
    enabled: &mut Vec<(String, i32)>,
) -> Result<(), String> {
    let disabled = |name: &str| own.disabled.iter().any(|plugin| plugin.name == name);
    if disabled("*") {
        return Ok(());
    }
    let mut added: Vec<&str> = Vec::new();
    for (name, weight) in everywhere {
        let points = points_of(name).ok_or_else(|| format!("{word} \"{name}\" does not exist"))?;
        if !points.contains(&point) || disabled(name) || own.enabled.iter().any(|own| own.name == *name) {
            continue;
        }
        if added.contains(&name.as_str()) {
            return Err(format!("plugin \"{name}\" already registered as \"{word}\""));
        }
        added.push(name);
        enabled.push((name.clone(), *weight));
    }
    Ok(())
}
