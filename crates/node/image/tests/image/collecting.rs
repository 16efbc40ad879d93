//! Removing images and collecting what is left of them.

use std::collections::BTreeSet;
use std::fs;

use node_image::build::BuildConfig;
use node_image::error::{ImageError, Reason};
use node_image::store::{Collected, DiskUsage, Image, Store};
use tempfile::TempDir;

use crate::fixture::{is_clean, place, read, store};

fn build(place: &TempDir, store: &Store, name: &str, content: &str) -> Image {
    let source = place.path().join("source");
    fs::create_dir_all(&source).unwrap();
    fs::write(source.join("f"), content).unwrap();
    store.build(&source, &name.parse().unwrap(), &BuildConfig::default()).unwrap()
}

#[test]
fn names_go_first_content_when_nobody_uses_it() {
    let place = place();
    let store = store(&place);
    let (kept, gone) = (build(&place, &store, "kept:1", "kept"), build(&place, &store, "gone:1", "gone"));
    store.tag("gone:1", &"gone:2".parse().unwrap()).unwrap();
    assert_eq!(store.remove("gone:1").unwrap().image, None);
    assert_eq!(store.remove("gone:2").unwrap().image, Some(gone.id.clone()));
    assert!(matches!(store.inspect("gone:1"), Err(ImageError::NotPresent(_))));
    assert_eq!(store.inspect("gone:2").unwrap_err().reason(), Reason::ErrImageNeverPull);
    let in_use = BTreeSet::from([gone.id.clone()]);
    store.collect(&in_use).unwrap();
    assert_eq!(read(&gone.layers[0].join("f")), "gone", "a container runs from it");
    let collected = store.collect(&BTreeSet::new()).unwrap();
    assert_eq!(collected.layers, 1);
    assert!(collected.bytes > 4 && !gone.layers[0].exists());
    assert_eq!(store.inspect("kept:1").unwrap(), kept);
    assert_eq!(store.collect(&BTreeSet::new()).unwrap(), Collected::default());
    assert_eq!(store.list().unwrap(), [kept]);
    let usage = store.disk_usage().unwrap();
    assert_eq!((usage.images, usage.layers, usage.unpacked.bytes), (1, 1, 4));
    assert!(is_clean(&store));
}

#[test]
fn layers_that_images_share_stay_with_the_last() {
    let place = place();
    let store = store(&place);
    let one = build(&place, &store, "one", "same");
    let labelled = BuildConfig {
        config: node_image::config::ImageConfig { user: "1".into(), ..Default::default() },
        ..BuildConfig::default()
    };
    let two = store.build(&place.path().join("source"), &"two".parse().unwrap(), &labelled).unwrap();
    assert!(one.id != two.id && one.layers == two.layers);
    store.remove(one.id.hex()).unwrap();
    assert_eq!(store.collect(&BTreeSet::new()).unwrap().layers, 0);
    assert!(two.layers[0].join("f").exists());
}

#[test]
fn an_image_that_lost_its_content_is_not_present() {
    let place = place();
    let store = store(&place);
    let image = build(&place, &store, "app", "x");
    fs::remove_dir_all(image.layers[0].parent().unwrap()).unwrap();
    assert!(matches!(store.inspect("app"), Err(ImageError::NotPresent(_))));
    assert!(store.list().unwrap().is_empty());
    store.collect(&BTreeSet::new()).unwrap();
    assert_eq!(store.disk_usage().unwrap(), DiskUsage::default(), "nor is it kept");
    build(&place, &store, "app", "x");
    let config = store.root().join("blobs/sha256").join(image.id.hex());
    fs::write(&config, "damaged").unwrap();
    assert!(matches!(store.inspect("app"), Err(ImageError::NotPresent(_))));
    assert!(store.list().unwrap().is_empty());
    build(&place, &store, "app", "x");
    assert_eq!(read(&store.inspect("app").unwrap().layers[0].join("f")), "x");
}

#[test]
fn names_that_are_none_or_fit_several_are_refused() {
    let place = place();
    let store = store(&place);
    for number in 0..17 {
        build(&place, &store, &format!("app:{number}"), &number.to_string());
    }
    // 17 ids, 16 first digits.
    let firsts: Vec<String> =
        store.list().unwrap().iter().map(|image| image.id.hex()[..1].to_owned()).collect();
    let shared =
        firsts.iter().find(|first| firsts.iter().filter(|other| other == first).count() > 1).unwrap();
    assert!(matches!(store.inspect(shared), Err(ImageError::Ambiguous(_))));
    let error = store.inspect("Bad Name").unwrap_err();
    assert_eq!(error.reason(), Reason::InvalidImageName);
}
