//! kr8s: its own tests, which its source distribution has, with a conftest of ours in the place of theirs that starts a cluster.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context as _, Result};

use super::python;
use super::workshop::Workshop;
use crate::cluster::Cluster;
use crate::record::Test;

const VERSION: &str = "0.20.15";

pub fn build(workshop: &Workshop<'_>) -> Result<()> {
    let python = python::environment(workshop, "kr8s")?;
    let sources = sources(workshop);
    if !sources.join("kr8s/tests").exists() {
        let directory = workshop.of("kr8s");
        let mut download = Command::new(python);
        download.args(["-m", "pip", "download", "--quiet", "--no-deps", "--no-binary", "kr8s"]);
        download.arg(format!("kr8s=={VERSION}")).arg("--dest").arg(&directory);
        workshop.make("the sources of kr8s", &mut download)?;
        let mut unpack = Command::new("tar");
        unpack.arg("-xzf").arg(directory.join(format!("kr8s-{VERSION}.tar.gz"))).arg("-C").arg(&directory);
        workshop.make("the sources of kr8s, unpacked", &mut unpack)?;
    }
    let ours = workshop.source("kr8s/conftest.py");
    std::fs::copy(&ours, sources.join("conftest.py"))
        .with_context(|| format!("copying {}", ours.display()))?;
    Ok(())
}

pub fn run(workshop: &Workshop<'_>, cluster: &Cluster) -> Result<Vec<Test>> {
    // Their options ask for a coverage report.
    let more = ["--override-ini=addopts=", "--override-ini=timeout=120"];
    python::pytest(workshop, "kr8s", cluster, &sources(workshop).join("kr8s/tests"), &more)
}

fn sources(workshop: &Workshop<'_>) -> PathBuf {
    workshop.of("kr8s").join(format!("kr8s-{VERSION}"))
}
