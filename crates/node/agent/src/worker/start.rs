//! One attempt at a container: image, environment, description, creation, start, postStart hook.

use std::collections::BTreeMap;
use std::sync::Arc;

use api_types::core::v1::{Container, Pod};
use base::time::Time;
use node_image::credentials::Keyring;
use node_image::store::Image;
use node_pod::container::{Role, field_path, find, pull_policy, target};
use node_pod::env::environment;
use node_pod::record::{ContainerRecord, Waiting};
use node_pod::security::{Confinement, Profile};
use node_runtime::{PodHandle, RuntimeError};
use tokio::sync::watch;

use super::spec::{self, Parts};
use crate::core::{Core, blocking};
use crate::error::AgentError;
use crate::events::{Kind, pod_reference};
use crate::image::{NoImage, Wanted};
use crate::limits;
use crate::records::make_message;

/// An attempt.
pub(super) struct Attempt {
    pub(super) core: Arc<Core>,
    pub(super) pod: Arc<Pod>,
    pub(super) handle: PodHandle,
    pub(super) name: String,
    pub(super) known: ContainerRecord,
    pub(super) addresses: Vec<String>,
    /// The id of the container whose processes it is to be among, where one is named and runs.
    pub(super) target: Option<String>,
    pub(super) cancel: watch::Receiver<bool>,
}

/// A container runs.
pub(crate) struct Started {
    pub(super) image: String,
    pub(super) image_id: String,
    pub(super) image_digest: String,
    /// The digests of the configurations of images that its volumes show.
    pub(super) volume_images: Vec<String>,
    pub(super) stop_signal: String,
    /// Why it is to be stopped at once: its postStart hook failed.
    pub(super) hook_failure: Option<String>,
}

/// A container does not run.
pub(crate) struct NotStarted {
    pub(super) waiting: Waiting,
    /// The runtime knows of the attempt, and how it ended.
    pub(super) created: bool,
    /// When to try again.
    pub(super) retry: Option<Time>,
}

/// What a container is created from.
struct Prepared {
    image: Image,
    spec: node_runtime::spec::ContainerSpec,
    volume_images: Vec<String>,
}

impl From<NoImage> for NotStarted {
    fn from(missing: NoImage) -> NotStarted {
        NotStarted { waiting: missing.waiting, created: false, retry: missing.retry }
    }
}

fn not_started(reason: &str, message: String) -> NotStarted {
    NotStarted { waiting: Waiting { reason: reason.to_owned(), message }, created: false, retry: None }
}

impl Attempt {
    pub(super) async fn run(mut self) -> Result<Started, NotStarted> {
        let pod = Arc::clone(&self.pod);
        let Some((container, role)) = find(&pod, &self.name) else {
            return Err(not_started("CreateContainerError", "the pod has no such container".to_owned()));
        };
        let container = container.as_ref();
        let mut cancel = self.cancel.clone();
        let prepared = tokio::select! {
            prepared = self.prepare(container, role) => prepared,
            _ = cancel.wait_for(|cancelled| *cancelled) => {
                return Err(not_started("ContainerCreating", String::new()));
            }
        };
        let Prepared { image, spec, volume_images } = prepared?;
        self.create(container, role, spec).await?;
        let hook_failure = self.post_start(container, role).await;
        Ok(Started {
            image: image.references.first().cloned().unwrap_or_else(|| container.image.clone()),
            image_id: image.digests.first().cloned().unwrap_or_else(|| image.id.to_string()),
            image_digest: image.id.to_string(),
            volume_images,
            stop_signal: image.config.stop_signal.clone(),
            hook_failure,
        })
    }

    fn say(&self, container: &Container, role: Role, kind: Kind, reason: &str, message: String) {
        let reference = pod_reference(&self.pod, &field_path(container, role));
        self.core.events.record(reference, kind, reason, message);
    }

    /// The text of the profile that the container asks for by name, below `<data>/seccomp-profiles`.
    async fn profile(&self, confinement: &Confinement) -> Result<Option<String>, AgentError> {
        let Profile::Localhost(name) = &confinement.seccomp else { return Ok(None) };
        let path = self.core.config.data_dir.join("seccomp-profiles").join(name);
        let read = blocking(move || crate::records::read_text_strictly(&path));
        read.await.map(Some)
    }

    /// Everything that has to be there before a container can be created.
    async fn prepare(&self, container: &Container, role: Role) -> Result<Prepared, NotStarted> {
        let keyring = self.core.keyring(&self.pod).await;
        let shown = self.volume_images(container, role, &keyring).await?;
        let wanted = Wanted {
            name: &container.image,
            policy: pull_policy(&container.image_pull_policy, &container.image),
            reference: pod_reference(&self.pod, &field_path(container, role)),
        };
        let image = self.core.image(&self.pod, wanted, &keyring).await?;
        let failed = |reason: &str, message: String| {
            self.say(container, role, Kind::Warning, "Failed", format!("Error: {message}"));
            not_started(reason, message)
        };
        let config_error = |message: String| failed("CreateContainerConfigError", message);
        let sources =
            self.core.sources(&self.pod, container).await.map_err(|error| config_error(error.text()))?;
        let refused = node_pod::fields::ephemeral_refusals(
            &self.pod,
            &container.name,
            self.core.runtime.capabilities().selinux,
        );
        if !refused.is_empty() {
            return Err(config_error(format!("this node does not support {}", refused.join(", "))));
        }
        if let (Some(named), None) = (target(&self.pod, &container.name), &self.target) {
            return Err(not_started(
                "CreateContainerError",
                format!("unable to find target container {named}"),
            ));
        }
        let node = self.core.node(&self.addresses);
        let env = environment(container, &self.pod, &sources, &node)
            .map_err(|error| config_error(error.to_string()))?;
        let confinement =
            spec::confine(&self.pod, container, &image).map_err(|error| config_error(error.to_string()))?;
        let directory = self.core.records.directory(&self.pod.metadata.uid);
        let message = spec::message_file(&directory, &container.name, self.known.attempt);
        blocking(move || make_message(&message)).await.map_err(|error| config_error(error.text()))?;
        let mut mounts =
            spec::usual_mounts(&directory, container, self.known.attempt, confinement.read_only_rootfs);
        let own = self.core.volume_mounts(&self.pod, container, &env, &shown).await;
        mounts.extend(own.map_err(|error| match error {
            // With kubelet it is the runtime that mounts images.
            AgentError::ImageVolume { .. } => failed("CreateContainerError", error.text()),
            error => config_error(error.text()),
        })?);
        let seccomp = self.profile(&confinement).await.map_err(|error| config_error(error.text()))?;
        let parts =
            Parts { id: &self.known.id, attempt: self.known.attempt, image: &image, env, mounts, seccomp };
        let mut spec = spec::build(&self.core, &self.pod, container, confinement, parts);
        spec.processes_of.clone_from(&self.target);
        if spec.process.args.is_empty() {
            return Err(config_error("no command specified".to_owned()));
        }
        let volume_images = shown.values().map(|image| image.id.to_string()).collect();
        Ok(Prepared { image, spec, volume_images })
    }

    /// The images of those of the pod's volumes that a container mounts.
    async fn volume_images(
        &self,
        container: &Container,
        role: Role,
        keyring: &Keyring,
    ) -> Result<BTreeMap<String, Image>, NotStarted> {
        let mut found = self.core.volume_images(&self.pod, keyring).await;
        let (mut shown, mut missing) = (BTreeMap::new(), None);
        for mount in &container.volume_mounts {
            match found.remove(&mount.name) {
                Some(Ok(image)) => drop(shown.insert(mount.name.clone(), image)),
                Some(Err(why)) => {
                    let message = format!("Error: {}", why.waiting.reason);
                    self.say(container, role, Kind::Warning, "Failed", message);
                    missing = Some(why);
                }
                None => {}
            }
        }
        missing.map_or(Ok(shown), |why| Err(why.into()))
    }

    async fn create(
        &mut self,
        container: &Container,
        role: Role,
        spec: node_runtime::spec::ContainerSpec,
    ) -> Result<(), NotStarted> {
        let failed = |error: &RuntimeError| {
            let text = base::error::Chain(error).to_string();
            self.say(container, role, Kind::Warning, "Failed", format!("Error: {text}"));
            text
        };
        // Only the latest attempt's container is kept.
        for old in self.handle.containers() {
            let last = self.known.last.as_ref().is_some_and(|exit| exit.id == old.id);
            if (last || (old.id == self.known.id && old.exit.is_some()))
                && let Err(error) = self.handle.delete_container(&old.id).await
            {
                return Err(not_started("CreateContainerError", failed(&error)));
            }
        }
        if let Some(directory) = spec.log.as_ref().and_then(|log| log.path.parent().map(ToOwned::to_owned)) {
            let made = blocking(move || {
                std::fs::create_dir_all(&directory).map_err(AgentError::file("create", &directory))
            });
            made.await.map_err(|error| not_started("CreateContainerError", error.text()))?;
        }
        self.handle
            .create_container(spec)
            .await
            .map_err(|error| not_started("CreateContainerError", failed(&error)))?;
        self.say(container, role, Kind::Normal, "Created", "Container created".to_owned());
        match self.handle.start(&self.known.id).await {
            Ok(_) => {
                self.say(container, role, Kind::Normal, "Started", "Container started".to_owned());
                Ok(())
            }
            Err(error) => {
                let message = failed(&error);
                let waiting = Waiting { reason: "RunContainerError".to_owned(), message };
                Err(NotStarted { waiting, created: true, retry: None })
            }
        }
    }

    /// Runs the postStart hook; returns why the container is to be stopped, if the hook failed.
    async fn post_start(&self, container: &Container, role: Role) -> Option<String> {
        let hook = container.lifecycle.as_deref()?.post_start.as_deref()?;
        let address = self.addresses.first().map(String::as_str).unwrap_or_default();
        let mut cancel = self.cancel.clone();
        let ran = tokio::select! {
            ran = crate::hooks::run(
                &self.core, &self.handle, (container, &self.known.id), address, hook, limits::HOOK,
            ) => ran,
            // The pod is ending, which stops the container anyway.
            _ = cancel.wait_for(|cancelled| *cancelled) => Ok(String::new()),
        };
        let said = ran.err()?;
        tracing::debug!(id = self.known.id, said, "a postStart hook failed");
        self.say(container, role, Kind::Warning, "FailedPostStartHook", "PostStartHook failed".to_owned());
        Some("FailedPostStartHook".to_owned())
    }
}
