//! The image of the pods that are measured: busybox alone.

use std::os::unix::fs::symlink;

use anyhow::{Context as _, Result};

use crate::cluster::Place;
use crate::held::Held;

/// Its name.
pub const NAME: &str = "example.com/bench:1";

/// Where Debian's package puts it.
pub const BUSYBOX: &str = "/bin/busybox";

/// Puts it among the images of a place's node.
pub fn put_in(place: &Place) -> Result<()> {
    let root = Held::directory()?;
    let bin = root.path().join("bin");
    std::fs::create_dir(&bin)?;
    std::fs::copy(BUSYBOX, bin.join("busybox"))
        .context("busybox-static is missing: ./dev setup installs it")?;
    for name in ["sh", "sleep"] {
        symlink("busybox", bin.join(name))?;
    }
    place.build_image(root.path(), NAME)
}
