//! Facts about mounting, on the real kernel inside a directory that is cleaned up also on failure.
#![allow(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    reason = "host is where the kernel's files are touched"
)]

use super::*;

struct Place(tempfile::TempDir);
impl Place {
    fn new() -> Place {
        Place(tempfile::tempdir().expect("a directory"))
    }
    fn directory(&self, name: &str) -> PathBuf {
        let path = self.0.path().join(name);
        fs::create_dir_all(&path).expect("a directory");
        path
    }
}
impl Drop for Place {
    fn drop(&mut self) {
        for point in LinuxMounts.below(self.0.path()).unwrap_or_default() {
            let _ = LinuxMounts.unmount(&point);
        }
    }
}

#[test]
fn layers_stack_and_unmounting_twice_is_fine() {
    let place = Place::new();
    let (top, bottom, root) = (place.directory("top"), place.directory("bottom"), place.directory("root"));
    fs::write(top.join("a"), "top").expect("write");
    fs::write(bottom.join("a"), "bottom").expect("write");
    fs::write(bottom.join("b"), "bottom").expect("write");
    let overlay =
        Overlay { lower: vec![top, bottom], upper: place.directory("upper"), work: place.directory("work") };
    LinuxMounts.overlay(&overlay, &root).expect("mount");
    assert_eq!(fs::read_to_string(root.join("a")).expect("read"), "top");
    assert_eq!(fs::read_to_string(root.join("b")).expect("read"), "bottom");
    assert_eq!(LinuxMounts.below(place.0.path()).expect("list"), std::slice::from_ref(&root));
    LinuxMounts.unmount(&root).expect("unmount");
    LinuxMounts.unmount(&root).expect("unmounting twice");
    LinuxMounts.unmount(&root.join("absent")).expect("unmounting nothing");
    assert!(LinuxMounts.below(place.0.path()).expect("list").is_empty());
}

#[test]
fn more_layers_than_a_page_of_options_holds() {
    let place = Place::new();
    let lower: Vec<PathBuf> = (0..100)
        .map(|n| place.directory(&format!("a-layer-with-a-rather-long-name-as-hashes-have-{n}")))
        .collect();
    fs::write(lower[99].join("deep"), "found").expect("write");
    let root = place.directory("root");
    let overlay = Overlay { lower, upper: place.directory("upper"), work: place.directory("work") };
    LinuxMounts.overlay(&overlay, &root).expect("mount");
    assert_eq!(fs::read_to_string(root.join("deep")).expect("read"), "found");
}

#[test]
fn layers_alone_cannot_be_changed() {
    let place = Place::new();
    let (top, bottom, root) = (place.directory("top"), place.directory("bottom"), place.directory("root"));
    fs::write(top.join("a"), "top").expect("write");
    fs::write(bottom.join("a"), "bottom").expect("write");
    fs::write(bottom.join("b"), "bottom").expect("write");
    LinuxMounts.layers(&[top, bottom], &root).expect("mount");
    assert_eq!(fs::read_to_string(root.join("a")).expect("read"), "top");
    assert_eq!(fs::read_to_string(root.join("b")).expect("read"), "bottom");
    let refused = fs::write(root.join("c"), "").expect_err("it is read-only");
    assert_eq!(refused.raw_os_error(), Some(nix::libc::EROFS));
    assert!(matches!(LinuxMounts.layers(&[], &root), Err(MountError::NoLayers { .. })));
}

#[test]
fn what_options_cannot_carry_is_refused() {
    let overlay = Overlay { lower: vec!["/a,b".into()], upper: "/u".into(), work: "/w".into() };
    assert!(matches!(LinuxMounts.overlay(&overlay, Path::new("/x")), Err(MountError::UnusablePath { .. })));
    let overlay = Overlay { lower: vec![], ..overlay };
    assert!(matches!(LinuxMounts.overlay(&overlay, Path::new("/x")), Err(MountError::NoLayers { .. })));
}

#[test]
fn mount_points_are_unescaped() {
    assert_eq!(unescape(r"/a\040b\134c"), r"/a b\c");
    assert_eq!(unescape(r"/plain\9"), r"/plain\9");
}
