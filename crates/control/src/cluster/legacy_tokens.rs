//! Tokens in Secrets that Kubernetes once made for every account, and that nobody has used for a year: they are marked as invalid, and deleted
//! after another year.
//!
//! Upstream: `pkg/controller/serviceaccount/legacy_serviceaccount_token_cleaner.go`. The API server says since when it has written down when
//! tokens are used; before a year has gone by since then, nothing can be said of any. Tokens that people have asked for stay.

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::time::Duration;

use api_meta::fields;
use api_record::{Record, scalar};
use api_types::core::v1::{ConfigMap, Pod, Secret, ServiceAccount, VolumeSource};
use base::time::Time;
use client::reconcile::{Controller, Op, Plan, Wires, World, Write, resource_of};
use client::{PatchKind, Scope};
use serde_json::json;

use super::account_tokens::{ACCOUNT, ACCOUNT_UID, TYPE};

/// When the API server began to write down the use of tokens.
const TRACKING: &str = "kube-apiserver-legacy-service-account-token-tracking";
const SINCE: &str = "since";
const LAST_USED: &str = "kubernetes.io/legacy-token-last-used";
const INVALID_SINCE: &str = "kubernetes.io/legacy-token-invalid-since";

/// How long a token has to lie unused (`--legacy-service-account-token-clean-up-period`).
const PERIOD: Duration = Duration::from_secs(365 * DAY.as_secs());
/// How often tokens are looked at (`DefaultCleanerSyncInterval`).
const DAY: Duration = Duration::from_secs(24 * 3600);

/// The cleaner of such tokens.
pub struct LegacyTokens;

impl Controller for LegacyTokens {
    const NAME: &'static str = "legacy-service-account-token-cleaner";
    /// All are looked at together.
    type Key = ();

    fn wire(&self, wires: &mut Wires<()>) {
        let scope = Scope {
            fields: fields::Selector::equal("metadata.name", TRACKING),
            ..Scope::all(resource_of::<ConfigMap>().clone())
        };
        wires.scoped(scope, |_: &dyn Record, _| vec![()]);
        wires.reads::<Secret>();
        wires.reads::<ServiceAccount>();
        wires.reads::<Pod>();
    }

    fn plan(&self, (): &(), world: &World, now: Time) -> Plan {
        let mut plan = Plan::default();
        plan.again_in(DAY);
        let map = world.get::<ConfigMap>("kube-system", TRACKING);
        let since = map.and_then(|map| map.data.get(SINCE)).and_then(|since| begin(since));
        // Of the first day nothing is known before its end.
        if since.is_none_or(|since| now < since + DAY + PERIOD) {
            return plan;
        }
        let unused = world.with_text::<Secret>(&["type"], |type_| type_ == TYPE);
        let unused = unused.filter(|secret| is_unused(secret, now) && is_made_by_kubernetes(secret, world));
        plan.stage(unused.filter_map(|secret| retire(secret, world, now)));
        plan
    }
}

/// What becomes of a token that nobody has used.
fn retire(secret: &Secret, world: &World, now: Time) -> Option<Write> {
    let namespace = &secret.metadata.namespace;
    if world.in_namespace::<Pod>(namespace).any(|pod| secrets(pod).contains(&*secret.metadata.name)) {
        return None;
    }
    let marked = secret.metadata.labels.get(INVALID_SINCE).filter(|date| begin(date).is_some());
    let Some(marked) = marked else {
        let patch = json!({"metadata": {"uid": secret.metadata.uid, "labels": {INVALID_SINCE: date(now)}}});
        return Some(Write::of(
            resource_of::<Secret>(),
            &secret.metadata,
            "",
            Op::Patch(PatchKind::Merge, patch),
        ));
    };
    (*marked < date(now - PERIOD)).then(|| {
        let mut write = Write::delete(secret);
        let version = Some(secret.metadata.resource_version.clone());
        write.op = Op::Delete { propagation: None, version, grace_seconds: None };
        write
    })
}

/// Whether a Secret is old, and was not used for as long as its label says. One whose label says nothing is left alone.
fn is_unused(secret: &Secret, now: Time) -> bool {
    let meta = &secret.metadata;
    let is_old = meta.creation_timestamp.is_none_or(|made| Time::from(made) < now - PERIOD);
    let is_long_ago = |used: &String| begin(used).is_some() && *used < date(now - PERIOD);
    is_old && meta.deletion_timestamp.is_none() && meta.labels.get(LAST_USED).is_none_or(is_long_ago)
}

/// Whether its account names it, as it does those that Kubernetes made.
fn is_made_by_kubernetes(secret: &Secret, world: &World) -> bool {
    let annotation = |key: &str| secret.metadata.annotations.get(key).map_or("", String::as_str);
    let account = world.get::<ServiceAccount>(&secret.metadata.namespace, annotation(ACCOUNT));
    let uid = annotation(ACCOUNT_UID);
    account
        .filter(|own| uid.is_empty() || own.metadata.uid == uid)
        .is_some_and(|own| own.secrets.iter().any(|reference| reference.name == secret.metadata.name))
}

/// The Secrets that a pod names (`VisitPodSecretNames`).
fn secrets(pod: &Pod) -> BTreeSet<&str> {
    let spec = &pod.spec;
    let main = spec.init_containers.iter().chain(&spec.containers);
    let main = main.map(|own| (&own.env[..], &own.env_from[..]));
    let ephemeral = spec.ephemeral_containers.iter().map(|own| {
        let own = &own.ephemeral_container_common;
        (&own.env[..], &own.env_from[..])
    });
    let mut names: BTreeSet<&str> = spec.image_pull_secrets.iter().map(|own| own.name.as_str()).collect();
    for (env, env_from) in main.chain(ephemeral) {
        let single = env.iter().filter_map(|own| own.value_from.as_deref()?.secret_key_ref.as_deref());
        names.extend(single.map(|own| own.local_object_reference.name.as_str()));
        let whole = env_from.iter().filter_map(|own| own.secret_ref.as_deref());
        names.extend(whole.map(|own| own.local_object_reference.name.as_str()));
    }
    names.extend(spec.volumes.iter().flat_map(|volume| of_volume(&volume.volume_source)));
    names
}

fn of_volume(source: &VolumeSource) -> Vec<&str> {
    let references = [
        source.ceph_fs.as_ref().and_then(|own| own.secret_ref.as_ref()),
        source.cinder.as_ref().and_then(|own| own.secret_ref.as_ref()),
        source.flex_volume.as_ref().and_then(|own| own.secret_ref.as_ref()),
        source.rbd.as_ref().and_then(|own| own.secret_ref.as_ref()),
        source.scale_io.as_ref().and_then(|own| own.secret_ref.as_ref()),
        source.iscsi.as_ref().and_then(|own| own.secret_ref.as_ref()),
        source.storage_os.as_ref().and_then(|own| own.secret_ref.as_ref()),
        source.csi.as_ref().and_then(|own| own.node_publish_secret_ref.as_ref()),
    ];
    let mut names: Vec<&str> = references.into_iter().flatten().map(|own| own.name.as_str()).collect();
    names.extend(source.azure_file.as_ref().map(|own| own.secret_name.as_str()));
    names.extend(source.secret.as_ref().map(|own| own.secret_name.as_str()));
    let projections = source.projected.iter().flat_map(|own| &own.sources);
    let projected = projections.filter_map(|own| own.secret.as_deref());
    names.extend(projected.map(|own| own.local_object_reference.name.as_str()));
    names
}

/// The day of a moment, as labels have it; days sort as their texts do.
fn date(now: Time) -> String {
    let mut text = scalar::Time::from(now).to_string();
    text.truncate("2006-01-02".len());
    text
}

/// When a day begins; `None` if the text is no day.
fn begin(date: &str) -> Option<Time> {
    let time: Option<scalar::Time> = format!("{date}T00:00:00Z").parse().ok();
    time.map(Time::from)
}
