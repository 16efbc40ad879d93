//! A pod's volumes: made before its sandbox, kept up to date while it lives, mounted into its containers, taken away with it.

mod claimed;

use std::collections::BTreeMap;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use api_types::authentication::v1::{BoundObjectReference, TokenRequest};
use api_types::core::v1::{
    ConfigMap, Container, DownwardAPIVolumeFile, Pod, ProjectedVolumeSource, Secret,
    ServiceAccountTokenProjection, Volume, VolumeMount,
};
use base::error::Chain;
use base::time::Time;
use host::mount::{LinuxMounts, Mounts};
use node_image::store::Image;
use node_pod::container::{account, all};
use node_pod::env::{Node, field};
use node_pod::expand::expand;
use node_pod::resources;
use node_runtime::spec::{Mount, MountSource, Propagation};
use node_volume::certificate::Bundle;
use node_volume::payload::{self, File, Payload, Shown};
use node_volume::place;
use node_volume::writer::{self, Owner};

use crate::calls::{CONFIG_MAPS, SECRETS, SERVICE_ACCOUNTS};
use crate::core::{Core, blocking};
use crate::error::AgentError;
use crate::events::Kind;
use crate::lookup::present;

mod certificates;
mod images;
mod trust;

pub(crate) use certificates::Certificates;
pub(crate) use trust::TrustBundles;

/// How long a token holds that says nothing of it.
const TOKEN_SECONDS: i64 = 3600;
const FILE_MODE: i32 = 0o644;

/// For how long a token is used at most, however long it holds: kubelet's bound.
const TOKEN_USED: Duration = Duration::from_secs(24 * 3600);

/// A token, when it is to be asked for again, and until when it holds.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Held {
    token: String,
    renew: Time,
    end: Time,
}

impl Held {
    /// A token that was just granted for so many seconds: to be renewed when four fifths of them are over, as kubelet does.
    fn new(token: String, now: Time, seconds: i64) -> Held {
        let whole = Duration::from_secs(u64::try_from(seconds).unwrap_or(0));
        Held { token, renew: now + (whole * 4 / 5).min(TOKEN_USED), end: now + whole }
    }
}

/// Of which pod, for whom, and for how many seconds it was asked for.
type TokenKey = (String, String, i64);

/// Tokens that were handed out, so that they are asked for again only when most of their time is over.
#[derive(Default)]
pub(crate) struct Tokens(Mutex<BTreeMap<TokenKey, Held>>);

impl Tokens {
    fn held(&self, key: &TokenKey) -> Option<Held> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(key).cloned()
    }

    fn keep(&self, key: TokenKey, held: Held) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(key, held);
    }

    /// Forgets a pod's.
    pub(crate) fn forget(&self, uid: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).retain(|(pod, ..), _| pod != uid);
    }
}

fn group(pod: &Pod) -> Option<u32> {
    let context = pod.spec.security_context.as_deref()?;
    context.fs_group.and_then(|id| u32::try_from(id).ok())
}

/// Whether a volume shows objects of the API, which change.
fn is_shown(volume: &Volume) -> bool {
    let source = &volume.volume_source;
    source.config_map.is_some()
        || source.secret.is_some()
        || source.projected.is_some()
        || source.downward_api.is_some()
}

/// Whether any of a pod's volumes has to be kept up to date.
pub(crate) fn needs_refresh(pod: &Pod) -> bool {
    pod.spec.volumes.iter().any(is_shown)
}

impl Core {
    fn volume_directory(&self, uid: &str, name: &str) -> PathBuf {
        self.records.directory(uid).join("volumes").join(name)
    }

    /// Makes every volume of a pod, or brings those up to date that show objects of the API.
    pub(crate) async fn make_volumes(
        &self,
        pod: &Arc<Pod>,
        addresses: &[String],
        only_shown: bool,
    ) -> Result<(), AgentError> {
        for volume in &pod.spec.volumes {
            if only_shown && !is_shown(volume) {
                continue;
            }
            if let Err(error) = self.make_volume(pod, volume, addresses).await {
                let message =
                    format!("MountVolume.SetUp failed for volume {:?} : {}", volume.name, error.text());
                self.events.pod(pod, Kind::Warning, "FailedMount", message);
                return Err(error);
            }
        }
        Ok(())
    }

    async fn make_volume(
        &self,
        pod: &Arc<Pod>,
        volume: &Volume,
        addresses: &[String],
    ) -> Result<(), AgentError> {
        if let Some(used) = api_volume::pod::claim(pod, volume) {
            return self.make_claimed(pod, volume, &used).await;
        }
        let directory = self.volume_directory(&pod.metadata.uid, &volume.name);
        let source = &volume.volume_source;
        if let Some(host) = &source.host_path {
            let (path, type_) = (host.path.clone(), host.type_.clone().unwrap_or_default());
            return blocking(move || Ok(place::host_path(&path, &type_)?)).await;
        }
        if source.image.is_some() {
            // Pulled and shown where a container mounts it.
            return Ok(());
        }
        if let Some(empty) = &source.empty_dir {
            let group = group(pod);
            let memory = empty.medium == "Memory";
            let limit = empty.size_limit.as_ref().map(|limit| limit.units()).filter(|bytes| *bytes > 0);
            let most =
                resources::pod_limits(pod).memory_bytes.unwrap_or(self.machine.allocatable_memory_bytes());
            let size = limit.unwrap_or(most).min(most).max(4096).cast_unsigned();
            let mode = empty.mode.map_or(0o777, |mode| mode.cast_unsigned() & 0o7777);
            return blocking(move || {
                place::empty_dir(&directory, mode, group)?;
                if memory && LinuxMounts.below(&directory)?.is_empty() {
                    LinuxMounts.tmpfs(&directory, size, mode)?;
                    place::empty_dir(&directory, mode, group)?;
                }
                Ok(())
            })
            .await;
        }
        let payload = self.payload(pod, volume, addresses).await?;
        let owner = Owner { user: None, group: group(pod) };
        let version = base::random::text(&*self.random, 12, b"0123456789abcdef");
        blocking(move || {
            let mut payload = payload;
            if owner.group.is_some() {
                payload::for_group(&mut payload);
            }
            Ok(writer::write(&directory, &payload, owner, &version).map(drop)?)
        })
        .await
    }

    async fn payload(&self, pod: &Pod, volume: &Volume, addresses: &[String]) -> Result<Payload, AgentError> {
        let node = self.node(addresses);
        let source = &volume.volume_source;
        let mode = |mode: Option<i32>| mode.unwrap_or(FILE_MODE).cast_unsigned() & 0o777;
        if let Some(one) = &source.config_map {
            let shown = Shown {
                name: &one.local_object_reference.name,
                items: &one.items,
                mode: mode(one.default_mode),
                optional: one.optional == Some(true),
            };
            return self.config_map_files(pod, shown).await;
        }
        if let Some(one) = &source.secret {
            let shown = Shown {
                name: &one.secret_name,
                items: &one.items,
                mode: mode(one.default_mode),
                optional: one.optional == Some(true),
            };
            return self.secret_files(pod, shown).await;
        }
        if let Some(one) = &source.downward_api {
            return downward(pod, &one.items, mode(one.default_mode), &node);
        }
        match &source.projected {
            Some(one) => self.projected(pod, (&volume.name, one), mode(one.default_mode), &node).await,
            None => Ok(Payload::new()),
        }
    }

    async fn config_map_files(&self, pod: &Pod, shown: Shown<'_>) -> Result<Payload, AgentError> {
        let found = self.calls.get::<ConfigMap>(CONFIG_MAPS, &pod.metadata.namespace, shown.name).await;
        Ok(payload::config_map(shown, present(found)?.as_ref())?)
    }

    async fn secret_files(&self, pod: &Pod, shown: Shown<'_>) -> Result<Payload, AgentError> {
        let found = self.calls.get::<Secret>(SECRETS, &pod.metadata.namespace, shown.name).await;
        Ok(payload::secret(shown, present(found)?.as_ref())?)
    }

    async fn projected(
        &self,
        pod: &Pod,
        (volume, source): (&str, &ProjectedVolumeSource),
        mode: u32,
        node: &Node,
    ) -> Result<Payload, AgentError> {
        let mut payload = Payload::new();
        for (index, part) in source.sources.iter().enumerate() {
            if let Some(one) = &part.config_map {
                let name = &one.local_object_reference.name;
                let optional = one.optional == Some(true);
                let shown = Shown { name, items: &one.items, mode, optional };
                payload.extend(self.config_map_files(pod, shown).await?);
            }
            if let Some(one) = &part.secret {
                let name = &one.local_object_reference.name;
                let optional = one.optional == Some(true);
                let shown = Shown { name, items: &one.items, mode, optional };
                payload.extend(self.secret_files(pod, shown).await?);
            }
            if let Some(one) = &part.downward_api {
                payload.extend(downward(pod, &one.items, mode, node)?);
            }
            if let Some(one) = &part.service_account_token {
                let token = self.token(pod, one).await?;
                payload.insert(one.path.clone(), for_user(pod, token.into_bytes(), mode));
            }
            if let Some(one) = &part.cluster_trust_bundle {
                let anchors = self.trust_anchors(one).await?;
                payload.insert(one.path.clone(), for_user(pod, anchors, mode));
            }
            if let Some(one) = &part.pod_certificate {
                let Bundle { key, chain } = self.pod_certificate(pod, volume, (index, one)).await?;
                let both = format!("{key}{chain}");
                let shown = [
                    (&one.credential_bundle_path, both),
                    (&one.key_path, key),
                    (&one.certificate_chain_path, chain),
                ];
                for (path, text) in shown.into_iter().filter(|(path, _)| !path.is_empty()) {
                    payload.insert(path.clone(), for_user(pod, text.into_bytes(), mode));
                }
            }
        }
        Ok(payload)
    }

    async fn token(&self, pod: &Pod, wanted: &ServiceAccountTokenProjection) -> Result<String, AgentError> {
        let meta = &pod.metadata;
        let seconds = wanted.expiration_seconds.unwrap_or(TOKEN_SECONDS);
        let key = (meta.uid.clone(), wanted.audience.clone(), seconds);
        let held = self.tokens.held(&key);
        let now = self.clock.now();
        if let Some(held) = held.as_ref().filter(|held| now < held.renew) {
            return Ok(held.token.clone());
        }
        let account = account(pod);
        let mut request = TokenRequest::default();
        if !wanted.audience.is_empty() {
            request.spec.audiences = vec![wanted.audience.clone()].into();
        }
        request.spec.expiration_seconds = Some(seconds);
        request.spec.bound_object_ref = Some(Box::new(BoundObjectReference {
            kind: "Pod".to_owned(),
            api_version: "v1".to_owned(),
            name: meta.name.clone(),
            uid: meta.uid.clone(),
        }));
        let place = (meta.namespace.as_str(), account, "token");
        match self.calls.create::<TokenRequest>(SERVICE_ACCOUNTS, place, request).await {
            Ok(granted) => {
                // The API may grant less, or more, than was asked for.
                let seconds = granted.spec.expiration_seconds.unwrap_or(seconds);
                self.tokens.keep(key, Held::new(granted.status.token.clone(), now, seconds));
                Ok(granted.status.token)
            }
            Err(error) => match held.filter(|held| now < held.end) {
                Some(held) => {
                    tracing::warn!(uid = meta.uid, error = %Chain(&error), "a token cannot be renewed yet");
                    Ok(held.token)
                }
                None => Err(error),
            },
        }
    }

    /// The mounts of a container's volumes, with paths below `subPath` bound beside the volumes.
    pub(crate) async fn volume_mounts(
        &self,
        pod: &Pod,
        container: &Container,
        env: &[(String, String)],
        images: &BTreeMap<String, Image>,
    ) -> Result<Vec<Mount>, AgentError> {
        let mut mounts = Vec::new();
        for (index, wanted) in container.volume_mounts.iter().enumerate() {
            let Some(volume) = pod.spec.volumes.iter().find(|volume| volume.name == wanted.name) else {
                return Err(AgentError::NoVolume { name: wanted.name.clone() });
            };
            let lookup =
                |name: &str| env.iter().rev().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
            let sub = match wanted.sub_path_expr.as_str() {
                "" => wanted.sub_path.clone(),
                text => expand(text, lookup),
            };
            let parts = [wanted.name.as_str(), container.name.as_str(), &index.to_string()];
            let directory = self.records.directory(&pod.metadata.uid).join("subpaths");
            let place = parts.iter().fold(directory, |path, part| path.join(part));
            let image = images.get(&volume.name);
            let source =
                self.mount_source(pod, volume, image, (sub, place)).await.map_err(|error| match image {
                    Some(_) => AgentError::ImageVolume { name: volume.name.clone(), source: Box::new(error) },
                    None => error,
                })?;
            let read_only = is_shown(volume) || image.is_some() || claimed::is_read_only(volume);
            mounts.push(mount(wanted, source, read_only));
        }
        Ok(mounts)
    }

    /// What of a volume is mounted: all of it, or what is below a path of it, bound to a place of its own.
    async fn mount_source(
        &self,
        pod: &Pod,
        volume: &Volume,
        image: Option<&Image>,
        (sub, place): (String, PathBuf),
    ) -> Result<PathBuf, AgentError> {
        let uid = pod.metadata.uid.as_str();
        let root = match (&volume.volume_source.host_path, image) {
            (Some(host), _) => PathBuf::from(&host.path),
            (None, Some(image)) => self.show_image(uid, image).await?,
            (None, None) => self.volume_directory(uid, &volume.name),
        };
        if sub.is_empty() {
            return Ok(root);
        }
        let open = if image.is_some() { place::existing_sub_path } else { place::sub_path };
        blocking(move || bind(&open(&root, &sub)?, place)).await
    }

    /// Takes every mount below a pod's directory away.
    pub(crate) async fn unmount_all(&self, uid: &str) -> Result<(), AgentError> {
        let directory = self.records.directory(uid);
        blocking(move || {
            for point in LinuxMounts.below(&directory)? {
                LinuxMounts.unmount(&point)?;
            }
            Ok(())
        })
        .await
    }
}

fn mount(wanted: &VolumeMount, source: PathBuf, read_only: bool) -> Mount {
    let recursive = wanted.recursive_read_only.as_deref();
    Mount {
        source: MountSource::Host(source),
        destination: PathBuf::from(&wanted.mount_path),
        // What shows objects of the API, or an image, is never written by containers.
        read_only: wanted.read_only || read_only,
        recursive_read_only: wanted.read_only && matches!(recursive, Some("Enabled" | "IfPossible")),
        propagation: match wanted.mount_propagation.as_deref() {
            Some("HostToContainer") => Propagation::HostToContainer,
            Some("Bidirectional") => Propagation::Bidirectional,
            _ => Propagation::Private,
        },
    }
}

/// Binds what was found within a volume to a place of its own: a container that changes links on the path later changes nothing.
fn bind(found: &OwnedFd, target: PathBuf) -> Result<PathBuf, AgentError> {
    LinuxMounts.unmount(&target)?;
    let parent = target.parent().unwrap_or(Path::new("/"));
    std::fs::create_dir_all(parent).map_err(AgentError::file("create", parent))?;
    let source = PathBuf::from(format!("/proc/self/fd/{}", found.as_raw_fd()));
    let is_directory = std::fs::metadata(&source).map_err(AgentError::file("inspect", &source))?.is_dir();
    if is_directory {
        std::fs::create_dir_all(&target).map_err(AgentError::file("create", &target))?;
    } else {
        crate::records::overwrite(&target, b"")?;
    }
    LinuxMounts.bind(&source, &target)?;
    Ok(target)
}

/// A file for one user only, where a pod has only one; the pod's group may read it too.
fn for_user(pod: &Pod, bytes: Vec<u8>, mode: u32) -> File {
    let user = only_user(pod);
    let mode = if user.is_some() || group(pod).is_some() { 0o600 } else { mode };
    File { bytes, mode, user }
}

/// The user of all of a pod's containers, if each says that it runs as this one.
fn only_user(pod: &Pod) -> Option<u32> {
    let shared = pod.spec.security_context.as_deref().and_then(|context| context.run_as_user);
    let of = |container: &Container| {
        let own = container.security_context.as_deref().and_then(|context| context.run_as_user);
        own.or(shared).and_then(|uid| u32::try_from(uid).ok())
    };
    let mut users = all(pod).map(|(container, _)| of(container));
    let first = users.next()??;
    users.all(|user| user == Some(first)).then_some(first)
}

fn downward(
    pod: &Pod,
    items: &[DownwardAPIVolumeFile],
    mode: u32,
    node: &Node,
) -> Result<Payload, AgentError> {
    let mut payload = Payload::new();
    for item in items {
        let text = match (&item.field_ref, &item.resource_field_ref) {
            (Some(selector), _) => field(selector, pod, node)?,
            (None, Some(selector)) => resources::field(selector, &Container::default(), pod, node)?,
            (None, None) => String::new(),
        };
        let mode = item.mode.map_or(mode, |mode| mode.cast_unsigned() & 0o777);
        payload.insert(item.path.clone(), File { bytes: text.into_bytes(), mode, user: None });
    }
    Ok(payload)
}

#[cfg(test)]
mod tests {
    use api_types::core::v1::{PodSecurityContext, SecurityContext};

    use super::*;

    #[test]
    fn tokens_are_renewed_before_they_end() {
        let now = Time::from_unix_seconds(1000);
        for (seconds, renew, end) in
            [(600, 1480, 1600), (3600, 3880, 4600), (1_000_000, 1000 + 24 * 3600, 1_001_000)]
        {
            let held = Held::new("t".into(), now, seconds);
            assert_eq!((held.renew.unix_seconds(), held.end.unix_seconds()), (renew, end), "{seconds}");
        }
    }

    #[test]
    fn a_token_is_somebodys_where_all_containers_are_the_same_user() {
        let container = |uid: Option<i64>| Container {
            security_context: Some(Box::new(SecurityContext {
                run_as_user: uid,
                ..SecurityContext::default()
            })),
            ..Container::default()
        };
        let cases = [
            (None, &[None][..], None),
            (None, &[Some(33)], Some(33)),
            (None, &[Some(33), None], None),
            (None, &[Some(33), Some(34)], None),
            (Some(5), &[None, Some(5)], Some(5)),
            (Some(5), &[Some(6)], Some(6)),
        ];
        for (shared, own, wanted) in cases {
            let mut pod = Pod::default();
            pod.spec.security_context =
                Some(Box::new(PodSecurityContext { run_as_user: shared, ..PodSecurityContext::default() }));
            pod.spec.containers = own.iter().copied().map(container).collect::<Vec<_>>().into();
            assert_eq!(only_user(&pod), wanted, "{shared:?} {own:?}");
        }
    }
}
