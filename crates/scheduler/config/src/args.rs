//! The arguments of plugins: read by the plugin's name, with their defaults.

use api_codec::{Strictness, json};
use api_record::Record;

use crate::types::{
    DefaultPreemptionArgs, DynamicResourcesArgs, InterPodAffinityArgs, NodeAffinityArgs,
    NodeResourcesBalancedAllocationArgs, NodeResourcesFitArgs, PodTopologySpreadArgs, ResourceSpec,
    ScoringStrategy, VolumeBindingArgs,
};
use crate::{API_VERSION, limits};

/// How one plugin is set.
#[derive(Clone)]
pub(crate) enum Args {
    Preemption(DefaultPreemptionArgs),
    PodAffinity(InterPodAffinityArgs),
    NodeAffinity(NodeAffinityArgs),
    Balanced(NodeResourcesBalancedAllocationArgs),
    Fit(NodeResourcesFitArgs),
    Spread(PodTopologySpreadArgs),
    Volumes(VolumeBindingArgs),
    Claims(DynamicResourcesArgs),
    /// The plugin takes none, or is not upstream's own: what is said to it is not looked at.
    None,
}

impl Args {
    /// Those of a plugin, and what strict decoding objects to.
    pub(crate) fn decode(plugin: &str, text: &[u8]) -> Result<(Args, Vec<String>), String> {
        let mut args = match plugin {
            "DefaultPreemption" => Args::Preemption(DefaultPreemptionArgs::default()),
            "InterPodAffinity" => Args::PodAffinity(InterPodAffinityArgs::default()),
            "NodeAffinity" => Args::NodeAffinity(NodeAffinityArgs::default()),
            "NodeResourcesBalancedAllocation" => {
                Args::Balanced(NodeResourcesBalancedAllocationArgs::default())
            }
            "NodeResourcesFit" => Args::Fit(NodeResourcesFitArgs::default()),
            "PodTopologySpread" => Args::Spread(PodTopologySpreadArgs::default()),
            "VolumeBinding" => Args::Volumes(VolumeBindingArgs::default()),
            "DynamicResources" => Args::Claims(DynamicResourcesArgs::default()),
            _ => return Ok((Args::None, Vec::new())),
        };
        let mut strict = Strictness::default();
        let wrong = |error: &dyn std::fmt::Display| format!("decoding args for plugin {plugin}: {error}");
        if text != b"null" {
            let meta = json::type_meta(text, limits()).map_err(|error| wrong(&error))?;
            let wanted = format!("{plugin}Args");
            if !meta.kind.is_empty() && meta.kind != wanted {
                let group = API_VERSION.split('/').next().unwrap_or_default();
                let found = meta.kind;
                return Err(format!(
                    "args for plugin {plugin} were not of type {wanted}.{group}, got {found}.{group}"
                ));
            }
            json::decode(text, args.record(), Some(&mut strict), limits()).map_err(|error| wrong(&error))?;
        }
        args.fill_in();
        Ok((args, strict.errors().to_vec()))
    }

    fn record(&mut self) -> &mut dyn Record {
        match self {
            Args::Preemption(args) => args,
            Args::PodAffinity(args) => args,
            Args::NodeAffinity(args) => args,
            Args::Balanced(args) => args,
            Args::Fit(args) => args,
            Args::Spread(args) => args,
            Args::Volumes(args) => args,
            Args::Claims(args) => args,
            Args::None => unreachable!("plugins without arguments are not decoded"),
        }
    }

    fn fill_in(&mut self) {
        match self {
            Args::Preemption(args) => {
                args.min_candidate_nodes_percentage.get_or_insert(10);
                args.min_candidate_nodes_absolute.get_or_insert(100);
            }
            Args::PodAffinity(args) => drop(args.hard_pod_affinity_weight.get_or_insert(1)),
            Args::Balanced(args) => weigh(&mut args.resources),
            Args::Fit(args) => {
                let least = || {
                    Box::new(ScoringStrategy { type_: "LeastAllocated".into(), ..ScoringStrategy::default() })
                };
                weigh(&mut args.scoring_strategy.get_or_insert_with(least).resources);
            }
            Args::Spread(args) if args.defaulting_type.is_empty() => args.defaulting_type = "System".into(),
            Args::Volumes(args) => drop(args.bind_timeout_seconds.get_or_insert(600)),
            Args::Spread(_) | Args::NodeAffinity(_) | Args::Claims(_) | Args::None => {}
        }
    }
}

/// CPU and memory if nothing is named; what has no weight weighs one.
fn weigh(resources: &mut Vec<ResourceSpec>) {
    if resources.is_empty() {
        *resources = ["cpu", "memory"].map(|name| ResourceSpec { name: name.into(), weight: 0 }).into();
    }
    for resource in resources.iter_mut().filter(|resource| resource.weight == 0) {
        resource.weight = 1;
    }
}
