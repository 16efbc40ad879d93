//! What a pod refers to by name: config maps, secrets, pull secrets, and the services that its environment names.

use std::collections::BTreeMap;

use api_types::core::v1::{ConfigMap, Container, Pod, Secret};
use node_image::credentials::Keyring;
use node_pod::env::{Sources, references};

use crate::calls::{CONFIG_MAPS, SECRETS};
use crate::core::Core;
use crate::error::AgentError;
use crate::events::Kind;
use crate::services::variables;

/// `None` for what is not there.
pub(crate) fn present<T>(found: Result<T, AgentError>) -> Result<Option<T>, AgentError> {
    match found {
        Ok(object) => Ok(Some(object)),
        Err(error) if error.is_not_found() => Ok(None),
        Err(error) => Err(error),
    }
}

impl Core {
    /// What a container's environment refers to. What is not there is left out: whether that matters is decided with the rest.
    pub(crate) async fn sources(&self, pod: &Pod, container: &Container) -> Result<Sources, AgentError> {
        let namespace = &pod.metadata.namespace;
        let (config_maps, secrets) = references(container);
        let mut sources = Sources::default();
        for name in config_maps {
            if let Some(found) = present(self.calls.get::<ConfigMap>(CONFIG_MAPS, namespace, name).await)? {
                sources.config_maps.insert(name.to_owned(), found);
            }
        }
        for name in secrets {
            if let Some(found) = present(self.calls.get::<Secret>(SECRETS, namespace, name).await)? {
                sources.secrets.insert(name.to_owned(), found);
            }
        }
        // Without them a container would never hear of its services.
        let view = self.views.services.raw();
        let mut changes = view.changed();
        while !view.snapshot().is_synced() && changes.changed().await.is_ok() {}
        sources.services = self.service_variables(pod);
        Ok(sources)
    }

    fn service_variables(&self, pod: &Pod) -> BTreeMap<String, String> {
        let links = pod.spec.enable_service_links != Some(false);
        variables(&self.views.services.snapshot(), &pod.metadata.namespace, links)
    }

    /// The credentials of a pod's pull secrets. Those that are not there are told of, once the pull may need them.
    pub(crate) async fn keyring(&self, pod: &Pod) -> Keyring {
        let mut keyring = Keyring::default();
        let mut missing = Vec::new();
        for reference in pod.spec.image_pull_secrets.iter().filter(|one| !one.name.is_empty()) {
            let found = self.calls.get::<Secret>(SECRETS, &pod.metadata.namespace, &reference.name).await;
            let Ok(secret) = found else {
                missing.push(reference.name.clone());
                continue;
            };
            let added = match (secret.data.get(".dockerconfigjson"), secret.data.get(".dockercfg")) {
                (Some(text), _) => keyring.add_docker_config_json(text),
                (None, Some(text)) => keyring.add_docker_cfg(text),
                (None, None) => Ok(()),
            };
            if let Err(error) = added {
                tracing::debug!(name = reference.name, %error, "a pull secret cannot be read");
            }
        }
        if !missing.is_empty() {
            let names = missing.join(", ");
            let message = format!(
                "Unable to retrieve some image pull secrets ({names}); attempting to pull the image may not succeed."
            );
            self.events.pod(pod, Kind::Warning, "FailedToRetrieveImagePullSecret", message);
        }
        keyring
    }
}
