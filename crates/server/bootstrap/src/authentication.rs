//! The ConfigMap `extension-apiserver-authentication`: how aggregated API servers find out who sends a request.
//!
//! Upstream: `pkg/controlplane/controller/clusterauthenticationtrust`. What is there is kept beside what this server adds, so that
//! servers with other authorities do not undo each other's; authorities that have ended go.

use std::collections::BTreeMap;

use api_types::core::v1::ConfigMap;
use api_types::meta::v1::ObjectMeta;
use base::time::Time;
use client::{Resource, Status};
use server_authn::front_proxy::{EXTRA_PREFIXES, GROUP_HEADERS, UID_HEADERS, USER_HEADERS};
use server_authn::x509;

use crate::limits::ATTEMPTS;
use crate::writer::{Writer, contended};

static CONFIG_MAPS: Resource = Resource::of("", "v1", "configmaps");
const NAMESPACE: &str = "kube-system";
const NAME: &str = "extension-apiserver-authentication";
const END: &str = "-----END CERTIFICATE-----";

/// How this server finds out who sends a request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Authentication {
    /// The authorities of client certificates, PEM.
    pub client_ca: String,
    /// The authorities of proxies that name users in headers, PEM.
    pub front_proxy_ca: String,
    /// The common names of those proxies; all, when empty.
    pub allowed_names: Vec<String>,
}

/// Makes the ConfigMap, or adds to it what is missing.
pub(crate) async fn reconcile(writer: &Writer<'_>, wanted: &Authentication) -> Result<(), Status> {
    for _ in 0..ATTEMPTS {
        let existing: Option<ConfigMap> = writer.get(&CONFIG_MAPS, NAMESPACE, NAME).await?;
        let data = existing.as_ref().map(|map| map.data.clone()).unwrap_or_default();
        let combined = combined(data, wanted, writer.now().map(Into::into).unwrap_or_default());
        let done = match existing {
            Some(map) if map.data == combined => true,
            Some(map) => writer.update(&CONFIG_MAPS, "", &ConfigMap { data: combined, ..map }).await?,
            None => {
                let (name, namespace) = (NAME.to_owned(), NAMESPACE.to_owned());
                let metadata = ObjectMeta { name, namespace, ..ObjectMeta::default() };
                let map = ConfigMap { metadata, data: combined, ..ConfigMap::default() };
                writer.create(&CONFIG_MAPS, Box::new(map)).await?
            }
        };
        if done {
            return Ok(());
        }
    }
    Err(contended(&CONFIG_MAPS, NAME))
}

fn combined(
    mut data: BTreeMap<String, String>,
    wanted: &Authentication,
    now: Time,
) -> BTreeMap<String, String> {
    let authorities =
        [("client-ca-file", &wanted.client_ca), ("requestheader-client-ca-file", &wanted.front_proxy_ca)];
    for (key, own) in authorities {
        let known = data.remove(key).unwrap_or_default();
        let mut all = Vec::new();
        for certificate in certificates(&known).chain(certificates(own)) {
            let ended = x509::end(certificate.as_bytes()).is_none_or(|end| end <= now);
            if !ended && !all.contains(&certificate) {
                all.push(certificate);
            }
        }
        if !all.is_empty() {
            data.insert(key.to_owned(), all.concat());
        }
    }
    let allowed: Vec<&str> = wanted.allowed_names.iter().map(String::as_str).collect();
    let lists = [
        ("requestheader-username-headers", USER_HEADERS),
        ("requestheader-uid-headers", UID_HEADERS),
        ("requestheader-group-headers", GROUP_HEADERS),
        ("requestheader-extra-headers-prefix", EXTRA_PREFIXES),
        ("requestheader-allowed-names", &allowed),
    ];
    for (key, own) in lists {
        // What cannot be read tells nobody anything.
        let known = data.get(key).and_then(|text| serde_json::from_str::<Vec<String>>(text).ok());
        let mut all = known.unwrap_or_default();
        for name in own {
            if !all.iter().any(|known| known == name) {
                all.push((*name).to_owned());
            }
        }
        data.insert(key.to_owned(), serde_json::Value::from(all).to_string());
    }
    data
}

/// The certificates of a text, each with the line break after it.
fn certificates(text: &str) -> impl Iterator<Item = String> {
    text.split_inclusive(END).filter_map(|block| {
        let begin = block.find("-----BEGIN CERTIFICATE-----")?;
        block.ends_with(END).then(|| format!("{}\n", &block[begin..]))
    })
}

#[cfg(test)]
mod tests {
    use base::random::SystemRandom;
    use server_authn::pki::authority::Authority;

    use super::*;

    const NOW: Time = Time::from_unix_seconds(1_700_000_000);

    fn authority(name: &str, now: Time) -> String {
        Authority::create(name, now, &SystemRandom).expect("an authority").certificate_pem().to_owned()
    }

    #[test]
    fn what_is_there_is_kept_beside_what_is_ours() {
        let wanted = Authentication {
            client_ca: authority("a", NOW),
            front_proxy_ca: authority("b", NOW),
            allowed_names: vec!["front-proxy-client".to_owned()],
        };
        let first = combined(BTreeMap::new(), &wanted, NOW);
        assert_eq!(first["client-ca-file"], wanted.client_ca);
        assert_eq!(first["requestheader-username-headers"], r#"["X-Remote-User"]"#);
        assert_eq!(first["requestheader-extra-headers-prefix"], r#"["X-Remote-Extra-"]"#);
        assert_eq!(first["requestheader-allowed-names"], r#"["front-proxy-client"]"#);
        assert_eq!(combined(first.clone(), &wanted, NOW), first);
        let (other, ended) = (authority("c", NOW), authority("d", Time::EPOCH));
        let mut theirs = first.clone();
        theirs.insert("client-ca-file".to_owned(), format!("# theirs\n{ended}{other}"));
        theirs.insert("requestheader-allowed-names".to_owned(), r#"["theirs"]"#.to_owned());
        theirs.insert("requestheader-group-headers".to_owned(), "nonsense".to_owned());
        let both = combined(theirs, &wanted, NOW);
        assert_eq!(both["client-ca-file"], format!("{other}{}", wanted.client_ca));
        assert_eq!(both["requestheader-allowed-names"], r#"["theirs","front-proxy-client"]"#);
        assert_eq!(both["requestheader-group-headers"], r#"["X-Remote-Group"]"#);
    }
}
