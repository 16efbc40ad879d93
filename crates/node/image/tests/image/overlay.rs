//! The kernel's own word on whiteouts: layers stacked by overlayfs look as the image means them.

use std::ffi::CString;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use node_image::pull::Puller;
use node_image::user;
use tempfile::TempDir;

use crate::fixture::{Parts, place, read, store};
use crate::registry::Registry;

/// A mounted image, gone with the test.
struct Mounted(TempDir);

impl Mounted {
    fn new(layers: &[std::path::PathBuf]) -> Mounted {
        let place = place();
        let lower: Vec<&str> = layers.iter().map(|layer| layer.to_str().unwrap()).collect();
        let options = CString::new(format!("lowerdir={}", lower.join(":"))).unwrap();
        let flags = rustix::mount::MountFlags::RDONLY;
        rustix::mount::mount("overlay", place.path(), "overlay", flags, options.as_c_str()).unwrap();
        Mounted(place)
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let _ = rustix::mount::unmount(self.0.path(), rustix::mount::UnmountFlags::DETACH);
    }
}

fn layer(files: &[(&str, &str)]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (name, content) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(0);
        builder.append_data(&mut header, name, content.as_bytes()).unwrap();
    }
    builder.into_inner().unwrap()
}

fn names(directory: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[tokio::test]
async fn deleted_files_are_hidden_and_the_users_are_found() {
    let lower = layer(&[
        ("a/gone", "1"),
        ("a/stays", "2"),
        ("b/old", "3"),
        ("c/old", "4"),
        ("d", "5"),
        ("etc/passwd", "app:x:1000:100::/home/app:\n"),
        ("etc/group", "extra:x:7:app\n"),
    ]);
    let upper = layer(&[
        ("a/.wh.gone", ""),
        ("a/new", "6"),
        ("b/.wh..wh..opq", ""),
        ("b/new", "7"),
        (".wh.c", ""),
        ("c/new", "8"),
        (".wh.d", ""),
    ]);
    let kind = "application/vnd.oci.image.layer.v1.tar";
    let parts = Parts::new(&[(kind, lower.clone(), lower), (kind, upper.clone(), upper)]);
    let (place, registry) = (place(), Registry::start().await);
    let store = store(&place);
    registry.push("v1", &parts);
    let puller = Puller::new(store, Arc::default());
    let image = puller.pull(&registry.reference(":v1").parse().unwrap(), &[], None).await.unwrap().image;
    let mounted = Mounted::new(&image.layers);
    let root = mounted.0.path();
    assert_eq!(names(root), ["a", "b", "c", "etc"]);
    assert_eq!(names(&root.join("a")), ["new", "stays"]);
    assert_eq!(names(&root.join("b")), ["new"]);
    assert_eq!(names(&root.join("c")), ["new"]);
    assert_eq!(read(&root.join("a/stays")), "2");
    let app = user::resolve(root, &image.config.user).unwrap();
    assert_eq!((app.uid, app.gid, app.groups, app.home.as_str()), (1000, 100, vec![7], "/home/app"));
}
