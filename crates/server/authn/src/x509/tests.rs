//! Chains that are good, chains that are not, and the users that certificates name.

use base::random::SystemRandom;
use proptest::prelude::*;

use super::*;
use crate::certificate::Template;
use crate::certificate::usage::{ExtendedUsage, KeyUsages};
use crate::key::PrivateKey;
use crate::pki::authority::Authority;
use crate::pki::component::Component;

const NOW: Time = Time::from_unix_seconds(1_700_000_000);
const HOUR: Duration = Duration::from_secs(3600);

fn authority() -> Authority {
    Authority::create("kubernetes", NOW, &SystemRandom).expect("an authority")
}

fn trusted(authority: &Authority) -> ClientAuthorities {
    ClientAuthorities::from_pem(authority.certificate_pem().as_bytes()).expect("authorities")
}

fn certificate(authority: &Authority, change: impl FnOnce(&mut Template)) -> CertificateDer<'static> {
    let key = PrivateKey::generate().expect("a key");
    let mut template = Component::Admin.template(key.public().clone(), NOW);
    change(&mut template);
    CertificateDer::from(template.sign(authority.issuer(), &SystemRandom).expect("signed"))
}

#[test]
fn chains_are_checked() {
    let ours = authority();
    let stranger = authority();
    let check = |der: CertificateDer<'static>, at| {
        trusted(&ours).verify(&[der], at).err().map(|error| error.to_string())
    };
    assert_eq!(check(certificate(&ours, |_| {}), NOW), None);
    assert_eq!(
        check(certificate(&stranger, |_| {}), NOW).as_deref(),
        Some("x509: certificate signed by unknown authority")
    );
    assert_eq!(
        check(certificate(&ours, |template| template.not_after = NOW - HOUR), NOW).as_deref(),
        Some(
            "x509: certificate has expired or is not yet valid: current time 2023-11-14T22:13:20Z is after 2023-11-14T21:13:20Z"
        )
    );
    assert_eq!(
        check(certificate(&ours, |template| template.not_before = NOW + HOUR), NOW).as_deref(),
        Some(
            "x509: certificate has expired or is not yet valid: current time 2023-11-14T22:13:20Z is before 2023-11-14T23:13:20Z"
        )
    );
    assert_eq!(
        check(certificate(&ours, |template| template.extended_usages = vec![ExtendedUsage::ServerAuth]), NOW)
            .as_deref(),
        Some("x509: certificate specifies an incompatible key usage")
    );
    assert_eq!(
        check(CertificateDer::from(vec![1, 2, 3]), NOW).as_deref(),
        Some("x509: malformed certificate")
    );
    let good = certificate(&ours, |_| {});
    assert_eq!(trusted(&ours).verify(&vec![good; CHAIN_MAX_CERTIFICATES + 1], NOW), Err(X509Error::TooLong));
    assert_eq!(trusted(&ours).verify(&[], NOW), Err(X509Error::Malformed));
}

#[test]
fn an_intermediate_leads_to_its_root() {
    let root = authority();
    let key = PrivateKey::generate().expect("a key");
    let template = Template {
        subject: Name::new("intermediate", &[]),
        public_key: key.public().clone(),
        not_before: NOW - HOUR,
        not_after: NOW + HOUR,
        is_ca: true,
        usages: KeyUsages::CERT_SIGN,
        extended_usages: Vec::new(),
        alternative_names: Vec::new(),
    };
    let der = template.sign(root.issuer(), &SystemRandom).expect("signed");
    let text = crate::key::encode_pem("CERTIFICATE", &der);
    let intermediate = Authority::load(text.as_bytes(), key, NOW).expect("an authority");
    let leaf = certificate(&intermediate, |_| {});
    assert_eq!(trusted(&root).verify(&[leaf.clone(), CertificateDer::from(der)], NOW), Ok(()));
    assert_eq!(trusted(&root).verify(&[leaf], NOW), Err(X509Error::UnknownAuthority));
}

#[test]
fn a_chain_that_was_good_is_so_while_it_lasts_and_for_its_authorities() {
    let ours = authority();
    let (authorities, chain) = (
        trusted(&ours),
        [certificate(&ours, |template| {
            template.not_before = NOW - HOUR;
            template.not_after = NOW + HOUR;
        })],
    );
    for _ in 0..2 {
        assert_eq!(authorities.verify(&chain, NOW), Ok(()));
        assert_eq!(authorities.verify(&chain, NOW + HOUR), Ok(()));
        assert!(matches!(authorities.verify(&chain, NOW + HOUR + HOUR), Err(X509Error::Expired { .. })));
        assert!(matches!(authorities.verify(&chain, NOW - HOUR - HOUR), Err(X509Error::NotYetValid { .. })));
        assert_eq!(trusted(&authority()).verify(&chain, NOW), Err(X509Error::UnknownAuthority));
    }
}

#[test]
fn a_certificate_names_a_user() {
    let ours = authority();
    let named = |name: Name| user(&certificate(&ours, |template| template.subject = name));
    let jane = named(Name { uid: vec!["42".to_owned()], ..Name::new("jane", &["dev", "ops"]) });
    let jane = jane.expect("readable").expect("named");
    assert_eq!((jane.name.as_str(), jane.uid.as_str()), ("jane", "42"));
    assert_eq!(jane.groups, ["dev", "ops"]);
    let credential = jane.extra_value(CREDENTIAL_ID).expect("a credential");
    assert!(credential.starts_with("X509SHA256=") && credential.len() == 11 + 64, "{credential}");

    assert_eq!(named(Name::new("", &["dev"])), Ok(None));
    let many = Name { uid: vec!["1".to_owned(), "2".to_owned()], ..Name::new("jane", &[]) };
    assert_eq!(named(many).expect_err("two").to_string(), "expected 1 UID, but found multiple: [1 2]");
    let empty = Name { uid: vec![String::new()], ..Name::new("jane", &[]) };
    assert_eq!(named(empty), Err(X509Error::EmptyUid));
}

#[test]
fn tls_asks_for_certificates_and_takes_any() {
    let ours = authority();
    let verifier = tls_verifier(&[&trusted(&ours), &trusted(&authority())]);
    assert_eq!(verifier.root_hint_subjects().len(), 2);
    assert!(verifier.offer_client_auth() && !verifier.client_auth_mandatory());
    let at = UnixTime::since_unix_epoch(Duration::from_secs(0));
    verifier.verify_client_cert(&certificate(&authority(), |_| {}), &[], at).expect("taken");
}

#[test]
fn authorities_must_be_there() {
    assert!(matches!(ClientAuthorities::from_pem(b""), Err(AuthoritiesError::Empty)));
    assert!(matches!(
        ClientAuthorities::from_pem(b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"),
        Err(AuthoritiesError::Unusable(_))
    ));
}

proptest! {
    #[test]
    fn garbage_never_panics(bytes: Vec<u8>) {
        let _ = user(&bytes);
        let _ = trusted(&authority()).verify(&[CertificateDer::from(bytes)], NOW);
    }
}
