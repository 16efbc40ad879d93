//! Crashes, other processes and a full disk.

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use node_image::build::BuildConfig;
use node_image::error::ImageError;
use node_image::import::ImportOptions;
use node_image::store::{Store, StoreOptions};

use crate::fixture::{is_clean, place, store};

/// Names the store that a child process of this test imports into.
const CHILD: &str = "KNARR_TEST_IMPORT_INTO";

/// The child's part: imports from standard input's pipe, which never ends.
#[test]
fn child_that_is_killed() {
    let Ok(root) = std::env::var(CHILD) else { return };
    let store = Store::open(Path::new(&root), StoreOptions::default()).unwrap();
    println!("opened");
    let _ = store.import(Path::new("/proc/self/fd/0"), &ImportOptions::default());
}

#[test]
fn what_a_killed_process_left_is_discarded() {
    let place = place();
    let store = store(&place);
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "interrupted::child_that_is_killed", "--nocapture"])
        .env(CHILD, store.root())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert!(lines.by_ref().any(|line| line.unwrap().contains("opened")));
    let mut header = tar::Header::new_gnu();
    header.set_path("blobs/sha256/aa").unwrap();
    header.set_size(1 << 40);
    header.set_mode(0o644);
    header.set_cksum();
    let mut input = child.stdin.take().unwrap();
    input.write_all(header.as_bytes()).unwrap();
    // Far more than pipe and buffers hold: once it is written, the child is in the middle of its import.
    input.write_all(&vec![1; 8 << 20]).unwrap();
    assert!(!is_clean(&store));
    Store::open(store.root(), StoreOptions::default()).unwrap();
    store.collect(&BTreeSet::new()).unwrap();
    assert!(!is_clean(&store), "what a living process works on stays");
    child.kill().unwrap();
    child.wait().unwrap();
    Store::open(store.root(), StoreOptions::default()).unwrap();
    assert!(is_clean(&store));
}

#[test]
fn a_layer_without_its_marker_is_discarded() {
    let place = place();
    let store = store(&place);
    fs::create_dir(place.path().join("source")).unwrap();
    let image =
        store.build(&place.path().join("source"), &"app".parse().unwrap(), &BuildConfig::default()).unwrap();
    let layer = image.layers[0].parent().unwrap();
    let torn = layer.with_file_name("0".repeat(64));
    fs::create_dir_all(torn.join("fs/deep/er")).unwrap();
    fs::create_dir_all(store.root().join("work/999999-0/layer-0/fs")).unwrap();
    Store::open(store.root(), StoreOptions::default()).unwrap();
    assert!(!torn.exists() && layer.exists() && is_clean(&store));
}

#[test]
fn threads_and_handles_change_one_store_together() {
    let place = place();
    let first = store(&place);
    let second = store(&place);
    std::thread::scope(|scope| {
        for worker in 0..4 {
            let (store, place) = (if worker % 2 == 0 { &first } else { &second }, &place);
            scope.spawn(move || {
                let source = place.path().join(format!("source-{worker}"));
                fs::create_dir(&source).unwrap();
                for turn in 0..5 {
                    // Every other file is everybody's: the same layer from all sides at once.
                    let content = if turn % 2 == 0 { format!("{worker} {turn}") } else { turn.to_string() };
                    fs::write(source.join("f"), content).unwrap();
                    let name = format!("app{worker}:{turn}").parse().unwrap();
                    let image = store.build(&source, &name, &BuildConfig::default()).unwrap();
                    assert!(image.layers[0].join("f").exists());
                    store.collect(&BTreeSet::new()).unwrap();
                }
            });
        }
    });
    let names: usize = first.list().unwrap().iter().map(|image| image.references.len()).sum();
    assert_eq!(names, 20, "no name was lost and nothing listed was collected");
    assert!(is_clean(&first));
}

/// A small filesystem that is gone with the test.
struct Tmpfs(tempfile::TempDir);

impl Tmpfs {
    fn new(size: &std::ffi::CStr) -> Tmpfs {
        let place = place();
        let flags = rustix::mount::MountFlags::empty();
        rustix::mount::mount("tmpfs", place.path(), "tmpfs", flags, size).unwrap();
        Tmpfs(place)
    }
}

impl Drop for Tmpfs {
    fn drop(&mut self) {
        let _ = rustix::mount::unmount(self.0.path(), rustix::mount::UnmountFlags::DETACH);
    }
}

#[test]
fn a_full_disk_is_a_clear_error_and_frees_what_it_took() {
    let disk = Tmpfs::new(c"size=4m");
    let place = place();
    let store = Store::open(&disk.0.path().join("store"), StoreOptions::default()).unwrap();
    let source = place.path().join("source");
    fs::create_dir(&source).unwrap();
    fs::write(source.join("zeroes"), vec![0; 16 << 20]).unwrap();
    let error = store.build(&source, &"app".parse().unwrap(), &BuildConfig::default()).unwrap_err();
    assert!(matches!(error, ImageError::DiskFull { .. }), "{}", error.message());
    assert!(error.event("app").ends_with("no space left on device"), "{}", error.event("app"));
    assert!(is_clean(&store));
    fs::write(source.join("zeroes"), vec![0; 1 << 20]).unwrap();
    store.build(&source, &"app".parse().unwrap(), &BuildConfig::default()).unwrap();
}

#[test]
fn a_bomb_is_stopped() {
    let place = place();
    let options = StoreOptions { layer_unpacked_bytes: 1 << 20, ..StoreOptions::default() };
    let store = Store::open(&place.path().join("store"), options).unwrap();
    let source = place.path().join("source");
    fs::create_dir(&source).unwrap();
    fs::write(source.join("zeroes"), vec![0; 64 << 20]).unwrap();
    let error = store.build(&source, &"app".parse().unwrap(), &BuildConfig::default()).unwrap_err();
    assert!(
        error.message().ends_with("exceeds the limit of 1048576 bytes once decompressed"),
        "{}",
        error.message()
    );
    assert!(is_clean(&store));
}
