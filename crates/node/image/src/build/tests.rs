//! What is packaged comes out as it went in, and the same every time.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::PathBuf;

use proptest::prelude::*;

use super::*;
use crate::store::StoreOptions;

#[derive(Clone, Debug)]
enum Node {
    File(Vec<u8>, u32),
    Link(String),
    Directory(BTreeMap<String, Node>, u32),
}

fn node() -> impl Strategy<Value = Node> {
    let name = "[a-z.é]{1,3}|[a-z]{101,140}";
    let leaf = prop_oneof![
        (proptest::collection::vec(any::<u8>(), 0..2000), 0o400u32..0o7777)
            .prop_map(|(c, m)| Node::File(c, m)),
        "[a-z./]{1,8}|[a-z]{101,150}|\\.\\./\\./x//y".prop_map(Node::Link),
    ];
    let tree = leaf.prop_recursive(3, 24, 5, move |inner| {
        let safe = name
            .prop_filter("names", |name| !matches!(name.as_str(), "." | "..") && !name.starts_with(".wh."));
        (proptest::collection::btree_map(safe, inner, 0..5), 0o700u32..0o7777)
            .prop_map(|(children, mode)| Node::Directory(children, mode))
    });
    tree.prop_map(|node| match node {
        Node::Directory(..) => node,
        leaf => Node::Directory(BTreeMap::from([("leaf".to_owned(), leaf)]), 0o755),
    })
}

fn make(path: &Path, node: &Node) {
    match node {
        Node::File(content, mode) => {
            fs::write(path, content).unwrap();
            fs::set_permissions(path, fs::Permissions::from_mode(*mode)).unwrap();
        }
        Node::Link(target) => symlink(target, path).unwrap(),
        Node::Directory(children, mode) => {
            fs::create_dir_all(path).unwrap();
            for (name, child) in children {
                make(&path.join(name), child);
            }
            fs::set_permissions(path, fs::Permissions::from_mode(*mode)).unwrap();
        }
    }
}

/// Every path below, with what it is.
fn describe(root: &Path) -> BTreeMap<PathBuf, (u32, Vec<u8>)> {
    let mut all = BTreeMap::new();
    let mut waiting = vec![root.to_owned()];
    while let Some(path) = waiting.pop() {
        let found = fs::symlink_metadata(&path).unwrap();
        let content = if found.is_dir() {
            waiting.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
            Vec::new()
        } else if found.is_symlink() {
            fs::read_link(&path).unwrap().into_os_string().into_encoded_bytes()
        } else {
            fs::read(&path).unwrap()
        };
        all.insert(path.strip_prefix(root).unwrap().to_owned(), (found.mode(), content));
    }
    all
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn a_directory_comes_out_as_it_went_in(tree in node(), kind in 0..3) {
        let place = tempfile::tempdir().unwrap();
        let (source, again) = (place.path().join("source"), place.path().join("again"));
        make(&source, &tree);
        make(&again, &tree);
        let store = Store::open(&place.path().join("store"), StoreOptions::default()).unwrap();
        let compression = [Compression::None, Compression::Gzip, Compression::Zstd][kind as usize];
        let build = BuildConfig { compression, ..BuildConfig::default() };
        let image = store.build(&source, &"app:1".parse().unwrap(), &build).unwrap();
        prop_assert_eq!(describe(&image.layers[0]), describe(&source));
        let same = store.build(&again, &"app:2".parse().unwrap(), &build).unwrap();
        prop_assert_eq!(&same.id, &image.id, "the same directory, the same digest");
        prop_assert_eq!(same.references.len(), 2);
    }
}

#[test]
fn hard_links_attributes_and_owners_are_kept() {
    let place = tempfile::tempdir().unwrap();
    let source = place.path().join("source");
    fs::create_dir(&source).unwrap();
    fs::write(source.join("a"), "x").unwrap();
    fs::hard_link(source.join("a"), source.join("b")).unwrap();
    rustix::fs::lsetxattr(source.join("a"), "user.n", b"v", rustix::fs::XattrFlags::empty()).unwrap();
    std::os::unix::fs::chown(source.join("a"), Some(3), Some(4)).unwrap();
    let store = Store::open(&place.path().join("store"), StoreOptions::default()).unwrap();
    for (owner, expected) in [(Owner::Kept, (3, 4)), (Owner::default(), (0, 0))] {
        let build = BuildConfig { owner, ..BuildConfig::default() };
        let image = store.build(&source, &"app".parse().unwrap(), &build).unwrap();
        let (a, b) = (image.layers[0].join("a"), image.layers[0].join("b"));
        let found = fs::metadata(&a).unwrap();
        assert_eq!((found.ino(), found.nlink()), (fs::metadata(&b).unwrap().ino(), 2));
        assert_eq!((found.uid(), found.gid(), found.mtime()), (expected.0, expected.1, 0));
        let mut value = [0; 8];
        assert_eq!(rustix::fs::lgetxattr(&b, "user.n", &mut value[..]).unwrap(), 1);
    }
}

#[test]
fn what_is_no_directory_is_refused() {
    let place = tempfile::tempdir().unwrap();
    let store = Store::open(&place.path().join("store"), StoreOptions::default()).unwrap();
    let missing =
        store.build(&place.path().join("missing"), &"app".parse().unwrap(), &BuildConfig::default());
    assert!(matches!(missing, Err(ImageError::Io { .. })));
}
