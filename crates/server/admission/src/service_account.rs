//! ServiceAccount: every pod runs as an account, and finds its token where clients look for it.

mod secrets;

use std::sync::Arc;

use api_meta::Status;
use api_meta::gvk::GroupResource;
use api_meta::names::{SUFFIX_ALPHABET, generate_name};
use api_record::Record;
use api_types::core::v1::{
    ConfigMapProjection, Container, DownwardAPIProjection, DownwardAPIVolumeFile, KeyToPath,
    LocalObjectReference, ObjectFieldSelector, Pod, ProjectedVolumeSource, ServiceAccount,
    ServiceAccountTokenProjection, Volume, VolumeMount, VolumeProjection, VolumeSource,
};
use base::random::{self, Random};
use base::time::Clock;
use client::{BoxFuture, Resource};
use server_registry::admit::{Attributes, Operation};

use crate::limits::{DEFAULT_ACCOUNT_ATTEMPTS, DEFAULT_ACCOUNT_WAIT};
use crate::lookup::typed;
use crate::plugin::is_about;
use crate::{Lookup, Plugin, forbidden, pod_references};

const ACCOUNTS: Resource = Resource::of("", "v1", "serviceaccounts");
const DEFAULT_ACCOUNT: &str = "default";
const MIRROR: &str = "kubernetes.io/config.mirror";
const TOKEN_VOLUME_PREFIX: &str = "kube-api-access-";
const TOKEN_MOUNT_PATH: &str = "/var/run/secrets/kubernetes.io/serviceaccount";

/// An hour and a little: by the odd number the server knows tokens that may be used for longer, with a warning.
const TOKEN_SECONDS: i64 = 3607;

/// Gives pods their service accounts.
pub struct ServiceAccounts {
    lookup: Arc<dyn Lookup>,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
}

impl ServiceAccounts {
    /// Looks accounts up with `lookup`.
    pub fn new(lookup: Arc<dyn Lookup>, clock: Arc<dyn Clock>, random: Arc<dyn Random>) -> ServiceAccounts {
        ServiceAccounts { lookup, clock, random }
    }

    async fn account(&self, attributes: &Attributes<'_>, pod: &Pod) -> Result<ServiceAccount, Status> {
        let (namespace, name) = (attributes.namespace, pod.spec.service_account_name.as_str());
        if name.is_empty() {
            let why = format!("no service account specified for pod {namespace}/{}", pod.metadata.name);
            return Err(forbidden(attributes, Some(pod), why));
        }
        self.find(namespace, name).await.map_err(|status| {
            let message = status.into_inner().message;
            let why = format!("error looking up service account {namespace}/{name}: {message}");
            forbidden(attributes, Some(pod), why)
        })
    }

    /// The account `default` of a new namespace is about to be made by a controller: it is waited for.
    async fn find(&self, namespace: &str, name: &str) -> Result<ServiceAccount, Status> {
        let attempts = if name == DEFAULT_ACCOUNT { DEFAULT_ACCOUNT_ATTEMPTS } else { 1 };
        for attempt in 0..attempts {
            if attempt > 0 {
                self.clock.sleep(DEFAULT_ACCOUNT_WAIT).await;
            }
            match self.lookup.get(&ACCOUNTS, namespace, name).await {
                Ok(account) => return Ok(typed::<ServiceAccount>(&*account)?.clone()),
                Err(status) if status.is_not_found() => {}
                Err(status) => return Err(status),
            }
        }
        // The singular is upstream's.
        Err(Status::not_found(GroupResource { group: "", resource: "serviceaccount" }, name))
    }

    async fn admit(&self, attributes: &Attributes<'_>, pod: &mut Pod) -> Result<(), Status> {
        if is_mirror(pod) {
            return Ok(());
        }
        if pod.spec.service_account_name.is_empty() {
            pod.spec.service_account_name = DEFAULT_ACCOUNT.to_owned();
            pod.spec.deprecated_service_account = DEFAULT_ACCOUNT.to_owned();
        }
        let account = self.account(attributes, pod).await?;
        let mounts = pod
            .spec
            .automount_service_account_token
            .or(account.automount_service_account_token)
            .unwrap_or(true);
        if mounts {
            self.mount_token(pod);
        }
        if pod.spec.image_pull_secrets.is_empty() {
            pod.spec.image_pull_secrets.clone_from(&account.image_pull_secrets);
        }
        Ok(())
    }

    fn mount_token(&self, pod: &mut Pod) {
        let existing = pod.spec.volumes.iter().find(|volume| volume.name.starts_with(TOKEN_VOLUME_PREFIX));
        let has_volume = existing.is_some();
        let name = existing.map_or_else(|| self.volume_name(), |volume| volume.name.clone());
        let mount = VolumeMount {
            name: name.clone(),
            read_only: true,
            mount_path: TOKEN_MOUNT_PATH.to_owned(),
            ..VolumeMount::default()
        };
        let mut needed = false;
        for container in pod.spec.init_containers.iter_mut().chain(pod.spec.containers.iter_mut()) {
            needed |= add_mount(container, &mount);
        }
        if needed && !has_volume {
            let projected = Some(Box::new(token_source()));
            let volume_source = VolumeSource { projected, ..VolumeSource::default() };
            pod.spec.volumes.push(Volume { name, volume_source });
        }
    }

    fn volume_name(&self) -> String {
        let mut suffix = [0; 5];
        suffix.copy_from_slice(random::text(&*self.random, 5, SUFFIX_ALPHABET).as_bytes());
        generate_name(TOKEN_VOLUME_PREFIX, suffix)
    }

    async fn check(&self, attributes: &Attributes<'_>, pod: &Pod) -> Result<(), Status> {
        let refused = |why: String| Err(forbidden(attributes, Some(pod), why));
        if attributes.operation == Operation::Create && is_mirror(pod) {
            return mirror_fault(pod).map_or(Ok(()), |why| refused(why.to_owned()));
        }
        let account = self.account(attributes, pod).await?;
        if !secrets::is_enforced(&account) {
            return Ok(());
        }
        let only_ephemeral = attributes.operation == Operation::Update;
        secrets::fault(&account, pod, only_ephemeral).map_or(Ok(()), refused)
    }
}

impl Plugin for ServiceAccounts {
    fn mutate<'a>(
        &'a self,
        attributes: &'a Attributes<'a>,
        object: &'a mut dyn Record,
        _: Option<&'a dyn Record>,
    ) -> BoxFuture<'a, Result<(), Status>> {
        Box::pin(async move {
            let about = is_about(attributes, "", "pods") && attributes.subresource.is_empty();
            match object.downcast_mut::<Pod>() {
                Some(pod) if about && attributes.operation == Operation::Create => {
                    self.admit(attributes, pod).await
                }
                _ => Ok(()),
            }
        })
    }

    fn validate<'a>(
        &'a self,
        attributes: &'a Attributes<'a>,
        object: Option<&'a dyn Record>,
        _: Option<&'a dyn Record>,
    ) -> BoxFuture<'a, Result<(), Status>> {
        Box::pin(async move {
            let what = (attributes.operation, attributes.subresource);
            let about = is_about(attributes, "", "pods")
                && matches!(what, (Operation::Create, "") | (Operation::Update, "ephemeralcontainers"));
            match object.and_then(|object| object.downcast_ref::<Pod>()) {
                Some(pod) if about => self.check(attributes, pod).await,
                _ => Ok(()),
            }
        })
    }
}

/// Whether a node made the pod to show one that it runs by itself. The node takes a changed spec for another pod.
pub(crate) fn is_mirror(pod: &Pod) -> bool {
    pod.metadata.annotations.contains_key(MIRROR)
}

fn mirror_fault(pod: &Pod) -> Option<&'static str> {
    let is_token = |projection: &VolumeProjection| projection.service_account_token.is_some();
    if !pod.spec.service_account_name.is_empty() {
        return Some("a mirror pod may not reference service accounts");
    }
    if pod_references::has_secrets(pod) {
        return Some("a mirror pod may not reference secrets");
    }
    let projected = pod.spec.volumes.iter().filter_map(|volume| volume.volume_source.projected.as_deref());
    let mut projections = projected.flat_map(|projected| &projected.sources);
    projections.any(is_token).then_some("a mirror pod may not use ServiceAccountToken volume projections")
}

/// Mounts the token unless something else is mounted in its place; answers whether it did.
fn add_mount(container: &mut Container, mount: &VolumeMount) -> bool {
    if container.volume_mounts.iter().any(|existing| existing.mount_path == TOKEN_MOUNT_PATH) {
        return false;
    }
    container.volume_mounts.push(mount.clone());
    true
}

/// A token, the cluster's authority and the namespace's name.
fn token_source() -> ProjectedVolumeSource {
    let token = ServiceAccountTokenProjection {
        path: "token".into(),
        expiration_seconds: Some(TOKEN_SECONDS),
        ..ServiceAccountTokenProjection::default()
    };
    let authority = ConfigMapProjection {
        local_object_reference: LocalObjectReference { name: "kube-root-ca.crt".into() },
        items: vec![KeyToPath { key: "ca.crt".into(), path: "ca.crt".into(), ..KeyToPath::default() }],
        optional: None,
    };
    let field = ObjectFieldSelector { api_version: "v1".into(), field_path: "metadata.namespace".into() };
    let namespace = DownwardAPIVolumeFile {
        path: "namespace".into(),
        field_ref: Some(Box::new(field)),
        ..DownwardAPIVolumeFile::default()
    };
    let none = VolumeProjection::default;
    let sources = vec![
        VolumeProjection { service_account_token: Some(Box::new(token)), ..none() },
        VolumeProjection { config_map: Some(Box::new(authority)), ..none() },
        VolumeProjection {
            downward_api: Some(Box::new(DownwardAPIProjection { items: vec![namespace] })),
            ..none()
        },
    ];
    ProjectedVolumeSource {
        sources: sources.into(),
        default_mode: Some(0o644),
        ..ProjectedVolumeSource::default()
    }
}
