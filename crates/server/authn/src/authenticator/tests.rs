//! The order of credentials, what is refused, and what is anonymous.

use std::sync::Arc;

use base::random::SystemRandom;
use http::{HeaderName, HeaderValue};
use proptest::prelude::*;

use super::*;
use crate::bootstrap::BootstrapSecret;
use crate::key::PrivateKey;
use crate::pki::authority::Authority;
use crate::pki::component::Component;
use crate::token::claims::Ref;
use crate::token::issue::{Issuer, TokenRequest};
use crate::token::{Found, Keys, TokenSecret};

const NOW: Time = Time::from_unix_seconds(1_700_000_000);

struct Nothing;

impl BootstrapSecrets for Nothing {
    fn get(&self, name: &str) -> Option<BootstrapSecret> {
        let data = [
            ("token-id", "abcdef"),
            ("token-secret", "0123456789abcdef"),
            ("usage-bootstrap-authentication", "true"),
        ];
        (name == "bootstrap-token-abcdef").then(|| BootstrapSecret {
            kind: "bootstrap.kubernetes.io/token".to_owned(),
            data: data.iter().map(|(key, value)| ((*key).to_owned(), value.as_bytes().to_vec())).collect(),
            deleted: false,
        })
    }
}

impl BoundObjects for Nothing {
    fn service_account(&self, _: &str, name: &str) -> Option<Found> {
        (name == "app").then(|| Found { uid: "u".to_owned(), deleted_at: None })
    }
    fn pod(&self, _: &str, _: &str) -> Option<Found> {
        None
    }
    fn node(&self, _: &str) -> Option<Found> {
        None
    }
    fn secret(&self, _: &str, _: &str) -> Option<Found> {
        None
    }
    fn token_secret(&self, _: &str, _: &str) -> Option<TokenSecret> {
        None
    }
    fn names_secret(&self, _: &str, _: &str, _: &str) -> bool {
        false
    }
    fn was_shown(&self, _: &str, _: &str) {}
}

struct World {
    cluster: Authority,
    proxies: Authority,
    issuer: Issuer,
    authenticator: Authenticator,
}

fn world() -> World {
    let authority = |name| Authority::create(name, NOW, &SystemRandom).expect("an authority");
    let trust = |authority: &Authority| {
        ClientAuthorities::from_pem(authority.certificate_pem().as_bytes()).expect("authorities")
    };
    let (cluster, proxies) = (authority("kubernetes"), authority("front-proxy-ca"));
    let key = Arc::new(PrivateKey::generate().expect("a key"));
    let keys = Keys::new(vec![key.public().clone()]);
    let authenticator = Authenticator {
        front_proxy: Some(FrontProxy {
            authorities: trust(&proxies),
            allowed_names: vec!["front-proxy-client".to_owned()],
            headers: FrontProxyHeaders::default(),
        }),
        clients: Some(trust(&cluster)),
        tokens: Verifier::new(vec!["https://issuer".to_owned()], vec!["api".to_owned()], keys),
        anonymous: Anonymous::All,
    };
    World {
        cluster,
        proxies,
        issuer: Issuer::new("https://issuer", vec!["api".to_owned()], key),
        authenticator,
    }
}

impl World {
    fn token(&self) -> String {
        let request = TokenRequest {
            namespace: "ns".to_owned(),
            service_account: Ref::new("app", "u"),
            audiences: Vec::new(),
            expiration_seconds: 3600,
            bound: None,
        };
        self.issuer.issue(&request, NOW, &SystemRandom).expect("issued").token
    }

    fn ask(
        &self,
        chain: &[CertificateDer<'_>],
        pairs: &[(&str, &str)],
    ) -> Result<Authenticated, Unauthorized> {
        let headers = headers(pairs);
        let sources = Sources { objects: &Nothing, bootstrap: Some(&Nothing) };
        self.authenticator.authenticate(Credentials { chain, headers: &headers, path: "/api" }, sources, NOW)
    }

    /// The user's name, or the causes in brackets.
    fn who(&self, chain: &[CertificateDer<'_>], pairs: &[(&str, &str)]) -> String {
        self.ask(chain, pairs).map_or_else(|error| format!("({error})"), |found| found.user.name)
    }
}

fn headers(pairs: &[(&str, &str)]) -> HeaderMap {
    let mut map = HeaderMap::new();
    for (name, value) in pairs {
        let name = HeaderName::from_bytes(name.as_bytes()).expect("a name");
        map.append(name, HeaderValue::from_str(value).expect("a value"));
    }
    map
}

fn certificate(authority: &Authority, component: Component) -> CertificateDer<'static> {
    let key = PrivateKey::generate().expect("a key");
    let template = component.template(key.public().clone(), NOW);
    CertificateDer::from(template.sign(authority.issuer(), &SystemRandom).expect("signed"))
}

#[test]
fn credentials_are_tried_in_order() {
    let world = world();
    let admin = [certificate(&world.cluster, Component::Admin)];
    let proxy = [certificate(&world.proxies, Component::FrontProxy)];
    let other_proxy = [certificate(&world.proxies, Component::Admin)];
    let stranger = [certificate(&Authority::create("x", NOW, &SystemRandom).expect("x"), Component::Admin)];
    let bearer = format!("Bearer {}", world.token());
    let token = ("authorization", bearer.as_str());
    let remote = ("x-remote-user", "jane");
    let unknown = "x509: certificate signed by unknown authority";
    let account = "system:serviceaccount:ns:app";
    let bad = ("authorization", "Bearer nonsense");
    type Case<'a> = (&'a [CertificateDer<'a>], Vec<(&'a str, &'a str)>, String);
    let cases: Vec<Case<'_>> = vec![
        (&[], vec![], "system:anonymous".to_owned()),
        (&[], vec![remote], "system:anonymous".to_owned()),
        (&admin, vec![], "kubernetes-admin".to_owned()),
        (&admin, vec![remote], "kubernetes-admin".to_owned()),
        (&admin, vec![token], "kubernetes-admin".to_owned()),
        (&proxy, vec![remote], "jane".to_owned()),
        (&proxy, vec![], format!("({unknown})")),
        (&proxy, vec![token], account.to_owned()),
        (
            &other_proxy,
            vec![remote],
            format!("([x509: subject with cn=kubernetes-admin is not in the allowed list, {unknown}])"),
        ),
        (&stranger, vec![], format!("({unknown})")),
        (&stranger, vec![token], account.to_owned()),
        (&stranger, vec![bad], format!("([{unknown}, invalid bearer token])")),
        (&[], vec![token], account.to_owned()),
        (&[], vec![bad], "(invalid bearer token)".to_owned()),
        (&[], vec![("authorization", "Basic dTpw")], "system:anonymous".to_owned()),
        (&[], vec![("authorization", "Bearer ")], "system:anonymous".to_owned()),
        (
            &[],
            vec![("authorization", "bearer abcdef.0123456789abcdef")],
            "system:bootstrap:abcdef".to_owned(),
        ),
        (&[], vec![("authorization", "Bearer abcdef.0123456789abcdeg")], "(invalid bearer token)".to_owned()),
    ];
    for (index, (chain, pairs, want)) in cases.into_iter().enumerate() {
        assert_eq!(world.who(chain, &pairs), want, "case {index}");
    }
}

#[test]
fn users_get_the_groups_that_all_have() {
    let world = world();
    let admin = [certificate(&world.cluster, Component::Admin)];
    let groups = world.ask(&admin, &[]).expect("known").user.groups;
    assert_eq!(groups, ["kubeadm:cluster-admins", "system:authenticated"]);
    let anonymous = world.ask(&[], &[]).expect("accepted");
    assert_eq!(anonymous.user.groups, ["system:unauthenticated"]);
    let proxy = [certificate(&world.proxies, Component::FrontProxy)];
    let jane = world
        .ask(
            &proxy,
            &[
                ("x-remote-user", "jane"),
                ("x-remote-uid", "7"),
                ("x-remote-group", "dev"),
                ("x-remote-group", "ops"),
                ("x-remote-extra-example.com%2Fscopes", "view"),
            ],
        )
        .expect("named")
        .user;
    assert_eq!((jane.uid.as_str(), jane.groups.join(",").as_str()), ("7", "dev,ops,system:authenticated"));
    assert_eq!(jane.extra["example.com/scopes"], ["view"]);
}

#[test]
fn anonymous_requests_can_be_refused() {
    let mut world = world();
    world.authenticator.anonymous = Anonymous::Paths(vec!["/healthz".to_owned()]);
    assert_eq!(world.who(&[], &[]), "(no credentials were given, and anonymous requests are not accepted)");
    world.authenticator.anonymous = Anonymous::Paths(vec!["/api".to_owned()]);
    assert_eq!(world.who(&[], &[]), "system:anonymous");
    world.authenticator.anonymous = Anonymous::Nobody;
    world.ask(&[], &[]).expect_err("refused");
}

#[test]
fn a_token_with_too_much_space_is_ignored_with_a_warning() {
    let found = world().ask(&[], &[("authorization", "Bearer  token")]).expect("anonymous");
    assert_eq!(found.warnings, [SPACE_WARNING]);
}

#[test]
fn websockets_carry_tokens_among_their_protocols() {
    let world = world();
    let encoded = |token: &str| format!("{PROTOCOL_PREFIX}{}", URL_SAFE_NO_PAD.encode(token));
    let good = encoded(&world.token());
    let ask = |protocols: &str| {
        world.ask(
            &[],
            &[
                ("connection", "keep-alive, Upgrade"),
                ("upgrade", "websocket"),
                ("sec-websocket-protocol", protocols),
            ],
        )
    };
    let found = ask(&format!("v5.channel.k8s.io, {good},v4.channel.k8s.io")).expect("known");
    assert_eq!(found.user.name, "system:serviceaccount:ns:app");
    assert_eq!(found.protocols.as_deref(), Some("v5.channel.k8s.io,v4.channel.k8s.io"));
    assert_eq!(ask("v5.channel.k8s.io").expect("anonymous").user.name, "system:anonymous");
    for (protocols, want) in [
        (good.clone(), "missing additional subprotocol"),
        (format!("a,{good},{good}"), "multiple base64.bearer.authorization tokens specified"),
        (format!("a,{PROTOCOL_PREFIX}%%"), "invalid base64.bearer.authorization token encoding"),
        (format!("a,{}", encoded("nonsense")), "invalid bearer token"),
    ] {
        assert_eq!(ask(&protocols).expect_err("refused").to_string(), want);
    }
    let plain = world.ask(&[], &[("sec-websocket-protocol", &format!("a,{good}"))]);
    assert!(plain.expect("not a WebSocket").user.is_anonymous());
}

#[test]
fn reviews_ask_for_audiences() {
    let world = world();
    let sources = Sources { objects: &Nothing, bootstrap: Some(&Nothing) };
    let review = |token: &str, audiences: Option<&[String]>| {
        world
            .authenticator
            .review(token, audiences, sources, NOW)
            .map(|found| (found.user.name, found.audiences))
    };
    let (api, vault) = (vec!["api".to_owned()], vec!["vault".to_owned()]);
    let (name, audiences) = review(&world.token(), None).expect("good");
    assert_eq!((name.as_str(), audiences), ("system:serviceaccount:ns:app", api.clone()));
    review(&world.token(), Some(&vault)).expect_err("for somebody else");
    let bootstrap = "abcdef.0123456789abcdef";
    assert_eq!(review(bootstrap, Some(&api)).expect("good").1, api);
    assert_eq!(
        review(bootstrap, Some(&vault)).expect_err("for the API server").to_string(),
        "invalid bearer token"
    );
}

#[test]
fn what_proved_a_user_is_removed() {
    let mut map = headers(&[
        ("authorization", "Bearer x"),
        ("x-remote-user", "jane"),
        ("x-remote-extra-a", "b"),
        ("accept", "*/*"),
    ]);
    world().authenticator.clear(&mut map);
    assert_eq!(map.keys().map(HeaderName::as_str).collect::<Vec<_>>(), ["accept"]);
}

proptest! {
    #[test]
    fn garbage_never_panics(value in "[ -~]{0,60}", bytes: Vec<u8>) {
        let world = world();
        let chain = [CertificateDer::from(bytes)];
        let _ = world.ask(&chain, &[("authorization", &value), ("x-remote-user", &value)]);
        let bearer = format!("Bearer {value}");
        let _ = world.ask(&[], &[("authorization", &bearer)]);
        let _ = world.ask(&[], &[("connection", "upgrade"), ("upgrade", "websocket"), ("sec-websocket-protocol", &value)]);
    }
}
