//! The ConfigMap that says since when servers have written down the use of tokens in Secrets: nobody who was not watched is unused.
//!
//! Upstream: `pkg/controlplane/controller/legacytokentracking`.

use api_record::scalar::Time;
use api_types::core::v1::ConfigMap;
use api_types::meta::v1::ObjectMeta;
use client::{Resource, Status};

use crate::limits::ATTEMPTS;
use crate::writer::{Writer, contended};

static CONFIG_MAPS: Resource = Resource::of("", "v1", "configmaps");
const NAMESPACE: &str = "kube-system";
const NAME: &str = "kube-apiserver-legacy-service-account-token-tracking";
const SINCE: &str = "since";

/// Makes the ConfigMap, or gives it a day if it has none.
pub(crate) async fn reconcile(writer: &Writer<'_>) -> Result<(), Status> {
    let mut today = writer.now().map(|now| now.to_string()).unwrap_or_default();
    today.truncate("2006-01-02".len());
    for _ in 0..ATTEMPTS {
        let existing: Option<ConfigMap> = writer.get(&CONFIG_MAPS, NAMESPACE, NAME).await?;
        let is_day = |text: &String| format!("{text}T00:00:00Z").parse::<Time>().is_ok();
        let done = match existing {
            Some(map) if map.data.get(SINCE).is_some_and(is_day) => true,
            Some(mut map) => {
                map.data.insert(SINCE.to_owned(), today.clone());
                writer.update(&CONFIG_MAPS, "", &map).await?
            }
            None => {
                let (name, namespace) = (NAME.to_owned(), NAMESPACE.to_owned());
                let metadata = ObjectMeta { name, namespace, ..ObjectMeta::default() };
                let data = [(SINCE.to_owned(), today.clone())].into();
                writer
                    .create(&CONFIG_MAPS, Box::new(ConfigMap { metadata, data, ..ConfigMap::default() }))
                    .await?
            }
        };
        if done {
            return Ok(());
        }
    }
    Err(contended(&CONFIG_MAPS, NAME))
}
