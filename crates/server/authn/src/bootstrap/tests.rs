//! Bootstrap tokens that count, those that do not, and join tokens.

use std::time::Duration;

use base::random::SystemRandom;
use proptest::prelude::*;

use super::join::{JoinToken, JoinTokenError};
use super::*;

const NOW: Time = Time::from_unix_seconds(1_700_000_000);
const TOKEN: &str = "abcdef.0123456789abcdef";

fn secret(changes: &[(&str, &str)]) -> BootstrapSecret {
    let mut data = BTreeMap::new();
    let base = [
        ("token-id", "abcdef"),
        ("token-secret", "0123456789abcdef"),
        ("usage-bootstrap-authentication", "true"),
    ];
    for (key, value) in base.iter().chain(changes) {
        data.insert((*key).to_owned(), value.as_bytes().to_vec());
    }
    BootstrapSecret { kind: SECRET_TYPE.to_owned(), data, deleted: false }
}

struct One(BootstrapSecret);

impl BootstrapSecrets for One {
    fn get(&self, name: &str) -> Option<BootstrapSecret> {
        (name == "bootstrap-token-abcdef").then(|| self.0.clone())
    }
}

#[test]
fn secrets_make_bootstrappers() {
    let groups = |changes: &[(&str, &str)]| {
        authenticate(TOKEN, &One(secret(changes)), NOW).map(|user| (user.name, user.groups.join(",")))
    };
    let some = |groups: &str| Some(("system:bootstrap:abcdef".to_owned(), groups.to_owned()));
    assert_eq!(groups(&[]), some("system:bootstrappers"));
    assert_eq!(
        groups(&[(
            "auth-extra-groups",
            "system:bootstrappers:z,system:bootstrappers:kubeadm:default-node-token"
        )]),
        some("system:bootstrappers,system:bootstrappers:kubeadm:default-node-token,system:bootstrappers:z")
    );
    assert_eq!(groups(&[("expiration", "2023-11-14T22:13:21Z")]), some("system:bootstrappers"));
    assert_eq!(groups(&[("expiration", "2023-11-14T23:13:21+01:00")]), some("system:bootstrappers"));
    for changes in [
        ("token-secret", "0123456789abcdeg"),
        ("token-secret", ""),
        ("token-id", "abcdeg"),
        ("usage-bootstrap-authentication", "True"),
        ("auth-extra-groups", "system:masters"),
        ("auth-extra-groups", "system:bootstrappers:a,"),
        ("expiration", "2023-11-14T22:13:20Z"),
        ("expiration", "tomorrow"),
        ("expiration", "2023-11-14 22:13:21Z"),
    ] {
        assert_eq!(groups(&[changes]), None, "{changes:?}");
    }
    let other = BootstrapSecret { kind: "Opaque".to_owned(), ..secret(&[]) };
    assert_eq!(authenticate(TOKEN, &One(other), NOW), None);
    let deleted = BootstrapSecret { deleted: true, ..secret(&[]) };
    assert_eq!(authenticate(TOKEN, &One(deleted), NOW), None);
    assert_eq!(authenticate("abcdeg.0123456789abcdef", &One(secret(&[])), NOW), None);
    assert_eq!(authenticate("eyJh.eyJh.sig", &One(secret(&[])), NOW), None);
    assert!(expired(b"2023-11-14T22:13:21Z", NOW + Duration::from_secs(1)));
}

#[test]
fn tokens_have_one_form() {
    for wrong in [
        "",
        "abcdef",
        "abcdef.",
        "ABCDEF.0123456789abcdef",
        "abcdef.0123456789abcdef0",
        "abcdef.0123456789abcde\n",
    ] {
        assert!(BootstrapToken::parse(wrong).is_none(), "{wrong}");
    }
    let token = BootstrapToken::generate(&SystemRandom);
    assert_eq!(BootstrapToken::parse(&token.to_string()), Some(token.clone()));
    assert!(!format!("{token:?}").contains(&token.to_string()[7..]), "the secret is not for logs");
}

#[test]
fn groups_have_one_form() {
    for (group, want) in [
        ("system:bootstrappers:a", true),
        ("system:bootstrappers:a-b:c", true),
        ("system:bootstrappers", false),
        ("system:bootstrappers:", false),
        ("system:bootstrappers:a-", false),
        ("system:bootstrappers:A", false),
        ("system:masters", false),
    ] {
        assert_eq!(is_group(group), want, "{group}");
    }
}

#[test]
fn a_join_token_knows_its_cluster() {
    let token = JoinToken::generate(b"authority", &SystemRandom);
    let read = JoinToken::parse(&format!("{token}\n")).expect("its own form");
    assert_eq!(read, token);
    assert_eq!(read.check(b"authority"), Ok(()));
    let error = read.check(b"impostor").expect_err("another cluster");
    assert!(error.to_string().contains("this is not the cluster that the token is for"));
    let bare = JoinToken::parse(TOKEN).expect("a bare token");
    assert!(!bare.names_cluster() && bare.check(b"anything").is_ok());
    let digest = "0".repeat(64);
    for (text, want) in [
        (String::new(), JoinTokenError::Form),
        ("K10".to_owned(), JoinTokenError::Form),
        (format!("K10{digest}:{TOKEN}"), JoinTokenError::Form),
        (format!("K10abc::{TOKEN}"), JoinTokenError::Digest),
        (format!("K10{digest}::server:password"), JoinTokenError::Token),
    ] {
        assert_eq!(JoinToken::parse(&text), Err(want), "{text}");
    }
}

proptest! {
    #[test]
    fn garbage_never_panics(text: String, data: Vec<u8>) {
        let _ = JoinToken::parse(&text);
        let _ = JoinToken::parse(&format!("K10{text}"));
        let _ = authenticate(&text, &One(secret(&[])), NOW);
        let _ = expired(&data, NOW);
        let _ = groups(&data);
    }
}
