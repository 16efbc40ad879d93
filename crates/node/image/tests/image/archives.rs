//! Importing and exporting: every format, every compression, and what is damaged.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use node_image::build::BuildConfig;
use node_image::compression::Compression;
use node_image::config::ImageConfig;
use node_image::digest::Digest;
use node_image::error::ImageError;
use node_image::import::{FolderOutcome, ImportOptions};
use node_image::manifest::Platform;
use node_image::store::{Store, StoreOptions};
use serde_json::json;
use tempfile::TempDir;

use crate::fixture::{Parts, gzip, index, is_clean, place, read, store, tar, zstd};

fn archive(files: &[(String, Vec<u8>)]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (name, content) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        builder.append_data(&mut header, name, content.as_slice()).unwrap();
    }
    builder.into_inner().unwrap()
}

fn blob_files(blobs: Vec<Vec<u8>>) -> Vec<(String, Vec<u8>)> {
    blobs.into_iter().map(|blob| (format!("blobs/sha256/{}", Digest::of(&blob).hex()), blob)).collect()
}

/// The files of a layout of `top` (media type, content) with `annotations`, `index.json` last.
fn layout(blobs: Vec<Vec<u8>>, tops: &[(&[u8], serde_json::Value)]) -> Vec<(String, Vec<u8>)> {
    let mut files = blob_files(blobs);
    let manifests: Vec<_> = tops
        .iter()
        .map(|(top, annotations)| {
            json!({ "mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": Digest::of(top),
                    "size": top.len(), "annotations": annotations })
        })
        .collect();
    files.push(("oci-layout".into(), br#"{"imageLayoutVersion":"1.0.0"}"#.to_vec()));
    files.push((
        "index.json".into(),
        json!({ "schemaVersion": 2, "manifests": manifests }).to_string().into_bytes(),
    ));
    files
}

fn saved(parts: &Parts, plain: &[Vec<u8>], tags: serde_json::Value) -> Vec<(String, Vec<u8>)> {
    let config = format!("{}.json", parts.id().hex());
    let names: Vec<String> = (0..plain.len()).map(|at| format!("{at}/layer.tar")).collect();
    let manifest = json!([{ "Config": config, "RepoTags": tags, "Layers": names }]);
    let mut files =
        vec![("manifest.json".to_owned(), manifest.to_string().into_bytes()), (config, parts.config.clone())];
    files.extend(names.into_iter().zip(plain.iter().cloned()));
    files
}

fn write(place: &TempDir, name: &str, content: &[u8]) -> PathBuf {
    let path = place.path().join(name);
    fs::write(&path, content).unwrap();
    path
}

fn spread(place: &TempDir, files: &[(String, Vec<u8>)]) -> PathBuf {
    let root = place.path().join("layout");
    for (name, content) in files {
        fs::create_dir_all(root.join(name).parent().unwrap()).unwrap();
        fs::write(root.join(name), content).unwrap();
    }
    root
}

#[test]
fn layouts_and_docker_archives_come_in_plain_or_compressed() {
    let parts = Parts::mixed();
    let plain = [tar("one", "1"), tar("two", "2"), tar("three", "3")];
    let named = json!({ "io.containerd.image.name": "docker.io/library/app:1", "org.opencontainers.image.ref.name": "1" });
    let oci = layout(parts.blobs(), &[(&parts.manifest(), named)]);
    let docker = saved(&parts, &plain, json!(["app:1"]));
    let place = place();
    let mut paths = vec![spread(&place, &oci)];
    for (format, files) in [("oci", &oci), ("docker", &docker)] {
        let bytes = archive(files);
        paths.push(write(&place, &format!("{format}.tar"), &bytes));
        paths.push(write(&place, &format!("{format}.tgz"), &gzip(&bytes)));
        paths.push(write(&place, &format!("{format}.tar.zst"), &zstd(&bytes)));
    }
    for path in paths {
        let target = tempfile::tempdir().unwrap();
        let store = store(&target);
        let images = store.import(&path, &ImportOptions::default()).unwrap();
        assert_eq!((images.len(), &images[0].id), (1, &parts.id()), "{}", path.display());
        assert_eq!(images[0].references, ["docker.io/library/app:1"]);
        assert_eq!(read(&images[0].layers[0].join("three")), "3");
        assert_eq!(store.inspect("app:1").unwrap(), images[0]);
        assert!(is_clean(&store));
    }
}

#[test]
fn every_name_and_every_platform_is_understood() {
    let place = place();
    let store = store(&place);
    let (one, two) = (Parts::mixed(), Parts::new(&[]));
    let top = index(&[("mips", b"absent"), (&Platform::host().architecture, &one.manifest())]);
    let files = layout(
        [one.blobs(), two.blobs(), vec![top.clone()]].concat(),
        &[
            (&top, json!({ "org.opencontainers.image.ref.name": "quay.io/a/b:1" })),
            (&top, json!({ "org.opencontainers.image.ref.name": "v2" })),
            (&two.manifest(), json!(null)),
        ],
    );
    let path = write(&place, "all.tar", &archive(&files));
    let options = ImportOptions { name: Some("r.io/x:y".parse().unwrap()), platform: None };
    store.import(&path, &options).unwrap();
    assert_eq!(store.inspect(&one.id().to_string()).unwrap().references, ["quay.io/a/b:1", "r.io/x:v2"]);
    let bare = store.inspect("r.io/x:y").unwrap();
    assert_eq!(bare.id, two.id());
    assert!(
        bare.layers.len() == 1 && bare.layers[0].is_dir(),
        "an image without layers can still be mounted"
    );
}

#[test]
fn shared_layers_of_old_docker_archives_are_links() {
    let place = place();
    let plain = tar("f", "x");
    let parts = Parts::new(&[("", plain.clone(), plain.clone()), ("", plain.clone(), plain.clone())]);
    let config = format!("{}.json", parts.id().hex());
    let manifest = json!([{ "Config": config, "RepoTags": null, "Layers": ["a/layer.tar", "b/layer.tar"] }]);
    let mut builder = tar::Builder::new(archive(&[
        ("manifest.json".into(), manifest.to_string().into_bytes()),
        (config, parts.config.clone()),
        ("a/layer.tar".into(), plain),
    ]));
    let bytes = builder.get_mut();
    bytes.truncate(bytes.len() - 1024);
    let mut link = tar::Header::new_gnu();
    link.set_entry_type(tar::EntryType::Symlink);
    link.set_size(0);
    builder.append_link(&mut link, "b/layer.tar", "../a/layer.tar").unwrap();
    let path = write(&place, "old.tar", &builder.into_inner().unwrap());
    let images = store(&place).import(&path, &ImportOptions::default()).unwrap();
    assert_eq!(images[0].layers.len(), 2);
}

#[test]
fn what_is_damaged_imports_nothing() {
    let parts = Parts::mixed();
    let good =
        layout(parts.blobs(), &[(&parts.manifest(), json!({ "org.opencontainers.image.ref.name": "a:1" }))]);
    let mut spoiled = good.clone();
    for (name, content) in &mut spoiled {
        if name.ends_with(Digest::of(&parts.layers[2].1).hex()) {
            content[20] ^= 1;
        }
    }
    let whole = archive(&good);
    let missing = layout(vec![parts.manifest(), parts.config.clone()], &[(&parts.manifest(), json!(null))]);
    for (name, bytes) in [
        ("empty", Vec::new()),
        ("noise", vec![7; 5000]),
        ("spoiled", archive(&spoiled)),
        ("missing", archive(&missing)),
        ("cut", whole[..whole.len() / 2].to_vec()),
        ("cut gzip", gzip(&whole)[..200].to_vec()),
        ("no image", archive(&[("readme".into(), b"hi".to_vec())])),
    ] {
        let place = place();
        let store = store(&place);
        let path = write(&place, "broken.tar", &bytes);
        assert!(store.import(&path, &ImportOptions::default()).is_err(), "{name}");
        assert!(store.list().unwrap().is_empty() && is_clean(&store), "{name}");
    }
}

#[test]
fn what_is_exported_is_imported() {
    let place = place();
    let source = place.path().join("source");
    fs::create_dir(&source).unwrap();
    fs::write(source.join("hello"), "world").unwrap();
    let first = store(&place);
    let config = ImageConfig { entrypoint: vec!["/hello".into()], ..ImageConfig::default() };
    for compression in [Compression::None, Compression::Gzip, Compression::Zstd] {
        let build = BuildConfig { config: config.clone(), compression, ..BuildConfig::default() };
        let image = first.build(&source, &"app:1".parse().unwrap(), &build).unwrap();
        first.tag("app:1", &"quay.io/me/app:2".parse().unwrap()).unwrap();
        let exported = |name: &str| {
            let mut bytes = Vec::new();
            first.export(name, &mut bytes).unwrap();
            bytes
        };
        assert_eq!(exported("app:1"), exported("docker.io/library/app:1"), "the same image, the same bytes");
        let both = ["docker.io/library/app:1", "quay.io/me/app:2"];
        for (asked, names) in
            [(image.id.hex(), &both[..]), ("app:1", &both[..1]), ("quay.io/me/app:2", &both[1..])]
        {
            let target = tempfile::tempdir().unwrap();
            let archive = write(&place, "out.tar", &exported(asked));
            let images = store(&target).import(&archive, &ImportOptions::default()).unwrap();
            assert_eq!(images[0].references, names, "{asked}");
            assert_eq!((&images[0].id, &images[0].config), (&image.id, &config));
            assert_eq!(read(&images[0].layers[0].join("hello")), "world");
        }
    }
}

#[test]
fn layers_that_were_not_kept_cannot_be_exported() {
    let place = place();
    let options = StoreOptions { discard_unpacked_layers: true, ..StoreOptions::default() };
    let store = Store::open(&place.path().join("store"), options).unwrap();
    fs::create_dir(place.path().join("source")).unwrap();
    store.build(&place.path().join("source"), &"app:1".parse().unwrap(), &BuildConfig::default()).unwrap();
    let error = store.export("app:1", &mut Vec::new()).unwrap_err();
    assert!(matches!(error, ImageError::ContentAbsent(_)), "{error}");
}

/// What came of every entry of a folder: its name, and a word with the number of images imported.
fn looked(store: &Store, folder: &Path) -> Vec<String> {
    let entries = store.import_folder(folder).unwrap();
    let word = |outcome: &FolderOutcome| match outcome {
        FolderOutcome::Imported(images) => format!("imported {}", images.len()),
        FolderOutcome::Present => "present".to_owned(),
        FolderOutcome::Changing => "changing".to_owned(),
        FolderOutcome::Damaged { known, .. } => format!("damaged{}", if *known { " as before" } else { "" }),
        FolderOutcome::Failed(error) => format!("failed: {}", error.message()),
    };
    let name = |path: &Path| path.file_name().unwrap().to_string_lossy().into_owned();
    entries.iter().map(|entry| format!("{} {}", name(&entry.path), word(&entry.outcome))).collect()
}

#[test]
fn a_folder_is_imported_once_for_its_content() {
    let place = place();
    let store = store(&place);
    let folder = place.path().join("folder");
    assert!(store.import_folder(&folder).unwrap().is_empty(), "no folder, no images");
    fs::create_dir(&folder).unwrap();
    let parts = Parts::mixed();
    let files =
        layout(parts.blobs(), &[(&parts.manifest(), json!({ "org.opencontainers.image.ref.name": "a:1" }))]);
    let whole = archive(&files);
    fs::write(folder.join("a.tar"), &whole).unwrap();
    fs::write(folder.join("broken.tar"), "no archive").unwrap();
    fs::write(folder.join("cut.tar.gz"), &gzip(&whole)[..200]).unwrap();
    fs::write(folder.join(".half.tar"), "being copied").unwrap();
    fs::write(folder.join("names.txt"), "a list of names").unwrap();
    assert_eq!(looked(&store, &folder), ["a.tar imported 1", "broken.tar damaged", "cut.tar.gz damaged"]);
    let again = ["a.tar present", "broken.tar damaged as before", "cut.tar.gz damaged as before"];
    assert_eq!(looked(&store, &folder), again, "nothing is read twice for nothing");
    fs::write(folder.join("cut.tar.gz"), gzip(&whole)).unwrap();
    let mended = ["a.tar present", "broken.tar damaged as before", "cut.tar.gz imported 1"];
    assert_eq!(looked(&store, &folder), mended, "what has changed is read again");
    fs::copy(folder.join("a.tar"), folder.join("b.tar")).unwrap();
    assert_eq!(looked(&store, &folder)[1], "b.tar present", "the same content elsewhere");
    fs::remove_file(folder.join("b.tar")).unwrap();
    store.remove("a:1").unwrap();
    let back = ["a.tar imported 1", "broken.tar damaged as before", "cut.tar.gz present"];
    assert_eq!(looked(&store, &folder), back, "what was removed comes back");
    assert_eq!(store.folder_images().unwrap(), BTreeSet::from([parts.id()]));
}

#[test]
fn a_folder_takes_every_form() {
    let place = place();
    let store = store(&place);
    let folder = place.path().join("folder");
    fs::create_dir(&folder).unwrap();
    let parts = Parts::mixed();
    let named = |name: &str| {
        layout(parts.blobs(), &[(&parts.manifest(), json!({ "io.containerd.image.name": name }))])
    };
    fs::write(folder.join("docker.tar.zst"), zstd(&archive(&named("d.io/docker:1")))).unwrap();
    fs::write(folder.join("oci.tgz"), gzip(&archive(&named("d.io/oci:1")))).unwrap();
    fs::rename(spread(&place, &named("d.io/directory:1")), folder.join("layout")).unwrap();
    let missing = folder.join("layout/blobs/sha256").join(parts.id().hex());
    let kept = fs::read(&missing).unwrap();
    fs::remove_file(&missing).unwrap();
    let first = ["docker.tar.zst imported 1", "layout damaged", "oci.tgz imported 1"];
    assert_eq!(looked(&store, &folder), first);
    // Copied file by file: once it is whole, it is taken.
    fs::write(&missing, kept).unwrap();
    assert_eq!(looked(&store, &folder), ["docker.tar.zst present", "layout imported 1", "oci.tgz present"]);
    assert_eq!(looked(&store, &folder), ["docker.tar.zst present", "layout present", "oci.tgz present"]);
    for name in ["d.io/docker:1", "d.io/oci:1", "d.io/directory:1"] {
        assert_eq!(store.inspect(name).unwrap().id, parts.id(), "{name}");
    }
}

#[test]
fn a_layouts_links_do_not_lead_out() {
    let place = place();
    let parts = Parts::mixed();
    let files = layout(parts.blobs(), &[(&parts.manifest(), json!(null))]);
    let root = spread(&place, &files);
    let config: &Path = &root.join("blobs/sha256").join(parts.id().hex());
    fs::rename(config, place.path().join("outside")).unwrap();
    std::os::unix::fs::symlink(place.path().join("outside"), config).unwrap();
    assert!(store(&place).import(&root, &ImportOptions::default()).is_err());
}
