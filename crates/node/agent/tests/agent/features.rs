//! What pods may ask for: init containers, environments, volumes, probes, hooks, confinement, and what is refused.

use api_meta::conditions;
use api_types::core::v1::{
    ConfigMap, Container, EmptyDirVolumeSource, EnvVar, EnvVarSource, ExecAction, Lifecycle,
    LifecycleHandler, ObjectFieldSelector, Pod, Probe, ProbeHandler, SecurityContext, Volume, VolumeMount,
    VolumeSource,
};
use client::Resource;

use crate::api::Memory;
use crate::lab::{Lab, container, pod};

const CONFIG_MAPS: Resource = Resource::of("", "v1", "configmaps");

fn phase(api: &Memory, name: &str, phase: &str) -> Option<Pod> {
    api.pod(name).filter(|pod| pod.status.phase == phase)
}

fn mount(name: &str, path: &str, sub: &str) -> VolumeMount {
    VolumeMount { name: name.into(), mount_path: path.into(), sub_path: sub.into(), ..VolumeMount::default() }
}

fn exec(script: &str) -> ExecAction {
    ExecAction { command: vec!["/bin/sh".into(), "-c".into(), script.into()] }
}

fn probe(script: &str) -> Option<Box<Probe>> {
    let handler = ProbeHandler { exec: Some(Box::new(exec(script))), ..ProbeHandler::default() };
    Some(Box::new(Probe {
        probe_handler: handler,
        timeout_seconds: 10,
        period_seconds: 1,
        success_threshold: 1,
        failure_threshold: 1,
        ..Probe::default()
    }))
}

fn hook(script: &str) -> Option<Box<LifecycleHandler>> {
    Some(Box::new(LifecycleHandler { exec: Some(Box::new(exec(script))), ..LifecycleHandler::default() }))
}

async fn end(lab: &Lab, name: &str) {
    lab.delete(name).await;
    lab.api.until("its deletion", |api| api.gone(name)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn init_containers_volumes_and_environments() {
    let lab = Lab::new();
    let agent = lab.start().await;
    let mut map = ConfigMap::default();
    map.metadata.name = "cm".into();
    map.metadata.namespace = "default".into();
    map.data.insert("key".into(), "value".into());
    lab.api.put(&CONFIG_MAPS, map);
    let field = ObjectFieldSelector { api_version: "v1".into(), field_path: "status.podIP".into() };
    let source = EnvVarSource { field_ref: Some(Box::new(field)), ..EnvVarSource::default() };
    let init = Container {
        volume_mounts: vec![mount("shared", "/data", "")],
        ..container("init", "echo from init > /data/file; mkdir /data/sub; echo deep > /data/sub/x")
    };
    let main = Container {
        volume_mounts: vec![
            mount("shared", "/data", ""),
            mount("shared", "/below", "sub"),
            mount("cm", "/config", ""),
            mount("memory", "/memory", ""),
        ],
        env: vec![
            EnvVar { name: "IP".into(), value_from: Some(Box::new(source)), ..EnvVar::default() },
            EnvVar { name: "ALL".into(), value: "ip=$(IP)".into(), ..EnvVar::default() },
        ],
        args: vec!["$(ALL)".into()],
        security_context: Some(Box::new(SecurityContext {
            run_as_user: Some(33),
            read_only_root_filesystem: Some(true),
            ..SecurityContext::default()
        })),
        ..container(
            "main",
            "cat /data/file /below/x; cat /config/key; echo; echo $0; id -u; touch /x || echo read-only; \
             grep -c ' /memory tmpfs' /proc/mounts; tail -n 1 /etc/hosts",
        )
    };
    let mut one = pod("all", "Never", vec![main]);
    one.spec.init_containers = vec![init];
    let empty = |medium: &str| VolumeSource {
        empty_dir: Some(Box::new(EmptyDirVolumeSource {
            medium: medium.into(),
            ..EmptyDirVolumeSource::default()
        })),
        ..VolumeSource::default()
    };
    let mut config = VolumeSource::default();
    config.config_map.get_or_insert_default().local_object_reference.name = "cm".into();
    one.spec.volumes = [("shared", empty("")), ("memory", empty("Memory")), ("cm", config)]
        .map(|(name, volume_source)| Volume { name: name.into(), volume_source })
        .into();
    lab.run(one);
    let seen = lab.api.until("success", |api| phase(api, "all", "Succeeded")).await;
    let log = lab.log(&seen, "main", 0);
    let wanted =
        ["from init", "deep", "value", "ip=10.71.1.1", "33", "read-only", "1", "10.71.1.1\tall"].as_slice();
    let told: Vec<&String> = log.iter().filter(|line| !line.starts_with("touch:")).collect();
    assert_eq!(told, wanted, "{log:?}");
    end(&lab, "all").await;
    agent.stop().await;
    lab.assert_nothing_left();
}

#[tokio::test(flavor = "multi_thread")]
async fn probes_and_hooks() {
    let lab = Lab::new();
    let agent = lab.start().await;
    let forever = "trap 'exit 0' TERM; while :; do sleep 0.05; done";
    let main = Container {
        startup_probe: probe("test -e /hooked"),
        readiness_probe: probe("test -e /hooked"),
        lifecycle: Some(Box::new(Lifecycle {
            post_start: hook("touch /hooked"),
            pre_stop: hook("echo stopping > /dev/termination-log"),
            ..Lifecycle::default()
        })),
        ..container("main", forever)
    };
    lab.run(pod("good", "Always", vec![main]));
    let is_ready =
        |api: &Memory| api.pod("good").filter(|pod| conditions::is_true(&pod.status.conditions, "Ready"));
    lab.api.until("a ready pod", is_ready).await;
    lab.run(pod(
        "sick",
        "Always",
        vec![Container { liveness_probe: probe("false"), ..container("main", forever) }],
    ));
    let restarted = |api: &Memory| {
        api.pod("sick")
            .filter(|pod| pod.status.container_statuses.first().is_some_and(|one| one.restart_count > 0))
    };
    lab.api.until("a restart", restarted).await;
    let events = lab.api.events("sick");
    for wanted in [
        "Warning Unhealthy Liveness probe failed: ",
        "Normal Killing Container main failed liveness probe, will be restarted",
    ] {
        assert!(events.iter().any(|event| event == wanted), "{wanted:?} is not among {events:?}");
    }
    end(&lab, "sick").await;
    end(&lab, "good").await;
    let last = lab.api.gone("good").unwrap();
    let status = last.status.container_statuses[0].state.terminated.as_ref().unwrap();
    assert_eq!(status.message, "stopping\n", "the preStop hook ran");
    agent.stop().await;
    lab.assert_nothing_left();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_supported_never_starts() {
    let lab = Lab::new();
    let agent = lab.start().await;
    let mut one = pod("odd", "Always", vec![container("main", "true")]);
    one.spec.runtime_class_name = Some("gvisor".into());
    lab.run(one);
    let seen = lab.api.until("a refusal", |api| phase(api, "odd", "Failed")).await;
    assert_eq!(seen.status.reason, "FieldNotSupported");
    assert!(seen.status.message.contains("spec.runtimeClassName"));
    let mut missing = pod("missing", "Never", vec![container("main", "true")]);
    let mut config = VolumeSource::default();
    config.config_map.get_or_insert_default().local_object_reference.name = "gone".into();
    missing.spec.volumes = vec![Volume { name: "v".into(), volume_source: config }];
    lab.run(missing);
    let wanted =
        "Warning FailedMount MountVolume.SetUp failed for volume \"v\" : configmap \"gone\" not found";
    lab.api
        .until("the event", |api| api.events("missing").iter().any(|event| event == wanted).then_some(()))
        .await;
    end(&lab, "odd").await;
    end(&lab, "missing").await;
    agent.stop().await;
    lab.assert_nothing_left();
}
