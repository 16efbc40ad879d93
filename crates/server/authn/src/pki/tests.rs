//! What a directory of keys is made of, what survives, and what is refused.

use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use base::random::SystemRandom;

use super::directory::Directory;
use super::*;
use crate::limits::CERTIFICATE_LIFETIME;

const NOW: Time = Time::from_unix_seconds(1_700_000_000);

fn names(hosts: &[&str]) -> ServingNames {
    ServingNames {
        cluster_domain: "cluster.local".to_owned(),
        service_addresses: vec!["10.96.0.1".parse().expect("an address")],
        hosts: hosts.iter().map(|&host| host.to_owned()).collect(),
        addresses: vec!["192.0.2.7".parse().expect("an address")],
    }
}

fn open(directory: &Directory) -> Result<Pki, PkiError> {
    Pki::open(directory, NOW, &SystemRandom)
}

#[test]
fn what_was_made_once_stays() {
    let place = tempfile::tempdir().expect("a directory");
    let directory = Directory::new(place.path().join("pki"));
    let first = open(&directory).expect("made");
    let second = open(&directory).expect("read");
    assert_eq!(first.cluster.certificate_pem(), second.cluster.certificate_pem());
    assert_eq!(first.front_proxy.certificate_der(), second.front_proxy.certificate_der());
    assert_eq!(first.service_account.public(), second.service_account.public());
    for (file, mode) in [("ca.key", 0o600), ("ca.crt", 0o644), ("sa.key", 0o600), ("sa.pub", 0o644)] {
        let found =
            std::fs::metadata(place.path().join("pki").join(file)).expect(file).permissions().mode() & 0o777;
        assert_eq!(found, mode, "{file}");
    }
}

#[test]
fn what_cannot_be_used_is_refused_with_what_to_do() {
    let cases: &[(&str, Option<&str>, &str)] = &[
        (
            "ca.key",
            None,
            "ca.crt exists but ca.key does not: restore ca.key from a backup, or remove ca.crt to have both made anew",
        ),
        ("ca.crt", Some("ruined"), "ca.crt is damaged: restore it from a backup: it holds no certificate"),
        (
            "ca.key",
            Some("ruined"),
            "ca.key holds no usable key: restore it from a backup: the key is neither ECDSA (P-256, P-384) nor RSA, or is damaged",
        ),
        (
            "sa.key",
            None,
            "sa.pub exists but sa.key does not: restore sa.key from a backup, or remove sa.pub to have both made anew",
        ),
    ];
    for (file, contents, want) in cases {
        let place = tempfile::tempdir().expect("a directory");
        let directory = Directory::new(place.path());
        open(&directory).expect("made");
        match contents {
            Some(text) => directory.replace(file, text.as_bytes(), true).expect("written"),
            None => std::fs::remove_file(place.path().join(file)).expect("removed"),
        }
        let error = open(&directory).expect_err("refused");
        assert_eq!(base::error::Chain(&error).to_string(), *want);
    }
}

#[test]
fn a_key_of_another_authority_an_exposed_one_and_an_ended_one_are_refused() {
    let place = tempfile::tempdir().expect("a directory");
    let directory = Directory::new(place.path());
    open(&directory).expect("made");
    let late = Pki::open(&directory, NOW + Duration::from_secs(11 * 365 * 86_400), &SystemRandom);
    assert!(base::error::Chain(&late.expect_err("ended")).to_string().contains("its certificate ended at "));
    let key = directory.read("front-proxy-ca.key").expect("read").expect("there");
    directory.replace("ca.key", &key, true).expect("written");
    let error = open(&directory).expect_err("refused");
    assert!(
        base::error::Chain(&error)
            .to_string()
            .ends_with("its certificate does not belong to the key beside it")
    );
    std::fs::set_permissions(place.path().join("ca.key"), std::fs::Permissions::from_mode(0o644))
        .expect("changed");
    let error = open(&directory).expect_err("refused");
    assert!(base::error::Chain(&error).to_string().contains("mode 644"), "{error}");
}

#[test]
fn a_crash_after_an_authority_s_key_is_made_good() {
    let place = tempfile::tempdir().expect("a directory");
    let directory = Directory::new(place.path());
    let key = PrivateKey::generate().expect("a key");
    directory.replace("ca.key", key.to_pem().as_bytes(), true).expect("written");
    let pki = open(&directory).expect("made");
    assert_eq!(pki.cluster.issuer().key.public(), key.public());
}

#[test]
fn leaves_are_renewed_when_due_and_when_names_change() {
    let place = tempfile::tempdir().expect("a directory");
    let directory = Directory::new(place.path());
    let pki = open(&directory).expect("made");
    let serving = |names: &ServingNames, now| {
        pki.serving(&directory, names, now, &SystemRandom).expect("a certificate").certificate
    };
    let first = serving(&names(&["a"]), NOW);
    assert_eq!(serving(&names(&["a"]), NOW + Duration::from_secs(60)), first);
    assert_eq!(serving(&names(&["a"]), NOW + CERTIFICATE_LIFETIME / 2), first);
    let second = serving(&names(&["a", "b"]), NOW);
    assert_ne!(second, first);
    assert_ne!(serving(&names(&["a", "b"]), NOW + CERTIFICATE_LIFETIME * 3 / 4), second);

    let other = tempfile::tempdir().expect("a directory");
    let stranger = open(&Directory::new(other.path())).expect("made");
    let before = pki.component(&directory, &Component::Scheduler, NOW, &SystemRandom).expect("a certificate");
    let after =
        stranger.component(&directory, &Component::Scheduler, NOW, &SystemRandom).expect("a certificate");
    assert_ne!(before.certificate, after.certificate, "another authority's certificate is not kept");
}

#[test]
fn the_serving_certificate_has_every_name() {
    let got = names(&["node-1", "198.51.100.4"]).alternative_names();
    let text: Vec<String> = got
        .iter()
        .map(|name| match name {
            crate::certificate::AlternativeName::Ip(address) => address.to_string(),
            crate::certificate::AlternativeName::Dns(host) => host.clone(),
            other => format!("{other:?}"),
        })
        .collect();
    assert_eq!(
        text,
        [
            "kubernetes",
            "kubernetes.default",
            "kubernetes.default.svc",
            "kubernetes.default.svc.cluster.local",
            "localhost",
            "node-1",
            "10.96.0.1",
            "127.0.0.1",
            "192.0.2.7",
            "198.51.100.4",
            "::1"
        ]
    );
}
