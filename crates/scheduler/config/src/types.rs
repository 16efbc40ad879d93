//! The types of `kubescheduler.config.k8s.io/v1`, as records: the codec that reads objects reads these too, as strictly.

use api_record::scalar::{Duration, RawJson};
use api_record::{self as r, Bytes, Field, Flags, ListKind, Merge, Ref, Schema, Shape};
use api_types::core::v1 as core;

/// A list of records. No function: what it makes has to be there for good.
macro_rules! list {
    ($schema:expr) => {
        Shape::List(Ref::Static(&Shape::Record(Ref::Static($schema))))
    };
}

const fn record(schema: &'static Schema) -> Shape {
    Shape::Record(Ref::Static(schema))
}

const fn field(name: &'static str, tag: u32, shape: Shape, flags: u8) -> Field {
    Field::new(name, tag, shape, Flags(flags), ListKind::Unset, Merge::NONE, None, &[], &[])
}

/// May be left out, and is told from its zero.
const POINTER: u8 = Flags::POINTER | Flags::OMIT_EMPTY;
/// May be left out.
const PLAIN: u8 = Flags::OMIT_EMPTY;

/// A record with its schema, a field a line: its place, its name here and its type, its name there and its shape.
macro_rules! kind {
    (
        $(#[$meta:meta])* $type:ident, $schema:ident, $is_object:literal;
        $($index:literal $field:ident: $of:ty, $name:literal, $shape:expr, $flags:expr;)*
    ) => {
        $(#[$meta])*
        #[derive(Clone, Default)]
        pub(crate) struct $type {
            $(pub(crate) $field: $of,)*
        }
        r::record!($type, $schema $(, $index $field)*);
        static $schema: Schema = Schema {
            name: Ref::Static(stringify!($type)),
            package: Ref::Static("k8s.io.kube_scheduler.config.v1"),
            type_meta: $is_object,
            json: r::JsonForm::Object,
            atomic: false,
            carries: r::Carries { defaults: false, gates: false, rules: false },
            wire_order: Ref::Static(&[$($index),*]),
            fields: Ref::Static(&[$(field($name, $index + 1, $shape, $flags),)*]),
        };
    };
}

kind! {
    /// The whole.
    KubeSchedulerConfiguration, KUBE_SCHEDULER_CONFIGURATION, true;
    0 parallelism: Option<i32>, "parallelism", Shape::Int32, POINTER;
    1 leader_election: LeaderElectionConfiguration, "leaderElection", record(&LEADER_ELECTION_CONFIGURATION), PLAIN;
    2 client_connection: ClientConnectionConfiguration, "clientConnection", record(&CLIENT_CONNECTION_CONFIGURATION), PLAIN;
    3 enable_profiling: Option<bool>, "enableProfiling", Shape::Bool, POINTER;
    4 enable_contention_profiling: Option<bool>, "enableContentionProfiling", Shape::Bool, POINTER;
    5 percentage_of_nodes_to_score: Option<i32>, "percentageOfNodesToScore", Shape::Int32, POINTER;
    6 pod_initial_backoff_seconds: Option<i64>, "podInitialBackoffSeconds", Shape::Int64, POINTER;
    7 pod_max_backoff_seconds: Option<i64>, "podMaxBackoffSeconds", Shape::Int64, POINTER;
    8 profiles: Vec<KubeSchedulerProfile>, "profiles", list!(&KUBE_SCHEDULER_PROFILE), PLAIN;
    9 extenders: Vec<Extender>, "extenders", list!(&EXTENDER), PLAIN;
    10 delay_cache_until_active: bool, "delayCacheUntilActive", Shape::Bool, PLAIN;
}

kind! {
    /// Who leads of several.
    LeaderElectionConfiguration, LEADER_ELECTION_CONFIGURATION, false;
    0 leader_elect: Option<bool>, "leaderElect", Shape::Bool, POINTER;
    1 lease_duration: Option<Duration>, "leaseDuration", Shape::Duration, POINTER;
    2 renew_deadline: Option<Duration>, "renewDeadline", Shape::Duration, POINTER;
    3 retry_period: Option<Duration>, "retryPeriod", Shape::Duration, POINTER;
    4 resource_lock: String, "resourceLock", Shape::String, PLAIN;
    5 resource_name: String, "resourceName", Shape::String, PLAIN;
    6 resource_namespace: String, "resourceNamespace", Shape::String, PLAIN;
}

kind! {
    /// How the API is reached.
    ClientConnectionConfiguration, CLIENT_CONNECTION_CONFIGURATION, false;
    0 kubeconfig: String, "kubeconfig", Shape::String, PLAIN;
    1 accept_content_types: String, "acceptContentTypes", Shape::String, PLAIN;
    2 content_type: String, "contentType", Shape::String, PLAIN;
    3 qps: f64, "qps", Shape::Float, PLAIN;
    4 burst: i32, "burst", Shape::Int32, PLAIN;
}

kind! {
    /// How pods are scheduled that ask for a scheduler of this name.
    KubeSchedulerProfile, KUBE_SCHEDULER_PROFILE, false;
    0 scheduler_name: Option<String>, "schedulerName", Shape::String, POINTER;
    1 percentage_of_nodes_to_score: Option<i32>, "percentageOfNodesToScore", Shape::Int32, POINTER;
    2 plugins: Option<Box<Plugins>>, "plugins", record(&PLUGINS), POINTER;
    3 plugin_config: Vec<PluginConfig>, "pluginConfig", list!(&PLUGIN_CONFIG), PLAIN;
}

kind! {
    /// The plugins of each extension point.
    Plugins, PLUGINS, false;
    0 pre_enqueue: PluginSet, "preEnqueue", record(&PLUGIN_SET), PLAIN;
    1 queue_sort: PluginSet, "queueSort", record(&PLUGIN_SET), PLAIN;
    2 pre_filter: PluginSet, "preFilter", record(&PLUGIN_SET), PLAIN;
    3 filter: PluginSet, "filter", record(&PLUGIN_SET), PLAIN;
    4 post_filter: PluginSet, "postFilter", record(&PLUGIN_SET), PLAIN;
    5 pre_score: PluginSet, "preScore", record(&PLUGIN_SET), PLAIN;
    6 score: PluginSet, "score", record(&PLUGIN_SET), PLAIN;
    7 reserve: PluginSet, "reserve", record(&PLUGIN_SET), PLAIN;
    8 permit: PluginSet, "permit", record(&PLUGIN_SET), PLAIN;
    9 pre_bind: PluginSet, "preBind", record(&PLUGIN_SET), PLAIN;
    10 bind: PluginSet, "bind", record(&PLUGIN_SET), PLAIN;
    11 post_bind: PluginSet, "postBind", record(&PLUGIN_SET), PLAIN;
    12 multi_point: PluginSet, "multiPoint", record(&PLUGIN_SET), PLAIN;
    13 placement_generate: PluginSet, "placementGenerate", record(&PLUGIN_SET), PLAIN;
    14 placement_score: PluginSet, "placementScore", record(&PLUGIN_SET), PLAIN;
    15 pod_group_post_filter: PluginSet, "podGroupPostFilter", record(&PLUGIN_SET), PLAIN;
}

kind! {
    /// What is enabled at a point beyond the default, and what is not.
    PluginSet, PLUGIN_SET, false;
    0 enabled: Vec<Plugin>, "enabled", list!(&PLUGIN), PLAIN;
    1 disabled: Vec<Plugin>, "disabled", list!(&PLUGIN), PLAIN;
}

kind! {
    /// A plugin by its name.
    Plugin, PLUGIN, false;
    0 name: String, "name", Shape::String, 0;
    1 weight: Option<i32>, "weight", Shape::Int32, POINTER;
}

kind! {
    /// How a plugin is set.
    PluginConfig, PLUGIN_CONFIG, false;
    0 name: String, "name", Shape::String, 0;
    1 args: RawJson, "args", Shape::Json, PLAIN;
}

kind! {
    /// A program that is asked over HTTP.
    Extender, EXTENDER, false;
    0 url_prefix: String, "urlPrefix", Shape::String, 0;
    1 filter_verb: String, "filterVerb", Shape::String, PLAIN;
    2 preempt_verb: String, "preemptVerb", Shape::String, PLAIN;
    3 prioritize_verb: String, "prioritizeVerb", Shape::String, PLAIN;
    4 weight: i64, "weight", Shape::Int64, PLAIN;
    5 bind_verb: String, "bindVerb", Shape::String, PLAIN;
    6 enable_https: bool, "enableHTTPS", Shape::Bool, PLAIN;
    7 tls_config: Option<Box<ExtenderTLSConfig>>, "tlsConfig", record(&EXTENDER_TLS_CONFIG), POINTER;
    8 http_timeout: Option<Duration>, "httpTimeout", Shape::Duration, PLAIN;
    9 node_cache_capable: bool, "nodeCacheCapable", Shape::Bool, PLAIN;
    10 managed_resources: Vec<ExtenderManagedResource>, "managedResources", list!(&EXTENDER_MANAGED_RESOURCE), PLAIN;
    11 ignorable: bool, "ignorable", Shape::Bool, PLAIN;
}

kind! {
    /// A resource that an extender looks after.
    ExtenderManagedResource, EXTENDER_MANAGED_RESOURCE, false;
    0 name: String, "name", Shape::String, 0;
    1 ignored_by_scheduler: bool, "ignoredByScheduler", Shape::Bool, PLAIN;
}

kind! {
    /// How an extender is known.
    ExtenderTLSConfig, EXTENDER_TLS_CONFIG, false;
    0 insecure: bool, "insecure", Shape::Bool, PLAIN;
    1 server_name: String, "serverName", Shape::String, PLAIN;
    2 cert_file: String, "certFile", Shape::String, PLAIN;
    3 key_file: String, "keyFile", Shape::String, PLAIN;
    4 ca_file: String, "caFile", Shape::String, PLAIN;
    5 cert_data: Bytes, "certData", Shape::Bytes, PLAIN;
    6 key_data: Bytes, "keyData", Shape::Bytes, PLAIN;
    7 ca_data: Bytes, "caData", Shape::Bytes, PLAIN;
}

kind! {
    /// `DefaultPreemption`.
    DefaultPreemptionArgs, DEFAULT_PREEMPTION_ARGS, true;
    0 min_candidate_nodes_percentage: Option<i32>, "minCandidateNodesPercentage", Shape::Int32, POINTER;
    1 min_candidate_nodes_absolute: Option<i32>, "minCandidateNodesAbsolute", Shape::Int32, POINTER;
}

kind! {
    /// `InterPodAffinity`.
    InterPodAffinityArgs, INTER_POD_AFFINITY_ARGS, true;
    0 hard_pod_affinity_weight: Option<i32>, "hardPodAffinityWeight", Shape::Int32, POINTER;
    1 ignore_preferred_terms_of_existing_pods: bool, "ignorePreferredTermsOfExistingPods", Shape::Bool, 0;
}

kind! {
    /// `NodeResourcesFit`.
    NodeResourcesFitArgs, NODE_RESOURCES_FIT_ARGS, true;
    0 ignored_resources: Vec<String>, "ignoredResources", Shape::List(Ref::Static(&Shape::String)), PLAIN;
    1 ignored_resource_groups: Vec<String>, "ignoredResourceGroups", Shape::List(Ref::Static(&Shape::String)), PLAIN;
    2 scoring_strategy: Option<Box<ScoringStrategy>>, "scoringStrategy", record(&SCORING_STRATEGY), POINTER;
}

kind! {
    /// How free resources are rated.
    ScoringStrategy, SCORING_STRATEGY, false;
    0 type_: String, "type", Shape::String, PLAIN;
    1 resources: Vec<ResourceSpec>, "resources", list!(&RESOURCE_SPEC), PLAIN;
    2 requested_to_capacity_ratio: Option<Box<RequestedToCapacityRatioParam>>, "requestedToCapacityRatio", record(&REQUESTED_TO_CAPACITY_RATIO_PARAM), POINTER;
}

kind! {
    /// The line that uses are rated along.
    RequestedToCapacityRatioParam, REQUESTED_TO_CAPACITY_RATIO_PARAM, false;
    0 shape: Vec<UtilizationShapePoint>, "shape", list!(&UTILIZATION_SHAPE_POINT), PLAIN;
}

kind! {
    /// A point of that line.
    UtilizationShapePoint, UTILIZATION_SHAPE_POINT, false;
    0 utilization: i32, "utilization", Shape::Int32, 0;
    1 score: i32, "score", Shape::Int32, 0;
}

kind! {
    /// A resource and what it weighs.
    ResourceSpec, RESOURCE_SPEC, false;
    0 name: String, "name", Shape::String, 0;
    1 weight: i64, "weight", Shape::Int64, PLAIN;
}

kind! {
    /// `NodeResourcesBalancedAllocation`.
    NodeResourcesBalancedAllocationArgs, NODE_RESOURCES_BALANCED_ALLOCATION_ARGS, true;
    0 resources: Vec<ResourceSpec>, "resources", list!(&RESOURCE_SPEC), PLAIN;
}

kind! {
    /// `PodTopologySpread`.
    PodTopologySpreadArgs, POD_TOPOLOGY_SPREAD_ARGS, true;
    0 default_constraints: Vec<core::TopologySpreadConstraint>, "defaultConstraints", list!(&core::TOPOLOGY_SPREAD_CONSTRAINT), PLAIN;
    1 defaulting_type: String, "defaultingType", Shape::String, PLAIN;
}

kind! {
    /// `NodeAffinity`.
    NodeAffinityArgs, NODE_AFFINITY_ARGS, true;
    0 added_affinity: Option<Box<core::NodeAffinity>>, "addedAffinity", record(&core::NODE_AFFINITY), POINTER;
}

kind! {
    /// `VolumeBinding`.
    VolumeBindingArgs, VOLUME_BINDING_ARGS, true;
    0 bind_timeout_seconds: Option<i64>, "bindTimeoutSeconds", Shape::Int64, POINTER;
    1 shape: Vec<UtilizationShapePoint>, "shape", list!(&UTILIZATION_SHAPE_POINT), PLAIN;
}

kind! {
    /// `DynamicResources`.
    DynamicResourcesArgs, DYNAMIC_RESOURCES_ARGS, true;
    0 filter_timeout: Option<Duration>, "filterTimeout", Shape::Duration, POINTER;
    1 binding_timeout: Option<Duration>, "bindingTimeout", Shape::Duration, POINTER;
}
