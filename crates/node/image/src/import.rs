//! Importing images from files: OCI layouts (a directory or a tar) and docker archives (`docker save`), each plain or
//! compressed. Used by `knarr image import` and for the folder of images that a node starts with.
//!
//! An archive is first spread out in a work directory, file by file and without any of its links, so that its parts may
//! come in any order; then it is read like a directory. What is damaged imports nothing.
#![allow(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    reason = "the image store is a shell: it keeps files"
)]

use std::fs::File;
use std::path::Path;

use crate::error::{ImageError, Result};
use crate::manifest::Platform;
use crate::reference::Reference;
use crate::store::{Image, Store, Work};

mod archive;
mod docker;
mod folder;
mod layout;
mod tree;

pub use folder::{FolderEntry, FolderOutcome};

use tree::Tree;

/// The annotation by which containerd and buildkit give a whole name.
pub(crate) const CONTAINERD_NAME: &str = "io.containerd.image.name";
/// The annotation that OCI defines: a tag, or whatever the writer likes.
pub(crate) const OCI_NAME: &str = "org.opencontainers.image.ref.name";

/// How to import.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ImportOptions {
    /// The repository for tags that come without one, and, with its tag, the name of an image that comes without any.
    pub name: Option<Reference>,
    /// Which image of an index to take; this machine's when not given.
    pub platform: Option<Platform>,
}

impl Store {
    /// Imports every image of an OCI layout (directory or tar) or a docker archive. Gives them as they then are in the
    /// store; an image without any name is listed by its id alone.
    ///
    /// # Errors
    /// [`ImageError::Archive`] when it holds no image; as pulling for what is damaged in it.
    pub fn import(&self, path: &Path, options: &ImportOptions) -> Result<Vec<Image>> {
        let work = self.work()?;
        let failed = |error| ImageError::io(format!("read {}", path.display()), error);
        let tree = if std::fs::metadata(path).map_err(failed)?.is_dir() {
            Tree::borrowed(path)
        } else {
            archive::spread(&work, path, File::open(path).map_err(failed)?)?
        };
        import_tree(&work, path, &tree, options)
    }
}

fn import_tree(work: &Work, path: &Path, tree: &Tree, options: &ImportOptions) -> Result<Vec<Image>> {
    let records = if tree.has("index.json") {
        layout::import(work, tree, options)?
    } else if tree.has("manifest.json") {
        docker::import(work, tree, options)?
    } else {
        let message = "neither an OCI layout (index.json) nor a docker archive (manifest.json)".to_owned();
        return Err(ImageError::Archive { path: path.to_owned(), message });
    };
    // Nothing is listed before everything is there.
    for record in &records {
        work.publish(record)?;
    }
    let mut ids: Vec<String> = records.iter().map(|record| record.id.to_string()).collect();
    ids.dedup();
    ids.iter().map(|id| work.store().inspect(id)).collect()
}

/// The names that an archive gives an image, made whole.
fn names<'a>(given: impl IntoIterator<Item = &'a str>, options: &ImportOptions) -> Vec<Reference> {
    let mut names: Vec<Reference> = given
        .into_iter()
        .filter_map(|name| {
            let is_whole = name.contains(['/', ':']);
            match &options.name {
                _ if is_whole => name.parse().ok(),
                Some(base) => base.with_tag(name),
                None => None,
            }
        })
        .collect();
    if names.is_empty() {
        names.extend(options.name.clone());
    }
    names.sort();
    names.dedup();
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_made_whole() {
        let based = ImportOptions { name: Some("r.io/app:fallback".parse().unwrap()), platform: None };
        let bare = ImportOptions::default();
        let cases: [(&[&str], &ImportOptions, &[&str]); 6] = [
            (&["docker.io/library/a:1"], &bare, &["docker.io/library/a:1"]),
            (&["a:1", "a:1", "b/c"], &bare, &["docker.io/b/c:latest", "docker.io/library/a:1"]),
            (&["latest"], &bare, &[]),
            (&["v1"], &based, &["r.io/app:v1"]),
            (&[], &based, &["r.io/app:fallback"]),
            (&["Bad/Name:x"], &bare, &[]),
        ];
        for (given, options, expected) in cases {
            let found: Vec<String> =
                names(given.iter().copied(), options).iter().map(Reference::to_string).collect();
            assert_eq!(found, expected, "{given:?}");
        }
    }
}
