//! Registries as `registries.yaml` has them: mirrors, certificates, credentials, and what is said when none of them helps.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use node_image::credentials::Credential;
use node_image::error::{ImageError, Reason, Result};
use node_image::pull::{Pulled, Puller};
use node_image::registries::Registries;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::RootCertStore;
use rustls::pki_types::PrivateKeyDer;
use rustls::server::WebPkiClientVerifier;

use crate::fixture::{Parts, place, store};
use crate::registry::{Auth, Fault, Registry};

/// Pulls into a store of its own.
async fn pull(file: &str, image: &str, credentials: &[Credential]) -> Result<Pulled> {
    let place = place();
    let path = place.path().join("registries.yaml");
    fs::write(&path, file).unwrap();
    let registries = Registries::read(&path).unwrap();
    Puller::new(store(&place), Arc::new(registries)).pull(&image.parse().unwrap(), credentials, None).await
}

/// Bound once and closed: nobody listens there.
async fn closed() -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    listener.local_addr().unwrap().to_string()
}

#[tokio::test]
async fn mirrors_are_asked_in_order_for_the_repository_as_they_call_it() {
    let (first, second, closed) = (Registry::start().await, Registry::start().await, closed().await);
    let parts = Parts::mixed();
    second.push("v1", &parts);
    let file = format!(
        "mirrors:\n  r.example:\n    endpoint: [ 'http://{closed}', 'http://{}', 'http://{}/proxy' ]\n    rewrite: {{ \
         '^team/(.*)$': '$1' }}\n",
        first.address, second.address
    );
    let pulled = pull(&file, "r.example/team/app:v1", &[]).await.unwrap();
    assert_eq!(pulled.image.references, ["r.example/team/app:v1"], "the name is the registry's");
    assert_eq!(first.asked()[0], "/v2/app/manifests/v1?ns=r.example");
    assert_eq!(second.asked()[0], "/proxy/app/manifests/v1?ns=r.example");
    // What a mirror has only a part of comes from the next.
    first.push("v1", &parts);
    first.fault(&format!("blobs/{}", parts.id()), Fault::Status(404, ""));
    pull(&file, "r.example/team/app:v1", &[]).await.unwrap();
    assert_eq!(second.asked(), [format!("/proxy/app/blobs/{}?ns=r.example", parts.id())]);
}

#[tokio::test]
async fn a_mirror_that_fails_leaves_the_registry_itself() {
    let (mirror, registry) = (Registry::start().await, Registry::start().await);
    registry.push("v1", &Parts::mixed());
    mirror.fault("manifests/v1", Fault::Status(500, "oops"));
    let any = format!("mirrors: {{ '*': {{ endpoint: [ 'http://{}' ] }} }}", mirror.address);
    pull(&any, &registry.reference(":v1"), &[]).await.unwrap();
    assert_eq!(mirror.seen()[0], "manifests/v1");
    // The failure that says most is told.
    let error = pull(&any, &format!("{}/app:v1", closed().await), &[]).await.unwrap_err();
    assert!(error.message().ends_with("unexpected status 500: oops"), "{}", error.message());
}

#[tokio::test]
async fn nodes_have_credentials_and_pods_go_before_them() {
    let registry = Registry::start().await;
    registry.push("v1", &Parts::mixed());
    let image = registry.reference(":v1");
    let config = |auth: &str| format!("configs: {{ '{}': {{ auth: {{ {auth} }} }} }}", registry.address);
    let right = config("username: user, password: right");
    for auth in [Auth::Basic, Auth::Bearer] {
        registry.require(auth);
        pull(&right, &image, &[]).await.unwrap();
        pull(&config("auth: dXNlcjpyaWdodA=="), &image, &[]).await.unwrap();
        let wrong = [Credential { username: "user".into(), password: "wrong".into() }];
        let error = pull(&right, &image, &wrong).await.unwrap_err();
        assert!(matches!(error, ImageError::Denied { .. }), "{error}");
    }
    registry.require(Auth::Identity);
    pull(&config("identity_token: refresh-me"), &image, &[]).await.unwrap();
    let error = pull(&config("identity_token: other"), &image, &[]).await.unwrap_err();
    let end = "authorization: failed to authorize: failed to fetch oauth token: 400 Bad Request";
    assert!(error.message().ends_with(end), "{}", error.message());
}

/// An authority, and a certificate and key of 127.0.0.1 by it, below `place`.
fn authority(place: &Path) -> (Vec<u8>, rustls::pki_types::CertificateDer<'static>, KeyPair) {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
    let certificate = params.signed_by(&key, &authority).unwrap();
    fs::write(place.join("ca.crt"), authority.pem()).unwrap();
    fs::write(place.join("own.crt"), certificate.pem()).unwrap();
    fs::write(place.join("own.key"), key.serialize_pem()).unwrap();
    (authority.der().to_vec(), certificate.der().clone(), key)
}

#[tokio::test]
async fn certificates_are_the_files_own_on_both_sides() {
    let place = place();
    let (authority, certificate, key) = authority(place.path());
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = |ask: bool| {
        let mut roots = RootCertStore::empty();
        roots.add(authority.clone().into()).unwrap();
        let clients = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider));
        let builder = rustls::ServerConfig::builder_with_provider(Arc::clone(&provider));
        let builder = builder.with_safe_default_protocol_versions().unwrap();
        let builder = match ask {
            true => builder.with_client_cert_verifier(clients.build().unwrap()),
            false => builder.with_no_client_auth(),
        };
        let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        builder.with_single_cert(vec![certificate.clone()], key).unwrap()
    };
    let (open, asks) = (Registry::start_tls(config(false)).await, Registry::start_tls(config(true)).await);
    let file = |registry: &Registry, tls: &str| {
        let tls = tls.replace('@', &place.path().display().to_string());
        format!("configs: {{ '{}': {{ tls: {{ {tls} }} }} }}", registry.address)
    };
    for registry in [&open, &asks] {
        registry.push("v1", &Parts::mixed());
    }
    let image = open.reference(":v1");
    let error = pull(&file(&open, ""), &image, &[]).await.unwrap_err();
    let why = "tls: invalid peer certificate: UnknownIssuer";
    assert_eq!(error.reason(), Reason::RegistryUnavailable);
    assert!(error.message().ends_with(why), "{}", error.message());
    pull(&file(&open, "ca_file: @/ca.crt"), &image, &[]).await.unwrap();
    pull(&file(&open, "insecure_skip_verify: true"), &image, &[]).await.unwrap();
    let image = asks.reference(":v1");
    pull(&file(&asks, "ca_file: @/ca.crt"), &image, &[]).await.unwrap_err();
    let own = "ca_file: @/ca.crt, cert_file: @/own.crt, key_file: @/own.key";
    pull(&file(&asks, own), &image, &[]).await.unwrap();
}

#[tokio::test]
async fn what_cannot_be_reached_is_said_in_one_plain_line() {
    let closed = closed().await;
    let error = pull("", &format!("{closed}/app:v1"), &[]).await.unwrap_err();
    assert_eq!(
        error.message(),
        format!(
            "RegistryUnavailable: {closed}: failed to do request: Get \"http://{closed}/v2/app/manifests/v1\": dial tcp \
             {closed}: connect: connection refused"
        )
    );
}
