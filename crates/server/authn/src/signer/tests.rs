//! What each signer permits, and what its certificates say.

use base::random::SystemRandom;
use x509_parser::prelude::FromDer;

use super::*;
use crate::certificate::name::Name;
use crate::key::PrivateKey;
use crate::request;

const NOW: Time = Time::from_unix_seconds(1_700_000_000);

fn dns() -> AlternativeName {
    AlternativeName::Dns("node-1".to_owned())
}

fn request(name: &str, groups: &[&str], names: &[AlternativeName]) -> Request {
    let key = PrivateKey::generate().expect("a key");
    let text = request::create(&key, &Name::new(name, groups), names).expect("a request");
    Request::from_pem(text.as_bytes()).expect("readable")
}

fn node(names: &[AlternativeName]) -> Request {
    request("system:node:node-1", &["system:nodes"], names)
}

#[test]
fn signers_permit_what_upstream_s_permit() {
    let client = ["digital signature", "client auth"];
    let client_rsa = ["key encipherment", "digital signature", "client auth"];
    let serving = ["digital signature", "server auth"];
    let ip = AlternativeName::Ip("10.0.0.1".parse().expect("an address"));
    let mail = AlternativeName::Email("a@b".to_owned());
    let uri = AlternativeName::Uri("spiffe://x".to_owned());
    let serving_usages = "usages did not match [digital signature key encipherment server auth]";
    let client_usages = "usages did not match [client auth digital signature key encipherment]";
    let cases: &[(Signer, Request, &[&str], Option<&str>)] = &[
        (Signer::KubeApiserverClientKubelet, node(&[]), &client, None),
        (Signer::KubeApiserverClientKubelet, node(&[]), &client_rsa, None),
        (Signer::KubeApiserverClientKubelet, node(&[]), &serving, Some(client_usages)),
        (Signer::KubeApiserverClientKubelet, node(&[]), &["client auth"], Some(client_usages)),
        (
            Signer::KubeApiserverClientKubelet,
            node(&[dns()]),
            &client,
            Some("DNS subjectAltNames are not allowed"),
        ),
        (
            Signer::KubeApiserverClientKubelet,
            node(&[ip.clone(), mail.clone()]),
            &client,
            Some("Email subjectAltNames are not allowed"),
        ),
        (
            Signer::KubeApiserverClientKubelet,
            node(std::slice::from_ref(&ip)),
            &client,
            Some("IP subjectAltNames are not allowed"),
        ),
        (
            Signer::KubeApiserverClientKubelet,
            node(std::slice::from_ref(&uri)),
            &client,
            Some("URI subjectAltNames are not allowed"),
        ),
        (
            Signer::KubeApiserverClientKubelet,
            request("system:node:n", &["system:nodes", "system:masters"], &[]),
            &client,
            Some("subject organization is not system:nodes"),
        ),
        (
            Signer::KubeApiserverClientKubelet,
            request("admin", &["system:nodes"], &[]),
            &client,
            Some("subject common name does not begin with system:node:"),
        ),
        (Signer::KubeletServing, node(&[dns()]), &serving, None),
        (
            Signer::KubeletServing,
            node(&[ip]),
            &["key encipherment", "server auth", "digital signature"],
            None,
        ),
        (Signer::KubeletServing, node(&[]), &serving, Some("DNS or IP subjectAltName is required")),
        (
            Signer::KubeletServing,
            node(&[dns(), mail]),
            &serving,
            Some("Email subjectAltNames are not allowed"),
        ),
        (Signer::KubeletServing, node(&[dns(), uri]), &serving, Some("URI subjectAltNames are not allowed")),
        (Signer::KubeletServing, node(&[dns()]), &client, Some(serving_usages)),
        (
            Signer::KubeletServing,
            request("n", &["system:nodes"], &[dns()]),
            &serving,
            Some("subject common name does not begin with system:node:"),
        ),
        (Signer::KubeApiserverClient, request("jane", &["dev", "ops"], &[]), &client, None),
        (
            Signer::KubeApiserverClient,
            request("jane", &[], &[]),
            &["digital signature"],
            Some("missing required usage for client certificate: client auth"),
        ),
        (
            Signer::KubeApiserverClient,
            request("jane", &[], &[]),
            &["client auth", "server auth"],
            Some("invalid usage for client certificate: server auth"),
        ),
        (Signer::LegacyUnknown, request("x", &[], &[dns()]), &["server auth", "client auth"], None),
    ];
    for (signer, request, usages, want) in cases {
        let got = signer.check(request, usages).err().map(|refusal| refusal.to_string());
        assert_eq!(got.as_deref(), *want, "{signer:?} {:?} {usages:?}", request.subject);
        assert_eq!(Signer::from_name(signer.name()), Some(*signer));
    }
    assert_eq!(Signer::from_name("example.com/signer"), None);
}

fn validity(pem_text: &str) -> (i64, i64) {
    let block = pem::parse(pem_text).expect("PEM");
    let (_, certificate) =
        x509_parser::certificate::X509Certificate::from_der(block.contents()).expect("a certificate");
    (certificate.validity().not_before.timestamp(), certificate.validity().not_after.timestamp())
}

#[test]
fn lifetimes_are_kept_within_bounds_and_the_authority_s() {
    let authority = Authority::create("kubernetes", NOW, &SystemRandom).expect("an authority");
    let now = NOW.unix_seconds();
    let year = 365 * 24 * 3600;
    for (at, seconds, want) in [
        (NOW, None, (now - 300, now + year - 300)),
        (NOW, Some(60), (now - 300, now + 600)),
        (NOW, Some(3600), (now - 300, now + 3600)),
        (NOW, Some(86_400), (now - 300, now + 86_400 - 300)),
        (NOW, Some(i32::MAX), (now - 300, now + year - 300)),
        (NOW, Some(-1), (now - 300, now + 600)),
    ] {
        let pem = sign(
            Signer::KubeApiserverClient,
            &request("jane", &["dev", "ops"], &[]),
            &["client auth"],
            seconds,
            &authority,
            at,
            &SystemRandom,
        )
        .expect("signed");
        assert_eq!(validity(&pem), want, "{seconds:?}");
    }
    let late = authority.not_after() - Duration::from_secs(3600);
    let sign_at = |at| {
        sign(
            Signer::KubeApiserverClient,
            &request("j", &[], &[]),
            &["client auth"],
            None,
            &authority,
            at,
            &SystemRandom,
        )
    };
    assert_eq!(validity(&sign_at(late).expect("signed")).1, authority.not_after().unix_seconds());
    let error = sign_at(authority.not_after()).expect_err("ended");
    assert!(error.to_string().starts_with("the signer has expired: NotAfter="), "{error}");
}

#[test]
fn a_signed_certificate_says_what_was_asked_for_and_no_more() {
    let authority = Authority::create("kubernetes", NOW, &SystemRandom).expect("an authority");
    let key = PrivateKey::generate().expect("a key");
    let mut subject = Name::new("jane", &["dev", "ops"]);
    subject.uid = vec!["42".to_owned()];
    let text = request::create(&key, &subject, &[dns()]).expect("a request");
    let request = Request::from_pem(text.as_bytes()).expect("readable");
    let pem = sign(
        Signer::LegacyUnknown,
        &request,
        &["client auth", "digital signature"],
        None,
        &authority,
        NOW,
        &SystemRandom,
    )
    .expect("signed");
    let block = pem::parse(&pem).expect("PEM");
    let (_, certificate) =
        x509_parser::certificate::X509Certificate::from_der(block.contents()).expect("a certificate");
    let name = Name::read(certificate.subject()).expect("text");
    assert_eq!(name, Name::new("jane", &["dev", "ops"]), "the uid is dropped");
    assert!(!certificate.is_ca());
    let usage = certificate.extended_key_usage().expect("once").expect("present").value;
    assert!(usage.client_auth && !usage.server_auth);
    certificate.verify_signature(None).expect_err("it does not sign itself");
    let unknown = sign(Signer::LegacyUnknown, &request, &["sudo"], None, &authority, NOW, &SystemRandom);
    assert_eq!(unknown.expect_err("refused").to_string(), "unrecognized usage values: [\"sudo\"]");
}

#[test]
fn nodes_are_approved_by_themselves_or_by_bootstrappers() {
    let client = ["digital signature", "client auth"];
    let subresources = |signer, request: &Request, usages: &[&str], user| {
        approvals(signer, request, usages, user)
            .iter()
            .map(|approval| approval.subresource)
            .collect::<Vec<_>>()
    };
    let kubelet = Signer::KubeApiserverClientKubelet;
    assert_eq!(
        subresources(kubelet, &node(&[]), &client, "system:node:node-1"),
        ["selfnodeclient", "nodeclient"]
    );
    assert_eq!(subresources(kubelet, &node(&[]), &client, "system:bootstrap:abcdef"), ["nodeclient"]);
    assert!(subresources(kubelet, &node(&[dns()]), &client, "system:node:node-1").is_empty());
    assert!(subresources(Signer::KubeApiserverClient, &node(&[]), &client, "system:node:node-1").is_empty());
}
