//! Pulls, and every way in which they fail.

use std::sync::{Arc, Mutex};

use node_image::credentials::Credential;
use node_image::digest::Digest;
use node_image::error::{ImageError, Reason};
use node_image::manifest::Platform;
use node_image::pull::{Progress, Puller};
use node_image::store::Store;
use tokio::sync::Notify;

use crate::fixture::{Parts, gzip, index, is_clean, place, read, store, tar};
use crate::registry::{Auth, Fault, Registry};

fn puller(store: &Store) -> Puller {
    Puller::new(store.clone(), Arc::default())
}

fn user(password: &str) -> Credential {
    Credential { username: "user".into(), password: password.into() }
}

#[tokio::test]
async fn an_image_of_every_compression_is_pulled_once() {
    let (place, registry) = (place(), Registry::start().await);
    let (store, parts) = (store(&place), Parts::mixed());
    registry.push("v1", &parts);
    let told: Arc<Mutex<Vec<Progress>>> = Arc::default();
    let listener = Arc::clone(&told);
    let reference = registry.reference(":v1").parse().unwrap();
    let on_progress = Arc::new(move |progress| listener.lock().unwrap().push(progress));
    let pulled = puller(&store).pull(&reference, &[], Some(on_progress)).await.unwrap();
    let image = &pulled.image;
    assert_eq!((&image.id, &image.references), (&parts.id(), &vec![registry.reference(":v1")]));
    let digest = Digest::of(&parts.manifest());
    assert_eq!((&pulled.digest, &image.digests), (&digest, &vec![registry.reference(&format!("@{digest}"))]));
    let content: Vec<String> = image
        .layers
        .iter()
        .zip(["three", "two", "one"])
        .map(|(layer, name)| read(&layer.join(name)))
        .collect();
    assert_eq!(content, ["3", "2", "1"], "the uppermost first");
    assert_eq!((image.config.env.as_slice(), image.config.user.as_str()), (&["A=b".to_owned()][..], "app"));
    let total: u64 = parts.layers.iter().map(|(_, content)| content.len() as u64).sum();
    assert_eq!(pulled.downloaded_bytes, total);
    let last = told.lock().unwrap().iter().copied().max_by_key(|p| (p.layers_done, p.bytes_done)).unwrap();
    assert_eq!(last, Progress { layers: 3, layers_done: 3, bytes: total, bytes_done: total });
    for name in [image.id.to_string(), image.id.hex().into(), image.id.hex()[..12].into(), digest.to_string()]
    {
        assert_eq!(store.inspect(&name).unwrap(), *image, "{name}");
    }
    registry.seen();
    let again = puller(&store).pull(&reference, &[], None).await.unwrap();
    assert_eq!((again.downloaded_bytes, registry.seen()), (0, vec!["manifests/v1".to_owned()]));
    assert!(is_clean(&store));
}

#[tokio::test]
async fn an_index_gives_this_machines_image() {
    let (place, registry) = (place(), Registry::start().await);
    let (store, here) = (store(&place), Parts::mixed());
    let other = Parts::new(&[("application/vnd.oci.image.layer.v1.tar", tar("x", "x"), tar("x", "x"))]);
    let both = index(&[("mips", &other.manifest()), (&Platform::host().architecture, &here.manifest())]);
    registry.push_blobs("multi", [here.blobs(), other.blobs()].concat(), both.clone());
    registry.push_blobs("foreign", other.blobs(), index(&[("mips", &other.manifest())]));
    let digest = Digest::of(&both);
    for rest in [":multi".to_owned(), format!("@{digest}"), format!(":whatever@{digest}")] {
        let pulled =
            puller(&store).pull(&registry.reference(&rest).parse().unwrap(), &[], None).await.unwrap();
        assert_eq!((pulled.image.id, pulled.digest), (here.id(), digest.clone()));
    }
    let by_digest = store.inspect(&registry.reference(&format!("@{digest}"))).unwrap();
    assert_eq!(by_digest.references, [registry.reference(":multi")]);
    let error =
        puller(&store).pull(&registry.reference(":foreign").parse().unwrap(), &[], None).await.unwrap_err();
    assert!(matches!(error, ImageError::NoPlatform { .. }), "{error}");
}

#[tokio::test]
async fn credentials_are_used_as_the_registry_asks() {
    let registry = Registry::start().await;
    registry.push("v1", &Parts::mixed());
    let reference = registry.reference(":v1").parse().unwrap();
    for auth in [Auth::Basic, Auth::Bearer] {
        registry.require(auth);
        let place = place();
        let store = store(&place);
        for wrong in [vec![], vec![user("wrong")]] {
            let error = puller(&store).pull(&reference, &wrong, None).await.unwrap_err();
            assert!(matches!(error, ImageError::Denied { .. }), "{error}");
            assert!(error.event("x").starts_with("Failed to pull image \"x\": failed to resolve reference"));
        }
        let rotated = [user("wrong"), user("right")];
        puller(&store).pull(&reference, &rotated, None).await.unwrap();
    }
}

#[tokio::test]
async fn what_fails_says_so_and_leaves_nothing() {
    let (place, registry) = (place(), Registry::start().await);
    let (store, parts) = (store(&place), Parts::mixed());
    registry.push("v1", &parts);
    let layer = format!("blobs/{}", Digest::of(&parts.layers[1].1));
    let config = format!("blobs/{}", parts.id());
    let (toomany, denied) = (
        r#"{"errors":[{"code":"TOOMANYREQUESTS","message":"slow down"}]}"#,
        r#"{"errors":[{"code":"DENIED","message":"not yours"}]}"#,
    );
    let mut longer = parts.layers[1].1.clone();
    longer.push(0);
    let mut changed = gzip(&tar("two", "2"));
    let last = changed.len() - 1;
    changed[last] ^= 1;
    let cases = [
        ("manifests/v1", Fault::Status(404, ""), Reason::ErrImagePull, "not found"),
        (
            "manifests/v1",
            Fault::Status(429, toomany),
            Reason::ErrImagePull,
            "429 Too Many Requests: slow down",
        ),
        ("manifests/v1", Fault::Status(403, denied), Reason::ErrImagePull, "authorization: not yours"),
        (
            "manifests/v1",
            Fault::Status(503, "busy"),
            Reason::RegistryUnavailable,
            "unexpected status 503: busy",
        ),
        ("manifests/v1", Fault::Replace(b"<html>".to_vec()), Reason::ErrImagePull, "invalid manifest"),
        (&config, Fault::Status(404, ""), Reason::ErrImagePull, "not found"),
        (&config, Fault::Replace(vec![b'x'; parts.config.len()]), Reason::ErrImagePull, "unexpected digest"),
        (&config, Fault::Truncate, Reason::ErrImagePull, "failed to pull"),
        (&layer, Fault::Status(500, "oops"), Reason::RegistryUnavailable, "unexpected status 500: oops"),
        (&layer, Fault::Truncate, Reason::ErrImagePull, "failed to pull"),
        (&layer, Fault::Replace(changed), Reason::ErrImagePull, "unexpected digest"),
        (&layer, Fault::Replace(longer), Reason::ErrImagePull, "more bytes than its descriptor says"),
        (&layer, Fault::Replace(b"short".to_vec()), Reason::ErrImagePull, "unexpected size 5"),
    ];
    let reference = registry.reference(":v1").parse().unwrap();
    for (path, fault, reason, message) in cases {
        registry.fault(path, fault);
        let error = puller(&store).pull(&reference, &[], None).await.unwrap_err();
        assert_eq!(error.reason(), reason, "{path}: {}", error.message());
        assert!(error.message().contains(message), "{path}: {message:?}: {}", error.message());
        assert!(matches!(store.inspect(&registry.reference(":v1")), Err(ImageError::NotPresent(_))));
        assert!(is_clean(&store), "{path}");
        registry.heal();
    }
    puller(&store).pull(&reference, &[], None).await.unwrap();
}

#[tokio::test]
async fn a_wrong_diff_id_is_refused() {
    let (place, registry) = (place(), Registry::start().await);
    let store = store(&place);
    let parts = Parts::new(&[(
        "application/vnd.oci.image.layer.v1.tar+gzip",
        gzip(&tar("f", "what comes")),
        tar("f", "what was promised"),
    )]);
    registry.push("v1", &parts);
    let error =
        puller(&store).pull(&registry.reference(":v1").parse().unwrap(), &[], None).await.unwrap_err();
    assert!(matches!(error, ImageError::DigestMismatch { what: "unpacked layer", .. }), "{error}");
    assert_eq!(store.disk_usage().unwrap().layers, 0);
}

#[tokio::test]
async fn redirects_are_followed() {
    let (place, registry) = (place(), Registry::start().await);
    let (store, parts) = (store(&place), Parts::mixed());
    registry.push("v1", &parts);
    for (_, content) in &parts.layers {
        registry.fault(&format!("blobs/{}", Digest::of(content)), Fault::Redirect(String::new()));
    }
    puller(&store).pull(&registry.reference(":v1").parse().unwrap(), &[], None).await.unwrap();
}

#[tokio::test]
async fn localhost_is_found_by_name_and_needs_no_tls() {
    let (place, registry) = (place(), Registry::start().await);
    let store = store(&place);
    registry.push("v1", &Parts::mixed());
    let port = registry.address.rsplit(':').next().unwrap();
    let name = format!("localhost:{port}/app:v1");
    let pulled = puller(&store).pull(&name.parse().unwrap(), &[], None).await.unwrap();
    assert_eq!(pulled.image.references, [name]);
}

#[tokio::test]
async fn a_registry_that_is_not_there_is_unavailable() {
    let (place, registry) = (place(), Registry::start().await);
    let store = store(&place);
    // Bound once and closed: nobody listens there.
    let closed = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let error = puller(&store).pull(&format!("{closed}/app").parse().unwrap(), &[], None).await.unwrap_err();
    assert_eq!(error.reason(), Reason::RegistryUnavailable, "{}", error.message());
    drop(registry);
}

#[tokio::test]
async fn an_evil_layer_is_refused_with_its_path() {
    let (place, registry) = (place(), Registry::start().await);
    let store = store(&place);
    let mut header = tar::Header::new_gnu();
    header.as_gnu_mut().unwrap().name[..9].copy_from_slice(b"../escape");
    header.set_size(0);
    header.set_mode(0o644);
    header.set_cksum();
    let evil = header.as_bytes().to_vec();
    registry.push("v1", &Parts::new(&[("application/vnd.oci.image.layer.v1.tar", evil.clone(), evil)]));
    let error =
        puller(&store).pull(&registry.reference(":v1").parse().unwrap(), &[], None).await.unwrap_err();
    assert!(error.message().ends_with("path \"../escape\" escapes the layer"), "{}", error.message());
    assert!(is_clean(&store));
}

#[tokio::test]
async fn a_pull_that_is_dropped_leaves_nothing_and_another_goes_on() {
    let (place, registry) = (place(), Registry::start().await);
    let (store, parts) = (store(&place), Parts::mixed());
    registry.push("v1", &parts);
    let hung = Arc::new(Notify::new());
    let path = format!("blobs/{}", Digest::of(&parts.layers[0].1));
    registry.fault(&path, Fault::Hang(Arc::clone(&hung)));
    let reference = registry.reference(":v1").parse().unwrap();
    let first = puller(&store);
    let pull = first.pull(&reference, &[], None);
    tokio::select! {
        outcome = pull => panic!("cannot end: {outcome:?}"),
        () = hung.notified() => {}
    }
    registry.heal();
    // Waits for the first one's thread, which holds the layer, and so proves that it ended.
    puller(&store).pull(&reference, &[], None).await.unwrap();
    assert!(is_clean(&store));
}

#[tokio::test]
async fn pods_that_want_the_same_image_download_it_once() {
    let (place, registry) = (place(), Registry::start().await);
    let (store, parts) = (store(&place), Parts::mixed());
    registry.push("v1", &parts);
    let reference = registry.reference(":v1").parse().unwrap();
    let pullers: Vec<Puller> = (0..5).map(|_| puller(&store)).collect();
    let pulls = pullers.iter().map(|puller| puller.pull(&reference, &[], None));
    for outcome in futures_util::future::join_all(pulls).await {
        assert_eq!(outcome.unwrap().image.id, parts.id());
    }
    let mut blobs: Vec<String> = registry
        .seen()
        .into_iter()
        .filter(|path| parts.layers.iter().any(|(_, c)| path.ends_with(Digest::of(c).hex())))
        .collect();
    blobs.sort();
    blobs.dedup_by(|a, b| if a == b { panic!("{a} was downloaded twice") } else { false });
    assert_eq!(blobs.len(), 3);
}
