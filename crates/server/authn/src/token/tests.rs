//! Tokens that count, tokens that do not, and the documents about them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base::random::SystemRandom;
use proptest::prelude::*;

use super::claims::Ref;
use super::issue::{Bound, ExpirationError, Issuer, TokenRequest, check_expiration};
use super::verify::Verifier;
use super::*;
use crate::key::PrivateKey;
use crate::user::CREDENTIAL_ID;

const NOW: Time = Time::from_unix_seconds(1_700_000_000);
const URL: &str = "https://kubernetes.default.svc.cluster.local";

#[derive(Default)]
struct Cluster {
    objects: BTreeMap<String, Found>,
    secrets: BTreeMap<String, TokenSecret>,
    /// The Secret that an account names.
    named: Option<String>,
    /// The Secrets whose tokens were shown.
    shown: Mutex<Vec<String>>,
}

impl Cluster {
    fn with(objects: &[(&str, &str)]) -> Cluster {
        let found = |uid: &&str| Found { uid: (*uid).to_owned(), deleted_at: None };
        let objects = objects.iter().map(|(name, uid)| ((*name).to_owned(), found(uid))).collect();
        Cluster { objects, ..Cluster::default() }
    }

    fn deleted(mut self, name: &str, at: Time) -> Cluster {
        self.objects.get_mut(name).expect("there").deleted_at = Some(at);
        self
    }

    fn get(&self, name: &str) -> Option<Found> {
        self.objects.get(name).cloned()
    }
}

impl BoundObjects for Cluster {
    fn service_account(&self, namespace: &str, name: &str) -> Option<Found> {
        self.get(&format!("sa/{namespace}/{name}"))
    }
    fn pod(&self, namespace: &str, name: &str) -> Option<Found> {
        self.get(&format!("pod/{namespace}/{name}"))
    }
    fn node(&self, name: &str) -> Option<Found> {
        self.get(&format!("node/{name}"))
    }
    fn secret(&self, namespace: &str, name: &str) -> Option<Found> {
        self.get(&format!("secret/{namespace}/{name}"))
    }
    fn token_secret(&self, namespace: &str, name: &str) -> Option<TokenSecret> {
        self.secrets.get(&format!("{namespace}/{name}")).cloned()
    }
    fn names_secret(&self, namespace: &str, account: &str, secret: &str) -> bool {
        self.named == Some(format!("{namespace}/{account}/{secret}"))
    }
    fn was_shown(&self, namespace: &str, secret: &str) {
        self.shown.lock().expect("no test panics with it").push(format!("{namespace}/{secret}"));
    }
}

fn full() -> Cluster {
    Cluster::with(&[
        ("sa/ns/app", "u-sa"),
        ("pod/ns/app-0", "u-pod"),
        ("node/n1", "u-node"),
        ("secret/ns/s", "u-secret"),
    ])
}

struct Fixture {
    key: Arc<PrivateKey>,
    issuer: Issuer,
    verifier: Verifier,
}

fn fixture() -> Fixture {
    let key = Arc::new(PrivateKey::generate().expect("a key"));
    let audiences = vec![URL.to_owned(), "api".to_owned()];
    let keys = Keys::new(vec![key.public().clone()]);
    Fixture {
        issuer: Issuer::new(URL, audiences.clone(), key.clone()),
        verifier: Verifier::new(vec![URL.to_owned()], audiences, keys),
        key,
    }
}

fn request(bound: Option<Bound>) -> TokenRequest {
    TokenRequest {
        namespace: "ns".to_owned(),
        service_account: Ref::new("app", "u-sa"),
        audiences: Vec::new(),
        expiration_seconds: 3600,
        bound,
    }
}

fn pod_bound() -> Option<Bound> {
    Some(Bound::Pod { pod: Ref::new("app-0", "u-pod"), node: Some(Ref::new("n1", "u-node")) })
}

fn claims_of(token: &str) -> serde_json::Value {
    use base64::Engine as _;
    let payload = token.split('.').nth(1).expect("three parts");
    let bytes = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(payload).expect("base64");
    serde_json::from_slice(&bytes).expect("JSON")
}

#[test]
fn a_pod_s_token_names_its_account_pod_and_node() {
    let f = fixture();
    let issued = f.issuer.issue(&request(pod_bound()), NOW, &SystemRandom).expect("issued");
    let jti = claims_of(&issued.token)["jti"].as_str().expect("text").to_owned();
    assert_eq!(
        claims_of(&issued.token).to_string(),
        format!(
            r#"{{"aud":["{URL}","api"],"exp":1700003600,"iat":1700000000,"iss":"{URL}","jti":"{jti}","kubernetes.io":{{"namespace":"ns","node":{{"name":"n1","uid":"u-node"}},"pod":{{"name":"app-0","uid":"u-pod"}},"serviceaccount":{{"name":"app","uid":"u-sa"}}}},"nbf":1700000000,"sub":"system:serviceaccount:ns:app"}}"#
        )
    );
    assert_eq!(issued.expiration, NOW + Duration::from_secs(3600));
    let verified = f.verifier.verify(&issued.token, None, &full(), NOW).expect("good").expect("ours");
    assert_eq!(verified.user.name, "system:serviceaccount:ns:app");
    assert_eq!(verified.user.uid, "u-sa");
    assert_eq!(verified.user.groups, ["system:serviceaccounts", "system:serviceaccounts:ns"]);
    assert_eq!(verified.audiences, [URL, "api"]);
    let extra: Vec<_> =
        verified.user.extra.iter().map(|(key, value)| (key.as_str(), value[0].as_str())).collect();
    assert_eq!(
        extra,
        [
            (CREDENTIAL_ID, issued.credential_id.as_str()),
            ("authentication.kubernetes.io/node-name", "n1"),
            ("authentication.kubernetes.io/node-uid", "u-node"),
            ("authentication.kubernetes.io/pod-name", "app-0"),
            ("authentication.kubernetes.io/pod-uid", "u-pod"),
        ]
    );
}

#[test]
fn a_token_ends_with_what_it_is_bound_to() {
    let f = fixture();
    let node = || Some(Bound::Node(Ref::new("n1", "u-node")));
    let secret = || Some(Bound::Secret(Ref::new("s", "u-secret")));
    let long_ago = NOW - Duration::from_secs(61);
    let gone = "service account token has been invalidated";
    let cases: Vec<(Option<Bound>, Cluster, Option<&str>)> = vec![
        (None, full(), None),
        (node(), full(), None),
        (secret(), full(), None),
        (None, Cluster::default(), Some("serviceaccounts \"app\" not found")),
        (
            None,
            Cluster::with(&[("sa/ns/app", "new")]),
            Some("service account UID (new) does not match claim (u-sa)"),
        ),
        (None, full().deleted("sa/ns/app", long_ago), Some("service account ns/app has been deleted")),
        (None, full().deleted("sa/ns/app", NOW), None),
        (pod_bound(), Cluster::with(&[("sa/ns/app", "u-sa")]), Some(gone)),
        (pod_bound(), Cluster::with(&[("sa/ns/app", "u-sa"), ("pod/ns/app-0", "u-pod")]), None),
        (
            pod_bound(),
            Cluster::with(&[("sa/ns/app", "u-sa"), ("pod/ns/app-0", "new")]),
            Some("pod UID (new) does not match service account pod ref claim (u-pod)"),
        ),
        (pod_bound(), full().deleted("pod/ns/app-0", long_ago), Some(gone)),
        (node(), Cluster::with(&[("sa/ns/app", "u-sa")]), Some(gone)),
        (
            node(),
            Cluster::with(&[("sa/ns/app", "u-sa"), ("node/n1", "new")]),
            Some("node UID (new) does not match service account node ref claim (u-node)"),
        ),
        (secret(), Cluster::with(&[("sa/ns/app", "u-sa")]), Some(gone)),
        (
            secret(),
            Cluster::with(&[("sa/ns/app", "u-sa"), ("secret/ns/s", "new")]),
            Some("secret UID (new) does not match service account secret ref claim (u-secret)"),
        ),
    ];
    for (index, (bound, cluster, want)) in cases.into_iter().enumerate() {
        let token = f.issuer.issue(&request(bound), NOW, &SystemRandom).expect("issued").token;
        let got = f.verifier.verify(&token, None, &cluster, NOW).err().map(|error| error.to_string());
        assert_eq!(got.as_deref(), want, "case {index}");
    }
}

#[test]
fn times_are_kept_with_a_minute_of_leeway() {
    let f = fixture();
    let token = f.issuer.issue(&request(None), NOW, &SystemRandom).expect("issued").token;
    for (offset, want) in
        [(-61, Some(TokenError::NotYetValid)), (-60, None), (3660, None), (3661, Some(TokenError::Expired))]
    {
        let at = Time::from_unix_seconds(NOW.unix_seconds() + offset);
        assert_eq!(f.verifier.verify(&token, None, &full(), at).err(), want, "{offset}");
    }
}

#[test]
fn a_token_is_for_its_audiences_only() {
    let f = fixture();
    let vault = TokenRequest { audiences: vec!["vault".to_owned()], ..request(None) };
    let token = f.issuer.issue(&vault, NOW, &SystemRandom).expect("issued").token;
    let error = f.verifier.verify(&token, None, &full(), NOW).expect_err("not for us");
    assert_eq!(
        error.to_string(),
        format!("token audiences [\"vault\"] is invalid for the target audiences [\"{URL}\" \"api\"]")
    );
    let wanted = ["vault".to_owned(), "other".to_owned()];
    let verified = f.verifier.verify(&token, Some(&wanted), &full(), NOW).expect("good").expect("ours");
    assert_eq!(verified.audiences, ["vault"]);
}

#[test]
fn kubelet_s_hour_is_extended_for_pods_and_recorded_when_overrun() {
    let f = fixture();
    let hour = |bound| TokenRequest { expiration_seconds: 3607, ..request(bound) };
    let pod = f.issuer.issue(&hour(pod_bound()), NOW, &SystemRandom).expect("issued");
    assert_eq!(claims_of(&pod.token)["exp"], 1_700_000_000 + 365 * 24 * 3600);
    assert_eq!(claims_of(&pod.token)["kubernetes.io"]["warnafter"], 1_700_003_607);
    assert_eq!(pod.expiration, NOW + Duration::from_secs(3607));
    let late = NOW + Duration::from_secs(4000);
    let verified = f.verifier.verify(&pod.token, None, &full(), late).expect("good").expect("ours");
    assert_eq!(
        verified.annotations,
        [(
            "authentication.k8s.io/stale-token",
            "subject: system:serviceaccount:ns:app, seconds after warning threshold: 393".to_owned()
        )]
    );
    let unbound = f.issuer.issue(&hour(None), NOW, &SystemRandom).expect("issued");
    assert_eq!(claims_of(&unbound.token)["exp"], 1_700_003_607);
    let elsewhere = TokenRequest { audiences: vec!["vault".to_owned()], ..hour(pod_bound()) };
    let elsewhere = f.issuer.issue(&elsewhere, NOW, &SystemRandom).expect("issued");
    assert_eq!(claims_of(&elsewhere.token)["exp"], 1_700_003_607);
}

#[test]
fn durations_have_bounds() {
    assert_eq!(check_expiration(599), Err(ExpirationError::TooShort));
    assert_eq!(check_expiration(600), Ok(()));
    assert_eq!(check_expiration((1 << 32) + 1), Err(ExpirationError::TooLong));
    let issuer = fixture().issuer.max_expiration(1800);
    let issued = issuer.issue(&request(None), NOW, &SystemRandom).expect("issued");
    assert_eq!(issued.expiration_seconds, 1800);
    assert_eq!(
        issued.warning.as_deref(),
        Some("requested expiration of 3600 seconds shortened to 1800 seconds")
    );
}

/// A token of any header and payload, signed as tokens are.
fn forge(key: &PrivateKey, header: &str, payload: &str) -> String {
    let message = format!("{}.{}", jws::encode(header.as_bytes()), jws::encode(payload.as_bytes()));
    let signature = key.sign_token(message.as_bytes()).expect("signed");
    format!("{message}.{}", jws::encode(&signature))
}

#[test]
fn only_our_key_with_its_own_algorithm_signs() {
    let f = fixture();
    let good = f.issuer.issue(&request(None), NOW, &SystemRandom).expect("issued").token;
    let payload = claims_of(&good).to_string();
    let kid = key_id(f.key.public());
    let stranger = PrivateKey::generate().expect("a key");
    let body = |token: &str| token.rsplit_once('.').expect("three parts").0.to_owned();
    let none = format!("{}.{}.", jws::encode(br#"{"alg":"none"}"#), jws::encode(payload.as_bytes()));
    // The confusion of RS256 and HS256: our public key, which all know, as the secret.
    let hs = {
        let message = format!("{}.{}", jws::encode(br#"{"alg":"HS256"}"#), jws::encode(payload.as_bytes()));
        let secret = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, f.key.public().to_pem().as_bytes());
        format!("{message}.{}", jws::encode(ring::hmac::sign(&secret, message.as_bytes()).as_ref()))
    };
    let cases = [
        (none, Err(TokenError::Signature)),
        (hs, Err(TokenError::Signature)),
        (forge(&f.key, r#"{"alg":"RS256"}"#, &payload), Err(TokenError::Signature)),
        (forge(&f.key, r#"{"alg":"ES256","crit":["b64"]}"#, &payload), Err(TokenError::Signature)),
        (forge(&stranger, r#"{"alg":"ES256"}"#, &payload), Err(TokenError::Signature)),
        (
            forge(&stranger, &format!(r#"{{"alg":"ES256","kid":"{kid}"}}"#), &payload),
            Err(TokenError::Signature),
        ),
        (forge(&stranger, r#"{"alg":"ES256","kid":"unknown"}"#, &payload), Err(TokenError::NoKeys)),
        (
            forge(&f.key, r#"{"alg":"ES256"}"#, &format!(r#"{{"iss":"{URL}","exp":"soon"}}"#)),
            Err(TokenError::Claims),
        ),
        (forge(&f.key, r#"{"alg":"ES256"}"#, r#"{"iss":"https://elsewhere"}"#), Ok(None)),
        (forge(&f.key, r#"{"alg":"ES256"}"#, r#"{"iss":7}"#), Ok(None)),
        (format!("{}.", body(&good)), Err(TokenError::Signature)),
        (format!("{good}.more"), Ok(None)),
        ("opaque".to_owned(), Ok(None)),
        (String::new(), Ok(None)),
    ];
    for (token, want) in cases {
        assert_eq!(f.verifier.verify(&token, None, &full(), NOW), want, "{token}");
    }
    let without_kid = forge(&f.key, r#"{"alg":"ES256"}"#, &payload);
    assert!(f.verifier.verify(&without_kid, None, &full(), NOW).expect("good").is_some());
}

#[test]
fn a_former_key_and_a_former_issuer_still_count() {
    let old = fixture();
    let token = old.issuer.issue(&request(None), NOW, &SystemRandom).expect("issued").token;
    let new = PrivateKey::generate().expect("a key");
    let keys = Keys::new(vec![new.public().clone(), old.key.public().clone()]);
    let verifier = Verifier::new(vec!["https://new".to_owned(), URL.to_owned()], vec![URL.to_owned()], keys);
    assert!(verifier.verify(&token, None, &full(), NOW).expect("good").is_some());
}

#[test]
fn a_secret_s_token_counts_as_long_as_the_secret_holds_it() {
    let f = fixture();
    let token = legacy::issue(&f.key, "ns", &Ref::new("app", "u-sa"), "app-token").expect("issued");
    let holding = |text: &str, invalid, deleted_at| {
        let found = Found { uid: "u".to_owned(), deleted_at };
        let mut cluster = full();
        let secret = TokenSecret { found, token: text.as_bytes().to_vec(), invalid };
        cluster.secrets.insert("ns/app-token".to_owned(), secret);
        cluster
    };
    let verified =
        f.verifier.verify(&token, None, &holding(&token, false, None), NOW).expect("good").expect("ours");
    assert_eq!(verified.user.name, "system:serviceaccount:ns:app");
    assert_eq!(verified.annotations[0], ("authentication.k8s.io/legacy-token", verified.user.name.clone()));
    let said = |cluster: &Cluster| {
        let verified = f.verifier.verify(&token, None, cluster, NOW).expect("good").expect("ours");
        assert_eq!(*cluster.shown.lock().expect("whole"), ["ns/app-token"]);
        verified.annotations[1].clone()
    };
    let mut cluster = holding(&token, false, None);
    let by_hand = ("authentication.k8s.io/legacy-token-manual-secret", "app-token".to_owned());
    assert_eq!(said(&cluster), by_hand);
    (cluster.named, cluster.shown) = (Some("ns/app/app-token".to_owned()), Default::default());
    let by_itself = ("authentication.k8s.io/legacy-token-autogenerated-secret", "app-token".to_owned());
    assert_eq!(said(&cluster), by_itself);
    for (cluster, want) in [
        (full(), "Token has been invalidated"),
        (holding(&token, false, Some(NOW)), "Token has been invalidated"),
        (holding("other", false, None), "Token does not match server's copy"),
    ] {
        assert_eq!(f.verifier.verify(&token, None, &cluster, NOW).expect_err("refused").to_string(), want);
    }
    let revoked = f.verifier.verify(&token, None, &holding(&token, true, None), NOW).expect_err("refused");
    assert!(
        revoked.to_string().starts_with(
            "the token in secret ns/app-token for service account ns/app has been marked invalid."
        )
    );
    let incomplete = forge(&f.key, r#"{"alg":"ES256"}"#, r#"{"iss":"kubernetes/serviceaccount","sub":"x"}"#);
    assert_eq!(
        f.verifier.verify(&incomplete, None, &full(), NOW).expect_err("refused").to_string(),
        "namespace claim is missing"
    );
}

#[test]
fn the_documents_say_what_others_need() {
    let f = fixture();
    let keys = Keys::new(vec![f.key.public().clone()]);
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("text");
    let uri = format!("{URL}{}", discovery::KEYS_PATH);
    assert_eq!(
        text(discovery::configuration(URL, &uri, &keys).expect("discoverable")),
        format!(
            r#"{{"issuer":"{URL}","jwks_uri":"{URL}/openid/v1/jwks","response_types_supported":["id_token"],"subject_types_supported":["public"],"id_token_signing_alg_values_supported":["ES256"]}}"#
        )
    );
    let set: serde_json::Value = serde_json::from_slice(&discovery::key_set(&keys)).expect("JSON");
    let key = &set["keys"][0];
    assert_eq!(key["kid"], key_id(f.key.public()));
    assert_eq!(
        (&key["use"], &key["kty"], &key["crv"], &key["alg"]),
        (&"sig".into(), &"EC".into(), &"P-256".into(), &"ES256".into())
    );
    assert_eq!(key["x"].as_str().expect("text").len(), 43);
    for (issuer, want) in [
        ("", "empty issuer URL"),
        ("http://a", "issuer URL must use https scheme, got: http://a"),
        ("https://a?b", "issuer URL may not include a query, got: https://a?b"),
        ("https://a#b", "issuer URL may not include a fragment, got: https://a#b"),
    ] {
        assert_eq!(discovery::configuration(issuer, &uri, &keys).expect_err("refused").to_string(), want);
    }
}

/// Clusters that kubeadm made sign with RSA. The key was made for this test and signs nothing else.
#[test]
fn rsa_keys_sign_and_are_published() {
    let key = Arc::new(PrivateKey::from_pem(include_bytes!("../../testdata/rsa.key")).expect("PKCS#1"));
    let keys = Keys::new(vec![key.public().clone()]);
    let issuer = Issuer::new(URL, vec![URL.to_owned()], key.clone());
    let verifier = Verifier::new(vec![URL.to_owned()], vec![URL.to_owned()], keys.clone());
    let token = issuer.issue(&request(None), NOW, &SystemRandom).expect("issued").token;
    assert!(verifier.verify(&token, None, &full(), NOW).expect("good").is_some());
    let es256 = forge(&key, r#"{"alg":"ES256"}"#, &claims_of(&token).to_string());
    assert_eq!(verifier.verify(&es256, None, &full(), NOW), Err(TokenError::Signature));
    let set: serde_json::Value = serde_json::from_slice(&discovery::key_set(&keys)).expect("JSON");
    assert_eq!((&set["keys"][0]["kty"], &set["keys"][0]["e"]), (&"RSA".into(), &"AQAB".into()));
    assert_eq!(set["keys"][0]["n"].as_str().expect("text").len(), 342);
    let public = crate::key::PublicKey::from_pem(key.public().to_pem().as_bytes()).expect("public");
    assert_eq!(&public, key.public());
}

proptest! {
    #[test]
    fn garbage_never_panics(text: String, header: String, payload: String) {
        let f = fixture();
        let _ = f.verifier.verify(&text, None, &full(), NOW);
        let _ = f.verifier.verify(&forge(&f.key, &header, &payload), None, &full(), NOW);
        let _ = f.verifier.verify(&forge(&f.key, r#"{"alg":"ES256"}"#, &payload), None, &full(), NOW);
    }

    #[test]
    fn a_changed_token_does_not_count(at: prop::sample::Index, byte in "[A-Za-z0-9_.-]") {
        let f = fixture();
        let token = f.issuer.issue(&request(None), NOW, &SystemRandom).expect("issued").token;
        let at = at.index(token.len());
        let mut changed = token.clone();
        changed.replace_range(at..=at, &byte);
        let got = f.verifier.verify(&changed, None, &full(), NOW);
        prop_assert!(changed == token || !matches!(got, Ok(Some(_))));
    }
}
