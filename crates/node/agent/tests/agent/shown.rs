//! Volumes that show objects of the API, while their pod runs: what changes there reaches it, all of a version at once.

use std::time::Duration;

use api_types::core::v1::{
    ConfigMap, Container, DownwardAPIProjection, DownwardAPIVolumeFile, ObjectFieldSelector, Pod,
    PodSecurityContext, ProjectedVolumeSource, Secret, ServiceAccountTokenProjection, Volume, VolumeMount,
    VolumeProjection, VolumeSource,
};
use client::Resource;
use futures_util::StreamExt as _;
use node_agent::node_api::{LogOptions, LogStream, Place};

use crate::api::Memory;
use crate::lab::{Lab, PODS, Running, container, pod};

const CONFIG_MAPS: Resource = Resource::of("", "v1", "configmaps");
const SECRETS: Resource = Resource::of("", "v1", "secrets");

fn config_map(value: &str) -> ConfigMap {
    let mut map = ConfigMap::default();
    map.metadata.name = "cm".into();
    map.metadata.namespace = "default".into();
    map.data.extend(["a", "b"].map(|key| (key.to_owned(), value.to_owned())));
    map
}

fn secret(value: &str) -> Secret {
    let mut secret = Secret::default();
    secret.metadata.name = "s".into();
    secret.metadata.namespace = "default".into();
    secret.data.insert("key".into(), value.as_bytes().to_vec().into());
    secret
}

pub fn volume(name: &str, fill: impl FnOnce(&mut VolumeSource)) -> Volume {
    let mut volume = Volume { name: name.into(), volume_source: VolumeSource::default() };
    fill(&mut volume.volume_source);
    volume
}

pub fn mount(name: &str) -> VolumeMount {
    VolumeMount { name: name.into(), mount_path: format!("/{name}"), ..VolumeMount::default() }
}

pub fn running(api: &Memory) -> Option<Pod> {
    api.pod("p").filter(|pod| pod.status.phase == "Running")
}

pub async fn follow(agent: &Running) -> LogStream {
    let place = Place { namespace: "default".into(), pod: "p".into(), container: String::new() };
    let options = LogOptions { follow: true, ..LogOptions::default() };
    agent.node.logs(place, options).await.unwrap()
}

/// Reads a followed log until it says this.
pub async fn hear(log: &mut LogStream, heard: &mut String, wanted: &str) {
    let listen = async {
        while !heard.lines().any(|line| line == wanted) {
            heard.push_str(std::str::from_utf8(&log.next().await.unwrap()).unwrap());
        }
    };
    let clock = base::time::SystemClock;
    if base::time::timeout(&clock, crate::lab::patience(), listen).await.is_err() {
        panic!("in vain for {wanted:?} in {heard:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_changes_in_the_api_reaches_the_pod_all_at_once() {
    let lab = Lab::new();
    lab.api.put(&CONFIG_MAPS, config_map("1"));
    lab.api.put(&SECRETS, secret("x"));
    let agent = lab.start().await;
    // What it prints was true of one version: its directory was still there after it was read.
    let script = "while :; do d=/cm/$(readlink /cm/..data); v=\"cm $(cat $d/a) $(cat $d/b)\"; \
         [ -d $d ] && [ \"$v\" != \"$old\" ] && echo \"$v\" && old=$v; \
         s=\"secret $(cat /s/key)\"; [ \"$s\" != \"$olds\" ] && echo \"$s\" && olds=$s; \
         l=\"labels $(cat /pod/labels)\"; [ \"$l\" != \"$oldl\" ] && echo \"$l\" && oldl=$l; done 2>/dev/null";
    let main =
        Container { volume_mounts: vec![mount("cm"), mount("s"), mount("pod")], ..container("main", script) };
    let mut one = pod("p", "Never", vec![main]);
    one.spec.termination_grace_period_seconds = Some(1);
    one.metadata.labels.insert("app".into(), "one".into());
    let labels = DownwardAPIVolumeFile {
        path: "labels".into(),
        field_ref: Some(Box::new(ObjectFieldSelector {
            api_version: "v1".into(),
            field_path: "metadata.labels".into(),
        })),
        ..DownwardAPIVolumeFile::default()
    };
    one.spec.volumes = vec![
        volume("cm", |source| {
            source.config_map.get_or_insert_default().local_object_reference.name = "cm".into();
        }),
        volume("s", |source| source.secret.get_or_insert_default().secret_name = "s".into()),
        volume("pod", |source| source.downward_api.get_or_insert_default().items = vec![labels]),
    ];
    lab.run(one);
    lab.api.until("a running pod", running).await;
    let (mut log, mut heard) = (follow(&agent).await, String::new());
    for line in ["cm 1 1", "secret x", "labels app=\"one\""] {
        hear(&mut log, &mut heard, line).await;
    }
    // The pod's own fields at once, other objects at the next look.
    let mut changed = lab.api.pod("p").unwrap();
    changed.metadata.labels.insert("app".into(), "two".into());
    lab.api.put(&PODS, changed);
    hear(&mut log, &mut heard, "labels app=\"two\"").await;
    for value in ["2", "3", "4"] {
        lab.api.put(&CONFIG_MAPS, config_map(value));
        lab.api.put(&SECRETS, secret(value));
        lab.clock.by(Duration::from_secs(60));
        hear(&mut log, &mut heard, &format!("cm {value} {value}")).await;
        hear(&mut log, &mut heard, &format!("secret {value}")).await;
    }
    // A line without a value was read while its version went away.
    let whole = |line: &&str| line.starts_with("cm ") && line.split(' ').all(|value| !value.is_empty());
    let versions: Vec<&str> = heard.lines().filter(whole).collect();
    assert_eq!(versions, ["cm 1 1", "cm 2 2", "cm 3 3", "cm 4 4"], "never a part of one");
    lab.delete("p").await;
    lab.api.until("its deletion", |api| api.gone("p")).await;
    agent.stop().await;
    lab.assert_nothing_left();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_renewed_before_it_ends() {
    let lab = Lab::new();
    let agent = lab.start().await;
    let script = "while :; do t=$(cat /access/token); [ \"$t\" != \"$old\" ] && echo $t && old=$t; done";
    let main = Container { volume_mounts: vec![mount("access")], ..container("main", script) };
    let mut one = pod("p", "Never", vec![main]);
    one.spec.termination_grace_period_seconds = Some(1);
    one.spec.service_account_name = "builder".into();
    one.spec.security_context =
        Some(Box::new(PodSecurityContext { run_as_user: Some(33), ..PodSecurityContext::default() }));
    let token = ServiceAccountTokenProjection {
        audience: "vault".into(),
        expiration_seconds: Some(3600),
        path: "token".into(),
        ..ServiceAccountTokenProjection::default()
    };
    let name = DownwardAPIVolumeFile {
        path: "name".into(),
        field_ref: Some(Box::new(ObjectFieldSelector {
            api_version: "v1".into(),
            field_path: "metadata.name".into(),
        })),
        ..DownwardAPIVolumeFile::default()
    };
    let sources = vec![
        VolumeProjection { service_account_token: Some(Box::new(token)), ..VolumeProjection::default() },
        VolumeProjection {
            downward_api: Some(Box::new(DownwardAPIProjection { items: vec![name] })),
            ..VolumeProjection::default()
        },
    ];
    one.spec.volumes = vec![volume("access", |source| {
        source.projected =
            Some(Box::new(ProjectedVolumeSource { sources: sources.into(), ..Default::default() }));
    })];
    lab.run(one);
    let seen = lab.api.until("a running pod", running).await;
    let (mut log, mut heard) = (follow(&agent).await, String::new());
    // A user that is not root reads it; nobody else does.
    hear(&mut log, &mut heard, "token-1").await;
    let file = lab.path(&format!("data/pods/{}/volumes/access/token", seen.metadata.uid));
    let status = std::fs::metadata(&file).unwrap();
    let (mode, user) = {
        use std::os::unix::fs::MetadataExt;
        (status.mode() & 0o777, status.uid())
    };
    assert_eq!((mode, user), (0o600, 33));
    let request = lab.api.tokens().remove(0);
    let bound = request.spec.bound_object_ref.as_ref().unwrap();
    assert_eq!((bound.kind.as_str(), bound.uid.as_str()), ("Pod", "p-uid"));
    assert_eq!(
        (&request.spec.audiences[..], request.spec.expiration_seconds),
        (&["vault".into()][..], Some(3600))
    );
    // Every look before four fifths of its time are over finds it good enough.
    lab.clock.by(Duration::from_secs(60));
    lab.clock.by(Duration::from_secs(2700));
    assert_eq!(lab.api.tokens().len(), 1);
    lab.clock.by(Duration::from_secs(180));
    hear(&mut log, &mut heard, "token-2").await;
    assert_eq!(lab.api.tokens().len(), 2);
    lab.delete("p").await;
    lab.api.until("its deletion", |api| api.gone("p")).await;
    agent.stop().await;
    lab.assert_nothing_left();
}
