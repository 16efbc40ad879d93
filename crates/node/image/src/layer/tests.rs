//! Layers with everything in them, good and evil. Owners, devices and whiteouts take root, as the node has it.

use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::Path;

use proptest::prelude::*;
use tar::{Builder, EntryType, Header};

use super::*;

/// An archive in the making.
struct Layer(Builder<Vec<u8>>);

impl Layer {
    fn new() -> Layer {
        Layer(Builder::new(Vec::new()))
    }

    fn add(mut self, kind: EntryType, name: &str, link: &str, content: &[u8]) -> Layer {
        let mut header = Header::new_gnu();
        // Written raw: the crate's own setters refuse what a hostile archive holds.
        header.as_gnu_mut().unwrap().name[..name.len()].copy_from_slice(name.as_bytes());
        header.as_gnu_mut().unwrap().linkname[..link.len()].copy_from_slice(link.as_bytes());
        header.set_entry_type(kind);
        header.set_size(content.len() as u64);
        header.set_mode(if kind == EntryType::Directory { 0o750 } else { 0o640 });
        header.set_uid(7);
        header.set_gid(8);
        header.set_mtime(1_000_000_000);
        header.set_cksum();
        self.0.append(&header, content).unwrap();
        self
    }

    fn file(self, name: &str, content: &str) -> Layer {
        self.add(EntryType::Regular, name, "", content.as_bytes())
    }

    fn dir(self, name: &str) -> Layer {
        self.add(EntryType::Directory, name, "", b"")
    }

    fn symlink(self, name: &str, to: &str) -> Layer {
        self.add(EntryType::Symlink, name, to, b"")
    }

    fn pax(mut self, records: &[(&str, &[u8])]) -> Layer {
        self.0.append_pax_extensions(records.iter().copied()).unwrap();
        self
    }

    fn unpack(self, into: &Path) -> Result<Footprint, LayerError> {
        unpack_bytes(&self.0.into_inner().unwrap(), into)
    }
}

fn unpack_bytes(bytes: &[u8], into: &Path) -> Result<Footprint, LayerError> {
    unpack(bytes, File::open(into).unwrap().into())
}

fn attribute(path: &Path, name: &str) -> Option<Vec<u8>> {
    let mut value = vec![0; 256];
    let length = rustix::fs::lgetxattr(path, name, value.as_mut_slice()).ok()?;
    value.truncate(length);
    Some(value)
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap()
}

#[test]
fn everything_that_an_archive_holds_is_made() {
    let root = tempfile::tempdir().unwrap();
    let at = |name: &str| root.path().join(name);
    let mut device = Header::new_gnu();
    device.set_entry_type(EntryType::Char);
    device.set_path("null").unwrap();
    device.set_size(0);
    device.set_mode(0o666);
    device.set_uid(0);
    device.set_gid(0);
    device.set_device_major(1).unwrap();
    device.set_device_minor(3).unwrap();
    device.set_cksum();
    let mut layer = Layer::new()
        .dir("./")
        .dir("d/")
        .file("d/f", "hello")
        .add(EntryType::Link, "h", "./d/f", b"")
        .symlink("l", "/d/f")
        .add(EntryType::Fifo, "pipe", "", b"")
        .file("made/parents/f", "x")
        .file("d/f2", "old")
        .file("d/f2", "new")
        .pax(&[("SCHILY.xattr.user.note", b"v"), ("SCHILY.xattr.trusted.overlay.redirect", b"/etc")])
        .file("attributes", "");
    layer.0.append(&device, &b""[..]).unwrap();
    let footprint = layer.unpack(root.path()).unwrap();
    assert_eq!(footprint, Footprint { bytes: 12, inodes: 13 });
    assert_eq!((read(&at("d/f")), read(&at("d/f2"))), ("hello".into(), "new".into()));
    let file = fs::metadata(at("d/f")).unwrap();
    assert_eq!((file.uid(), file.gid(), file.mode() & 0o7777, file.mtime()), (7, 8, 0o640, 1_000_000_000));
    assert_eq!(file.ino(), fs::metadata(at("h")).unwrap().ino());
    assert_eq!(fs::read_link(at("l")).unwrap(), Path::new("/d/f"));
    assert_eq!(fs::symlink_metadata(at("l")).unwrap().uid(), 7);
    assert!(fs::metadata(at("pipe")).unwrap().file_type().is_fifo());
    assert_eq!(fs::metadata(at("null")).unwrap().rdev(), rustix::fs::makedev(1, 3));
    for directory in ["", "d"] {
        let found = fs::metadata(at(directory)).unwrap();
        assert_eq!(
            (found.mode() & 0o7777, found.mtime()),
            (0o750, 1_000_000_000),
            "{directory:?}: its own, set last"
        );
    }
    assert_eq!(fs::metadata(at("made/parents")).unwrap().mode() & 0o7777, 0o755);
    assert_eq!(attribute(&at("attributes"), "user.note").as_deref(), Some(&b"v"[..]));
    assert_eq!(
        attribute(&at("attributes"), "trusted.overlay.redirect"),
        None,
        "an image never steers overlayfs"
    );
}

#[test]
fn set_user_id_and_capabilities_survive_the_owner() {
    let root = tempfile::tempdir().unwrap();
    let capability = [1, 0, 0, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    let mut header = Header::new_gnu();
    header.set_path("su").unwrap();
    header.set_size(0);
    header.set_mode(0o4755);
    header.set_uid(5);
    header.set_gid(5);
    header.set_cksum();
    let mut layer = Layer::new().pax(&[("SCHILY.xattr.security.capability", &capability)]).file("ping", "");
    layer.0.append(&header, &b""[..]).unwrap();
    layer.unpack(root.path()).unwrap();
    assert_eq!(fs::metadata(root.path().join("su")).unwrap().mode() & 0o7777, 0o4755);
    let kept = attribute(&root.path().join("ping"), "security.capability");
    assert_eq!(kept.as_deref(), Some(&capability[..]));
}

#[test]
fn whiteouts_take_overlayfs_form() {
    let root = tempfile::tempdir().unwrap();
    let at = |name: &str| root.path().join(name);
    Layer::new()
        .dir("a")
        .file("a/.wh.gone", "")
        .file("b/.wh..wh..opq", "")
        .file("b/new", "")
        .file("c", "stays")
        .file(".wh.c", "")
        .file("d/f", "")
        .file(".wh.d", "")
        .file(".wh.e", "")
        .dir("e")
        .file(".wh.f", "")
        .file("f", "back")
        .file(".wh..wh.plnk/1", "aufs")
        .unpack(root.path())
        .unwrap();
    let gone = fs::symlink_metadata(at("a/gone")).unwrap();
    assert!(gone.file_type().is_char_device() && gone.rdev() == 0);
    assert_eq!(read(&at("c")), "stays", "a whiteout is for the layers below only");
    assert_eq!(read(&at("f")), "back");
    for (name, opaque) in [("a", false), ("b", true), ("d", true), ("e", true)] {
        assert_eq!(attribute(&at(name), "trusted.overlay.opaque").is_some(), opaque, "{name}");
    }
    assert!(at("d/f").exists() && !at(".wh..wh.plnk").exists());
}

#[test]
fn nothing_reaches_outside() {
    let outer = tempfile::tempdir().unwrap();
    let (root, secret) = (outer.path().join("root"), outer.path().join("secret"));
    fs::write(&secret, "untouched").unwrap();
    let outside = outer.path().to_str().unwrap();
    let to_root = || Layer::new().symlink("x", "..").symlink("y", outside);
    let refused: [(&str, Layer); 7] = [
        ("going up", Layer::new().file("../secret", "evil")),
        ("going up later", Layer::new().file("a/../../secret", "evil")),
        ("whiteout of ..", Layer::new().file("a/.wh...", "")),
        ("hard link up", Layer::new().add(EntryType::Link, "h", "../secret", b"")),
        ("hard link by a link", to_root().add(EntryType::Link, "h", "x/secret", b"")),
        ("hard link by an absolute link", to_root().add(EntryType::Link, "h", "y/secret", b"")),
        ("absolute hard link", Layer::new().add(EntryType::Link, "h", secret.to_str().unwrap(), b"")),
    ];
    for (name, layer) in refused {
        fs::create_dir(&root).unwrap();
        assert!(layer.unpack(&root).is_err(), "{name}");
        fs::remove_dir_all(&root).unwrap();
    }
    let confined: [(&str, Layer); 6] = [
        ("relative link", to_root().file("x/secret", "evil")),
        ("absolute link", to_root().file("y/secret", "evil")),
        ("chain", to_root().symlink("z", "y/../..").file("z/secret", "evil")),
        ("file over link", Layer::new().symlink("s", secret.to_str().unwrap()).file("s", "evil")),
        ("directory over link", Layer::new().symlink("s", outside).dir("s").file("s/secret", "evil")),
        ("whiteout by a link", to_root().file("y/.wh.secret", "")),
    ];
    for (name, layer) in confined {
        fs::create_dir(&root).unwrap();
        let _ = layer.unpack(&root);
        assert_eq!(read(&secret), "untouched", "{name}");
        assert_eq!(fs::read_dir(outer.path()).unwrap().count(), 2, "{name}");
        fs::remove_dir_all(&root).unwrap();
    }
}

#[test]
fn links_within_the_layer_are_followed_as_in_a_container() {
    let root = tempfile::tempdir().unwrap();
    Layer::new()
        .symlink("var/run", "/run")
        .file("var/run/pid", "1")
        .symlink("lib", "usr/lib")
        .file("lib/x/libc", "2")
        .unpack(root.path())
        .unwrap();
    assert_eq!(read(&root.path().join("run/pid")), "1", "the link's target was not there yet");
    assert_eq!(read(&root.path().join("usr/lib/x/libc")), "2");
}

#[test]
fn directories_may_be_replaced_under_another_name() {
    let root = tempfile::tempdir().unwrap();
    let layer =
        Layer::new().dir("real").symlink("l", "real").dir("l/d").dir("l/d/e").file("real/d", "now a file");
    layer.unpack(root.path()).unwrap();
    assert_eq!(read(&root.path().join("l/d")), "now a file");
}

#[test]
fn links_in_circles_and_files_as_directories_are_errors() {
    for layer in [
        Layer::new().symlink("a", "b").symlink("b", "a").file("a/f", ""),
        Layer::new().symlink("a", "a/a").file("a/f", ""),
        Layer::new().file("a", "").file("a/f", ""),
        Layer::new().symlink("a", "").file("b", ""),
        Layer::new().add(EntryType::new(b'?'), "a", "", b""),
    ] {
        let root = tempfile::tempdir().unwrap();
        assert!(layer.unpack(root.path()).is_err());
    }
}

#[test]
fn deep_directories_are_made_and_removed() {
    let root = tempfile::tempdir().unwrap();
    // Links lead on from where a path may end: deeper than one path could name, or a table of descriptors hold.
    let step = "d/".repeat(800);
    let mut layer = Layer::new();
    let mut from = String::new();
    for depth in 0..3 {
        let (path, target) = (format!("{from}{step}f"), format!("{from}{}", step.trim_end_matches('/')));
        layer = layer.pax(&[("path", path.as_bytes())]).file("long", "");
        layer = layer.pax(&[("linkpath", target.as_bytes())]).symlink(&format!("l{depth}"), "long");
        from = format!("l{depth}/");
    }
    let footprint = layer.unpack(root.path()).unwrap();
    assert_eq!(footprint.inodes, 3 * 800 + 6, "directories that no entry names count as well");
    let parent = File::open(root.path()).unwrap();
    remove(parent.as_fd(), b"d").unwrap();
    assert!(!root.path().join("d").exists());
}

#[test]
fn sparse_files_keep_their_holes() {
    let root = tempfile::tempdir().unwrap();
    let records: [(&str, &[u8]); 2] = [("GNU.sparse.size", b"10000000"), ("GNU.sparse.map", b"5000000,3")];
    let footprint = Layer::new().pax(&records).file("s", "abc").unpack(root.path()).unwrap();
    assert_eq!(footprint.bytes, 3);
    let found = fs::metadata(root.path().join("s")).unwrap();
    assert_eq!(found.len(), 10_000_000);
    assert!(found.blocks() * 512 < 1_000_000);
    assert_eq!(&fs::read(root.path().join("s")).unwrap()[4_999_999..5_000_004], b"\0abc\0");
}

#[test]
fn the_umask_changes_nothing() {
    let root = tempfile::tempdir().unwrap();
    Layer::new().file("a/b/f", "").unpack(root.path()).unwrap();
    assert_eq!(fs::metadata(root.path().join("a/b")).unwrap().permissions().mode() & 0o777, 0o755);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn damaged_layers_neither_panic_nor_escape(
        changes in proptest::collection::vec((0usize..6000, any::<u8>()), 1..8), cut in 0usize..6000,
    ) {
        let outer = tempfile::tempdir().unwrap();
        let root = outer.path().join("root");
        fs::create_dir(&root).unwrap();
        let layer = Layer::new().dir("d").file("d/f", "x").symlink("l", "d").file("l/.wh.g", "").file("l/h", "y");
        let mut bytes = layer.0.into_inner().unwrap();
        for (at, byte) in changes {
            let at = at % bytes.len();
            bytes[at] = byte;
        }
        for block in bytes.chunks_exact_mut(512) {
            if block[0] != 0 {
                let mut header = Header::from_byte_slice(block).clone();
                header.set_cksum();
                block.copy_from_slice(header.as_bytes());
            }
        }
        bytes.truncate(bytes.len() - cut % bytes.len());
        let _ = unpack_bytes(&bytes, &root);
        prop_assert_eq!(fs::read_dir(outer.path()).unwrap().count(), 1);
    }
}
