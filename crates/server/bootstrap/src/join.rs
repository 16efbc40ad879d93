//! What nodes join with: the Secret of their token, and what they are told of the cluster.

use api_types::core::v1::{ConfigMap, Secret};
use client::{Resource, Status};
use server_authn::bootstrap::{SECRET_NAMESPACE, SECRET_TYPE};
use server_authz::bootstrap::SETTINGS;

use crate::Join;
use crate::limits::ATTEMPTS;
use crate::writer::{Writer, contended};

static CONFIG_MAPS: Resource = Resource::of("", "v1", "configmaps");
static SECRETS: Resource = Resource::of("", "v1", "secrets");

/// Marks the one token that this server keeps; those that people make are theirs.
const DESCRIPTION: &str = "The token that the server keeps for nodes to join with.";

pub(crate) async fn reconcile(writer: &Writer<'_>, join: &Join) -> Result<(), Status> {
    token(writer, join).await?;
    settings(writer, join).await
}

async fn settings(writer: &Writer<'_>, join: &Join) -> Result<(), Status> {
    for _ in 0..ATTEMPTS {
        let found: Option<ConfigMap> = writer.get(&CONFIG_MAPS, SECRET_NAMESPACE, SETTINGS).await?;
        let done = match found {
            Some(found) if found.data == join.settings => true,
            Some(mut found) => {
                found.data.clone_from(&join.settings);
                writer.update(&CONFIG_MAPS, "", &found).await?
            }
            None => {
                let mut made = ConfigMap { data: join.settings.clone(), ..ConfigMap::default() };
                made.metadata.name = SETTINGS.to_owned();
                made.metadata.namespace = SECRET_NAMESPACE.to_owned();
                writer.create(&CONFIG_MAPS, Box::new(made)).await?
            }
        };
        if done {
            return Ok(());
        }
    }
    Err(contended(&CONFIG_MAPS, SETTINGS))
}

/// The token's Secret is there, and no other that a server of this cluster kept earlier.
async fn token(writer: &Writer<'_>, join: &Join) -> Result<(), Status> {
    let name = join.token.secret_name();
    for old in writer.all::<Secret>(&SECRETS, SECRET_NAMESPACE).await? {
        let ours = old.data.get("description").is_some_and(|text| **text == *DESCRIPTION.as_bytes());
        let same =
            old.data.get("token-secret").is_some_and(|secret| **secret == *join.token.secret().as_bytes());
        if old.type_ == SECRET_TYPE && ours && !(old.metadata.name == name && same) {
            writer.delete(&SECRETS, &old).await?;
        }
    }
    let mut secret = Secret { type_: SECRET_TYPE.to_owned(), ..Secret::default() };
    secret.metadata.name.clone_from(&name);
    secret.metadata.namespace = SECRET_NAMESPACE.to_owned();
    for (key, value) in [
        ("token-id", join.token.id()),
        ("token-secret", join.token.secret()),
        ("description", DESCRIPTION),
        ("usage-bootstrap-authentication", "true"),
        ("usage-bootstrap-signing", "true"),
    ] {
        secret.data.insert(key.to_owned(), value.as_bytes().to_vec().into());
    }
    writer.ensure(&SECRETS, Box::new(secret)).await
}
