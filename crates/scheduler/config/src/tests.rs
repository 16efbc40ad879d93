//! Configurations as people write them: what comes of them, and what is said of wrong ones.

use scheduler::{Plugin, Resource, Score, Spreading, Strategy};

use crate::{Configuration, Error, read};

const HEAD: &str = "apiVersion: kubescheduler.config.k8s.io/v1\nkind: KubeSchedulerConfiguration\n";

fn reads(text: &str) -> Result<Configuration, Error> {
    read(format!("{HEAD}{text}").as_bytes())
}

fn wrong(text: &str) -> String {
    reads(text).err().map_or_else(|| "nothing".to_owned(), |error| error.to_string())
}

#[test]
fn without_a_word_all_is_as_upstream_has_it() {
    let read = reads("").expect("it is valid");
    let [profile] = read.scheduler.profiles.as_slice() else { panic!("one profile") };
    assert_eq!(profile.scheduler_name, "default-scheduler");
    assert_eq!(Score::ALL.iter().map(|score| profile.weights.of(*score)).sum::<i64>(), 15);
    assert!(Plugin::ALL.iter().all(|plugin| profile.filters.has(*plugin)));
    assert!(profile.preemption.is_some());
    assert_eq!((read.scheduler.initial_back_off.as_secs(), read.scheduler.max_back_off.as_secs()), (1, 10));
    assert_eq!((read.scheduler.percentage_of_nodes_to_score, read.leader_elect), (0, None));
}

#[test]
fn profiles_are_told_apart_by_name() {
    let read = reads(
        "percentageOfNodesToScore: 30
podInitialBackoffSeconds: 2
podMaxBackoffSeconds: 60
leaderElection: {leaderElect: false}
profiles:
- schedulerName: packed
  percentageOfNodesToScore: 70
  plugins:
    multiPoint:
      disabled: [{name: DefaultPreemption}]
    score:
      enabled: [{name: NodeAffinity, weight: 7}]
      disabled: [{name: ImageLocality}, {name: TaintToleration}]
  pluginConfig:
  - name: NodeResourcesFit
    args:
      ignoredResources: [example.com/gpu]
      scoringStrategy: {type: MostAllocated, resources: [{name: cpu, weight: 3}, {name: memory}]}
  - name: InterPodAffinity
    args: {hardPodAffinityWeight: 5}
- schedulerName: spread
  plugins:
    filter:
      disabled: [{name: '*'}]
      enabled: [{name: NodeResourcesFit}]
  pluginConfig:
  - name: PodTopologySpread
    args:
      defaultingType: List
      defaultConstraints: [{maxSkew: 1, topologyKey: rack, whenUnsatisfiable: ScheduleAnyway}]
",
    );
    let read = read.expect("it is valid");
    let [packed, spread] = read.scheduler.profiles.as_slice() else { panic!("two profiles") };
    assert_eq!((packed.scheduler_name.as_str(), spread.scheduler_name.as_str()), ("packed", "spread"));
    let weights =
        [Score::NodeAffinity, Score::ImageLocality, Score::TaintToleration, Score::InterPodAffinity];
    assert_eq!(weights.map(|score| packed.weights.of(score)), [7, 0, 0, 2]);
    assert_eq!(packed.fit.strategy, Strategy::MostAllocated);
    assert_eq!(packed.fit.resources, [(Resource::Cpu, 3), (Resource::Memory, 1)]);
    assert_eq!((packed.pod_affinity.hard_weight, packed.preemption), (5, None));
    assert_eq!((packed.percentage_of_nodes_to_score, spread.percentage_of_nodes_to_score), (Some(70), None));
    let filters = Plugin::ALL.iter().filter(|plugin| spread.filters.has(**plugin));
    assert_eq!(filters.collect::<Vec<_>>(), [&Plugin::NodeResourcesFit]);
    assert!(matches!(&spread.spreading, Spreading::List(list) if list[0].topology_key == "rack"));
    assert_eq!(read.leader_elect, Some(false));
    assert_eq!(read.scheduler.max_back_off.as_secs(), 60);
}

#[test]
fn a_line_is_scored_of_a_hundred() {
    let read = reads(
        "profiles:
- pluginConfig:
  - name: NodeResourcesFit
    args:
      scoringStrategy:
        type: RequestedToCapacityRatio
        requestedToCapacityRatio: {shape: [{utilization: 0, score: 0}, {utilization: 100, score: 10}]}
",
    );
    let profile = &read.expect("it is valid").scheduler.profiles[0];
    assert_eq!(profile.fit.strategy, Strategy::RequestedToCapacityRatio(vec![(0, 0), (100, 100)]));
}

#[test]
fn what_cannot_be_decoded_is_told_as_upstream_tells_it() {
    for (text, says) in [
        ("profile: []", "strict decoding error: unknown field \"profile\""),
        (
            "profiles:\n- pluginConfig: [{name: InterPodAffinity, args: {weight: 1}}]",
            "strict decoding error: decoding .profiles[0].pluginConfig[0]: strict decoding error: decoding args for \
             plugin InterPodAffinity: strict decoding error: unknown field \"weight\"",
        ),
        (
            "profiles:\n- pluginConfig: [{name: NodeAffinity, args: {kind: InterPodAffinityArgs}}]",
            "decoding .profiles[0].pluginConfig[0]: args for plugin NodeAffinity were not of type \
             NodeAffinityArgs.kubescheduler.config.k8s.io, got InterPodAffinityArgs.kubescheduler.config.k8s.io",
        ),
        (
            "parallelism: many",
            "json: cannot unmarshal string into Go struct field KubeSchedulerConfiguration.parallelism of type int32",
        ),
    ] {
        assert_eq!(wrong(text), says);
    }
    assert!(read(b"kind: KubeSchedulerConfiguration\napiVersion: v1").is_err());
    assert!(read(b"{}").is_err());
}

#[test]
fn what_is_invalid_is_told_with_its_place() {
    for (text, says) in [
        ("parallelism: 0", "parallelism: Invalid value: 0: should be an integer value greater than zero"),
        (
            "percentageOfNodesToScore: 101",
            "percentageOfNodesToScore: Invalid value: 101: not in valid range [0-100]",
        ),
        (
            "podInitialBackoffSeconds: 20",
            "podMaxBackoffSeconds: Invalid value: 10: must be greater than or equal to PodInitialBackoffSeconds",
        ),
        (
            "profiles: [{schedulerName: a}, {schedulerName: a}]",
            "profiles[1].schedulerName: Duplicate value: \"profiles[0].schedulerName\"",
        ),
        ("profiles: [{schedulerName: a}, {}]", "profiles[1].schedulerName: Required value"),
        (
            "profiles: [{pluginConfig: [{name: InterPodAffinity, args: {hardPodAffinityWeight: 101}}]}]",
            "profiles[0].pluginConfig[0].args.hardPodAffinityWeight: Invalid value: 101: not in valid range [0, 100]",
        ),
        (
            "profiles: [{pluginConfig: [{name: PodTopologySpread, args: {defaultConstraints: [{maxSkew: 1, \
             topologyKey: a, whenUnsatisfiable: ScheduleAnyway}]}}]}]",
            "profiles[0].pluginConfig[0].args.defaultingType: Invalid value: \"System\": when .defaultConstraints are \
             not empty",
        ),
        (
            "profiles: [{plugins: {filter: {enabled: [{name: EBSLimits}]}}}]",
            "profiles[0].plugins.filter.enabled[0]: Invalid value: \"EBSLimits\": was invalid in version \
             \"kubescheduler.config.k8s.io/v1\" (KubeSchedulerConfiguration is version \
             \"kubescheduler.config.k8s.io/v1\")",
        ),
    ] {
        assert_eq!(wrong(text), says, "{text}");
    }
}

#[test]
fn plugins_have_to_fit_their_points() {
    let told = |text: &str| {
        let says = wrong(&format!("profiles: [{{plugins: {{{text}}}}}]"));
        says.strip_prefix("initializing profiles: creating profile for scheduler name default-scheduler: ")
            .unwrap_or(&says)
            .to_owned()
    };
    for (text, says) in [
        ("filter: {enabled: [{name: Foo}]}", "FilterPlugin \"Foo\" does not exist"),
        ("multiPoint: {enabled: [{name: Foo}]}", "PreFilterPlugin \"Foo\" does not exist"),
        (
            "filter: {enabled: [{name: ImageLocality}]}",
            "plugin \"ImageLocality\" does not extend FilterPlugin plugin",
        ),
        (
            "score: {enabled: [{name: ImageLocality}, {name: ImageLocality}]}",
            "plugin \"ImageLocality\" already registered as \"ScorePlugin\"",
        ),
        (
            "queueSort: {disabled: [{name: '*'}]}",
            "only one queue sort plugin required for profile with scheduler name \"default-scheduler\", but got 0",
        ),
        (
            "bind: {disabled: [{name: '*'}]}",
            "at least one bind plugin is needed for profile with scheduler name \"default-scheduler\"",
        ),
        ("score: {enabled: [{name: ImageLocality, weight: 2147483647}]}", "nothing"),
    ] {
        assert_eq!(told(text), says, "{text}");
    }
    assert!(told("preEnqueue: {disabled: [{name: SchedulingGates}]}").contains("cannot be disabled"));
}

#[test]
fn extenders_are_read_with_their_defaults_and_the_ignorable_come_last() {
    let read = reads(
        "profiles:
- pluginConfig: [{name: NodeResourcesFit, args: {ignoredResources: [example.com/own]}}]
extenders:
- urlPrefix: https://may-fail.example/scheduler
  enableHTTPS: true
  filterVerb: filter
  preemptVerb: preempt
  ignorable: true
  nodeCacheCapable: true
  managedResources: [{name: example.com/gpu, ignoredByScheduler: true}, {name: example.com/nic}]
- urlPrefix: https://must.example
  prioritizeVerb: prioritize
  weight: 3
  bindVerb: bind
  enableHTTPS: true
  httpTimeout: 200ms
  tlsConfig: {caData: Y2E=, serverName: other.example, certFile: /cert, keyData: a2V5}
",
    );
    let read = read.expect("it is valid");
    let [must, may_fail] = read.extenders.as_slice() else { panic!("{:?}", read.extenders) };
    assert_eq!(
        (must.url_prefix.as_str(), must.weight, must.is_ignorable),
        ("https://must.example", 3, false)
    );
    assert_eq!([&must.filter_verb, &must.prioritize_verb, &must.bind_verb], ["", "prioritize", "bind"]);
    assert_eq!((must.timeout.as_millis(), may_fail.timeout.as_secs()), (200, 5));
    assert!(!must.tls.insecure && must.managed_resources.is_empty());
    assert_eq!((&*must.tls.authority.data, must.tls.server_name.as_str()), (&b"ca"[..], "other.example"));
    assert_eq!((must.tls.certificate.file.as_str(), &*must.tls.key.data), ("/cert", &b"key"[..]));
    assert!(!format!("{must:?}").contains("107"), "keys are not shown");
    assert!(may_fail.is_node_cache_capable && may_fail.tls.insecure, "nobody vouches for it");
    assert_eq!([&may_fail.filter_verb, &may_fail.preempt_verb], ["filter", "preempt"]);
    assert!(may_fail.managed_resources.iter().eq(["example.com/gpu", "example.com/nic"]));
    assert_eq!(
        read.scheduler.profiles[0].fit.ignored,
        ["example.com/gpu"],
        "theirs take the place of others"
    );
}

#[test]
fn extenders_that_are_invalid_are_told_with_their_place() {
    for (text, says) in [
        (
            "{urlPrefix: 'http://a', prioritizeVerb: p}",
            "extenders[0].weight: Invalid value: 0: must have a positive weight applied to it",
        ),
        (
            "{urlPrefix: 'http://a', managedResources: [{name: cpu}]}",
            "extenders[0].managedResources[0].name: Invalid value: \"cpu\": is an invalid extended resource name",
        ),
        (
            "{managedResources: [{name: a.b/c}, {name: a.b/c}]}",
            "extenders[0].managedResources[1].name: Invalid value: \"a.b/c\": duplicate extender managed resource name",
        ),
        (
            "{bindVerb: b}, {bindVerb: b}",
            "extenders: Invalid value: \"found 2 extenders implementing bind\": only one extender can implement bind",
        ),
        ("{filter: f}", "strict decoding error: unknown field \"extenders[0].filter\""),
    ] {
        assert_eq!(wrong(&format!("extenders: [{text}]")), says, "{text}");
    }
}
