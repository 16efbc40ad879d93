//! The images of the conformance suite, made of the suite's own programs and of Debian's packages. Nothing is pulled.
//!
//! Each is a directory that `knarr image build` packages; the result is an OCI archive under the name that the suite asks for.

mod recipes;
mod root;
mod shelf;

use std::io::{ErrorKind, Read as _};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};
use sha2::{Digest as _, Sha256};

use crate::cluster::Programs;
use crate::machine::run;
use crate::registry::reference;

pub use recipes::{Image, PAGE, PAUSE, SUITE, SUITES};

/// Images as archives in one directory.
pub struct Images {
    directory: PathBuf,
}

/// What says how images are made: those that were made otherwise are made anew.
const RECIPES: &str = concat!(
    include_str!("images/recipes.rs"),
    include_str!("images/root.rs"),
    include_str!("images/shelf.rs")
);

impl Images {
    /// Builds those that are not there, or that were made after other recipes.
    ///
    /// # Errors
    /// When a program or package that goes into one is missing.
    pub fn build(programs: &Programs<'_>, directory: &Path, images: &[Image]) -> Result<Images> {
        let recipes = directory.join("recipes");
        if std::fs::read_to_string(&recipes).ok().as_deref() != Some(RECIPES) {
            match std::fs::remove_dir_all(directory) {
                Err(error) if error.kind() != ErrorKind::NotFound => {
                    return Err(error).context("deleting images that were made after other recipes");
                }
                _ => std::fs::create_dir_all(directory)?,
            }
            std::fs::write(recipes, RECIPES)?;
        }
        let built = Images { directory: directory.to_owned() };
        for image in images {
            let archive = built.archive(image);
            if !is_whole(&archive) {
                println!("==> image {}", image.name);
                package(programs, image, &archive).with_context(|| format!("the image {}", image.name))?;
            }
        }
        Ok(built)
    }

    /// The archive of an image.
    pub fn archive(&self, image: &Image) -> PathBuf {
        self.directory.join(format!("{}.tar", image.name.replace(['/', ':'], "_")))
    }
}

fn package(programs: &Programs<'_>, image: &Image, archive: &Path) -> Result<()> {
    // Beside the archive, for what is filled in may be more than another file system holds.
    let scratch = tempfile::tempdir_in(archive.parent().context("an archive in no directory")?)?;
    let (root, data) = (scratch.path().join("root"), scratch.path().join("data"));
    std::fs::create_dir_all(&root)?;
    (image.fill)(&root, programs)?;
    let mut build = Command::new(&programs.knarr);
    build
        .args(["image", "build", "--tag", &reference(image), "--from"])
        .arg(&root)
        .arg("--data-dir")
        .arg(&data);
    build.args(["--env", "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"]);
    for (flag, words) in [("--entrypoint", image.entry_point), ("--cmd", image.command)] {
        for word in words {
            build.arg(format!("{flag}={word}"));
        }
    }
    if !image.user.is_empty() {
        build.args(["--user", image.user]);
    }
    run(&mut build)?;
    let partial = archive.with_extension("part");
    let mut export = Command::new(&programs.knarr);
    export
        .args(["image", "export", &reference(image), "--data-dir"])
        .arg(&data)
        .arg("--output")
        .arg(&partial);
    run(&mut export)?;
    std::fs::write(sum_file(archive), sum(&partial)?).context("noting the archive's sum")?;
    std::fs::rename(partial, archive).context("naming the archive")
}

/// Whether an archive is there, and as it was made: one that was damaged since is made anew.
fn is_whole(archive: &Path) -> bool {
    let noted = std::fs::read_to_string(sum_file(archive));
    noted.is_ok_and(|noted| sum(archive).is_ok_and(|sum| sum == noted))
}

fn sum_file(archive: &Path) -> PathBuf {
    archive.with_extension("sum")
}

fn sum(file: &Path) -> Result<String> {
    let (mut file, mut hasher, mut piece) = (std::fs::File::open(file)?, Sha256::new(), vec![0; 1 << 20]);
    loop {
        match file.read(&mut piece)? {
            0 => return Ok(hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect()),
            length => hasher.update(&piece[..length]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_damaged_archive_is_none() {
        let directory = tempfile::tempdir().expect("a directory");
        let archive = directory.path().join("image.tar");
        assert!(!is_whole(&archive), "there is none");
        std::fs::write(&archive, "layers").expect("an archive");
        assert!(!is_whole(&archive), "it has no sum");
        std::fs::write(sum_file(&archive), sum(&archive).expect("its sum")).expect("the sum");
        assert!(is_whole(&archive));
        std::fs::write(&archive, "lay").expect("a part of it");
        assert!(!is_whole(&archive), "it was cut");
    }
}
