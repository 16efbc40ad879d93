//! An image as files that a program of the suite serves as a registry: `NAME/manifests/TAG` holds a digest, and whatever has a digest lies at
//! `sha256/AB/ABCD…/data` below `NAME/manifests` or `NAME/blobs`.

use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result};
use serde_json::Value;

use super::{Image, package};
use crate::cluster::Programs;
use crate::machine::run;

/// Puts an image onto a shelf, under this name and tag.
///
/// # Errors
/// When it cannot be built, or its files cannot be written.
pub fn put(programs: &Programs<'_>, image: &Image, name: &str, tag: &str, shelf: &Path) -> Result<()> {
    let scratch = tempfile::tempdir_in(shelf.parent().context("a shelf in no directory")?)?;
    let (archive, layout) = (scratch.path().join("image.tar"), scratch.path().join("layout"));
    package(programs, image, &archive)?;
    std::fs::create_dir_all(&layout)?;
    run(Command::new("tar").arg("-xf").arg(&archive).arg("-C").arg(&layout))?;
    let index: Value = serde_json::from_slice(&std::fs::read(layout.join("index.json"))?)?;
    let wanted = index["manifests"][0]["digest"].as_str().context("an archive without an image")?;
    let (manifests, blobs) = (shelf.join(name).join("manifests"), shelf.join(name).join("blobs"));
    let manifest = place(&layout, wanted, &manifests)?;
    std::fs::write(manifests.join(tag), wanted)?;
    let layers = manifest["layers"].as_array().into_iter().flatten();
    for digest in layers.chain([&manifest["config"]]).filter_map(|it| it["digest"].as_str()) {
        place(&layout, digest, &blobs)?;
    }
    Ok(())
}

/// Copies what has a digest, and answers it if it is JSON.
fn place(layout: &Path, digest: &str, below: &Path) -> Result<Value> {
    let (algorithm, hash) = digest.split_once(':').context("a digest without its algorithm")?;
    let place = below.join(algorithm).join(hash.get(..2).context("a digest of one letter")?).join(hash);
    std::fs::create_dir_all(&place)?;
    let bytes = std::fs::read(layout.join("blobs").join(algorithm).join(hash))?;
    std::fs::write(place.join("data"), &bytes)?;
    Ok(serde_json::from_slice(&bytes).unwrap_or_default())
}
