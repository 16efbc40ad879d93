//! What a machine that joins is told of the cluster, signed with each bootstrap token: whoever has a token can tell that nobody has
//! changed the ConfigMap `cluster-info`, before there is anybody whom it trusts.
//!
//! Upstream: `pkg/controller/bootstrap/bootstrapsigner.go`. The ConfigMap is made by whoever sets up such joining (`kubeadm`, say);
//! without one there is nothing to do.

use std::collections::BTreeMap;

use api_types::core::v1::{ConfigMap, Secret};
use base::time::Time;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use client::reconcile::{Controller, Plan, Wires, World, Write};
use ring::hmac;
use serde_json::json;

use super::bootstrap_token::{NAMESPACE, end, for_signing, is_token};

const PUBLIC: &str = "kube-public";
const NAME: &str = "cluster-info";
/// What is signed.
const KUBECONFIG: &str = "kubeconfig";
/// What a signature's key begins with; the token's id follows.
const PREFIX: &str = "jws-kubeconfig-";

/// The signer of what the public is told.
pub struct BootstrapSigner;

impl Controller for BootstrapSigner {
    const NAME: &'static str = "bootstrap-signer";
    type Key = ();

    fn wire(&self, wires: &mut Wires<()>) {
        let is_info = |map: &ConfigMap| map.metadata.namespace == PUBLIC && map.metadata.name == NAME;
        wires.maps::<ConfigMap>(move |map, _| is_info(map).then_some(()).into_iter().collect());
        wires.maps::<Secret>(|secret, _| is_token(secret).then_some(()).into_iter().collect());
    }

    fn plan(&self, (): &(), world: &World, now: Time) -> Plan {
        let mut plan = Plan::default();
        let Some(info) = world.get::<ConfigMap>(PUBLIC, NAME) else { return plan };
        let Some(content) = info.data.get(KUBECONFIG) else { return plan };
        let tokens = || world.in_namespace::<Secret>(NAMESPACE).filter(|secret| is_token(secret));
        let signed: BTreeMap<String, String> = tokens()
            .filter_map(|secret| for_signing(secret, now))
            .map(|(id, secret)| (format!("{PREFIX}{id}"), signature(content, id, secret)))
            .collect();
        let is_signature = |key: &str| key.starts_with(PREFIX);
        let has = info.data.iter().filter(|(key, _)| is_signature(key));
        if !has.eq(&signed) {
            let mut changed = info.clone();
            changed.data.retain(|key, _| !is_signature(key));
            changed.data.extend(signed);
            plan.stage([Write::update(changed)]);
        }
        if let Some(next) = tokens().filter_map(end).filter(|end| *end > now).min() {
            plan.again_in(next.since(now));
        }
        plan
    }
}

/// A detached JWS (HS256) of `content`, whose key is the token's secret.
fn signature(content: &str, id: &str, secret: &str) -> String {
    let header = URL_SAFE_NO_PAD.encode(json!({"alg": "HS256", "kid": id}).to_string());
    let signed = format!("{header}.{}", URL_SAFE_NO_PAD.encode(content));
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    let tag = hmac::sign(&key, signed.as_bytes());
    format!("{header}..{}", URL_SAFE_NO_PAD.encode(tag))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use client::Revision;

    use super::*;

    const CONTENT: &str = "{some of a kubeconfig}";

    fn token(id: &str, also: &[(&str, &str)]) -> Secret {
        let mut secret = Secret::default();
        secret.metadata.name = format!("bootstrap-token-{id}");
        secret.metadata.namespace = NAMESPACE.into();
        secret.type_ = "bootstrap.kubernetes.io/token".into();
        let fields = [("token-id", id), ("token-secret", "secret"), ("usage-bootstrap-signing", "true")];
        let fields = fields.iter().chain(also);
        secret.data.extend(fields.map(|(key, text)| ((*key).to_owned(), text.as_bytes().to_vec().into())));
        secret
    }

    /// The keys that the ConfigMap has after, if it is written, and when to look again.
    fn signed(keys: &[&str], tokens: Vec<Secret>) -> (Option<Vec<String>>, Option<Duration>) {
        let mut info = ConfigMap::default();
        info.metadata.name = NAME.into();
        info.metadata.namespace = PUBLIC.into();
        info.data.insert(KUBECONFIG.into(), CONTENT.into());
        for id in keys {
            info.data.insert(format!("{PREFIX}{id}"), signature(CONTENT, id, "secret"));
        }
        let world = World::default().with([info], Revision(1)).with(tokens, Revision(1));
        let plan = BootstrapSigner.plan(&(), &world, Time::from_unix_seconds(60));
        let written = plan.writes().find_map(|write| write.object::<ConfigMap>());
        (written.map(|map| map.data.keys().cloned().collect()), plan.again)
    }

    #[test]
    fn a_signature_is_what_others_can_check() {
        // The case of `k8s.io/cluster-bootstrap/token/jws`.
        let wanted = "eyJhbGciOiJIUzI1NiIsImtpZCI6Impvc2h1YSJ9..VShe2taLd-YTrmWuRkcL_8QTNDHYxQIEBsAYYiIj1_8";
        assert_eq!(
            signature(
                "Hello from the other side. I must have called a thousand times.",
                "joshua",
                "my voice is my passcode"
            ),
            wanted
        );
    }

    #[test]
    fn each_good_token_signs() {
        let keys = |ids: &[&str]| {
            let signatures = ids.iter().map(|id| format!("{PREFIX}{id}"));
            Some(signatures.chain([KUBECONFIG.to_owned()]).collect())
        };
        let (one, two) = (token("aaaaa1", &[]), token("aaaaa2", &[]));
        assert_eq!(signed(&[], vec![one.clone(), two.clone()]), (keys(&["aaaaa1", "aaaaa2"]), None));
        assert_eq!(signed(&["aaaaa1", "aaaaa2"], vec![one.clone(), two]), (None, None));
        assert_eq!(signed(&["aaaaa1", "aaaaa2"], vec![one]), (keys(&["aaaaa1"]), None), "a token is gone");
        let ends = token("aaaaa1", &[("expiration", "1970-01-01T00:01:30Z")]);
        assert_eq!(signed(&["aaaaa1"], vec![ends]), (None, Some(Duration::from_secs(30))));
        for bad in [
            token("aaaaa1", &[("expiration", "1970-01-01T00:01:00Z")]),
            token("aaaaa1", &[("expiration", "soon")]),
            token("aaaaa1", &[("usage-bootstrap-signing", "yes")]),
            token("aaaaa1", &[("token-id", "aaaaa2")]),
            token("aaaaa1", &[("token-secret", "")]),
            token("TOOLONG", &[]),
        ] {
            assert_eq!(signed(&[], vec![bad]).0, None);
        }
    }
}
