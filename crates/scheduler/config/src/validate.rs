//! What is wrong with a configuration, in upstream's words and places.

mod args;

use std::collections::{BTreeMap, BTreeSet};

use api_meta::field::{ErrorList, FieldError, Path};
use api_meta::labels::validate_label_name;

use crate::types::{Extender, KubeSchedulerProfile, PluginSet};
use crate::{API_VERSION, Told};

/// Plugins that there once were.
const GONE: [&str; 4] = ["AzureDiskLimits", "CinderLimits", "EBSLimits", "GCEPDLimits"];

/// All that is wrong.
pub(crate) fn errors(told: &Told) -> ErrorList {
    let mut errors = ErrorList::new();
    let whole = &told.whole;
    let election = &whole.leader_election;
    if election.leader_elect != Some(false) && election.resource_lock != "leases" {
        errors.push(FieldError::invalid(
            &Path::new("leaderElection").child("resourceLock"),
            &election.resource_lock,
            "resourceLock value must be \"leases\"",
        ));
    }
    let parallelism = whole.parallelism.unwrap_or_default();
    if parallelism <= 0 {
        let path = Path::new("parallelism");
        errors.push(FieldError::invalid(&path, parallelism, "should be an integer value greater than zero"));
    }
    profiles(told, &mut errors);
    percentage(&Path::new("percentageOfNodesToScore"), whole.percentage_of_nodes_to_score, &mut errors);
    let initial = whole.pod_initial_backoff_seconds.unwrap_or_default();
    let most = whole.pod_max_backoff_seconds.unwrap_or_default();
    if initial <= 0 {
        let path = Path::new("podInitialBackoffSeconds");
        errors.push(FieldError::invalid(&path, initial, "must be greater than 0"));
    }
    if most < initial {
        let path = Path::new("podMaxBackoffSeconds");
        let says = "must be greater than or equal to PodInitialBackoffSeconds";
        errors.push(FieldError::invalid(&path, most, says));
    }
    extenders(&whole.extenders, &mut errors);
    errors
}

fn percentage(path: &Path, share: Option<i32>, errors: &mut ErrorList) {
    if let Some(share) = share.filter(|share| !(0..=100).contains(share)) {
        errors.push(FieldError::invalid(path, share, "not in valid range [0-100]"));
    }
}

fn profiles(told: &Told, errors: &mut ErrorList) {
    let all = Path::new("profiles");
    let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
    for (at, profile) in told.whole.profiles.iter().enumerate() {
        let path = all.index(at);
        let name = profile.scheduler_name.as_deref().unwrap_or_default();
        if name.is_empty() {
            errors.push(FieldError::required(&path.child("schedulerName"), ""));
        }
        percentage(&path.child("percentageOfNodesToScore"), profile.percentage_of_nodes_to_score, errors);
        plugins(&path, profile, errors);
        plugin_configs(&path, profile, &told.args[at], errors);
        if let Some(first) = seen.insert(name, at) {
            let of_first = all.index(first).child("schedulerName").to_string();
            errors.push(FieldError::duplicate(&path.child("schedulerName"), of_first));
        }
    }
    queue_sort(&told.whole.profiles, errors);
}

fn gone(path: &Path, name: &str, errors: &mut ErrorList) -> bool {
    let gone = GONE.contains(&name);
    if gone {
        let says = format!(
            "was invalid in version \"{API_VERSION}\" (KubeSchedulerConfiguration is version \"{API_VERSION}\")"
        );
        errors.push(FieldError::invalid(path, name, says));
    }
    gone
}

fn plugins(path: &Path, profile: &KubeSchedulerProfile, errors: &mut ErrorList) {
    let Some(plugins) = &profile.plugins else { return };
    let path = path.child("plugins");
    for (point, set) in [
        ("preEnqueue", &plugins.pre_enqueue),
        ("queueSort", &plugins.queue_sort),
        ("preFilter", &plugins.pre_filter),
        ("filter", &plugins.filter),
        ("postFilter", &plugins.post_filter),
        ("preScore", &plugins.pre_score),
        ("score", &plugins.score),
        ("reserve", &plugins.reserve),
        ("permit", &plugins.permit),
        ("preBind", &plugins.pre_bind),
        ("bind", &plugins.bind),
        ("postBind", &plugins.post_bind),
        ("podGroupPostFilter", &plugins.pod_group_post_filter),
    ] {
        for (at, plugin) in set.enabled.iter().enumerate() {
            gone(&path.child(point).child("enabled").index(at), &plugin.name, errors);
        }
    }
}

fn plugin_configs(path: &Path, profile: &KubeSchedulerProfile, args: &[args::Args], errors: &mut ErrorList) {
    let mut seen: BTreeSet<&str> = BTreeSet::new();
    for (at, (config, args)) in profile.plugin_config.iter().zip(args).enumerate() {
        let path = path.child("pluginConfig").index(at);
        if !seen.insert(&config.name) {
            errors.push(FieldError::duplicate(&path, &config.name));
        }
        if !gone(&path, &config.name, errors) {
            args::check(&path.child("args"), args, errors);
        }
    }
}

/// All profiles share a queue.
fn queue_sort(profiles: &[KubeSchedulerProfile], errors: &mut ErrorList) {
    let names = |set: &PluginSet| {
        let name = |plugin: &crate::types::Plugin| (plugin.name.clone(), plugin.weight);
        let enabled: Vec<_> = set.enabled.iter().map(name).collect();
        let disabled: Vec<_> = set.disabled.iter().map(name).collect();
        (enabled, disabled)
    };
    let of = |profile: &KubeSchedulerProfile| {
        profile.plugins.as_ref().map(|plugins| names(&plugins.queue_sort)).unwrap_or_default()
    };
    let Some((first, others)) = profiles.split_first() else { return };
    let canon = of(first);
    let path = Path::new("profiles");
    if canon.0.len() > 1 {
        let path = path.index(0).child("plugins").child("queueSort").child("Enabled");
        let count = i64::try_from(canon.0.len()).unwrap_or(i64::MAX);
        errors.push(FieldError::invalid(&path, count, "only one queue sort plugin can be enabled"));
    }
    for (at, other) in others.iter().enumerate() {
        if of(other) != canon {
            let path = path.index(at + 1).child("plugins").child("queueSort");
            let shown = of(other).0.into_iter().map(|(name, _)| name).collect::<Vec<_>>();
            errors.push(FieldError::invalid(&path, &shown, "must be the same for all profiles"));
        }
    }
}

fn extenders(extenders: &[Extender], errors: &mut ErrorList) {
    let all = Path::new("extenders");
    let mut managed: BTreeSet<&str> = BTreeSet::new();
    for (at, extender) in extenders.iter().enumerate() {
        let path = all.index(at);
        if !extender.prioritize_verb.is_empty() && extender.weight <= 0 {
            let says = "must have a positive weight applied to it";
            errors.push(FieldError::invalid(&path.child("weight"), extender.weight, says));
        }
        for (at, resource) in extender.managed_resources.iter().enumerate() {
            let path = path.child("managedResources").index(at).child("name");
            extended_resource(&path, &resource.name, errors);
            if !managed.insert(&resource.name) {
                let says = "duplicate extender managed resource name";
                errors.push(FieldError::invalid(&path, &resource.name, says));
            }
        }
    }
    let binders = extenders.iter().filter(|extender| !extender.bind_verb.is_empty()).count();
    if binders > 1 {
        let found = format!("found {binders} extenders implementing bind");
        errors.push(FieldError::invalid(&all, found, "only one extender can implement bind"));
    }
}

fn extended_resource(path: &Path, name: &str, errors: &mut ErrorList) {
    let wrong = validate_label_name(name, path);
    if !wrong.is_empty() {
        errors.extend(wrong);
        return;
    }
    let native = !name.contains('/') || name.contains("kubernetes.io/");
    if native || name.starts_with("requests.") {
        errors.push(FieldError::invalid(path, name, "is an invalid extended resource name"));
    }
}
