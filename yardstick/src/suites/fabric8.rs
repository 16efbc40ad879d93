//! fabric8's client for Java: the program of ours in `tests/suites/fabric8`.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, bail};

use super::report;
use super::workshop::Workshop;
use crate::cluster::Cluster;
use crate::go::is_newer;
use crate::machine;
use crate::record::Test;

pub fn build(workshop: &Workshop<'_>) -> Result<()> {
    let (directory, sources) = (workshop.of("fabric8"), workshop.source("fabric8"));
    let files = ["pom.xml", "Suite.java", "Checks.java"].map(|name| sources.join(name));
    if is_newer(&directory.join("classes/Suite.class"), &files) {
        return Ok(());
    }
    let (jars, classes) = (directory.join("jars"), directory.join("classes"));
    for old in [&jars, &classes] {
        let _ = std::fs::remove_dir_all(old);
        std::fs::create_dir_all(old)?;
    }
    let mut bring = Command::new("mvn");
    bring.args(["--quiet", "--batch-mode", "--file"]).arg(sources.join("pom.xml"));
    bring.arg("dependency:copy-dependencies").arg(format!("-DoutputDirectory={}", jars.display()));
    workshop.make("fabric8's client", &mut bring)?;
    let mut compile = Command::new("javac");
    compile.arg("-d").arg(&classes).arg("-cp").arg(format!("{}/*", jars.display())).args(&files[1..]);
    workshop.make("the program that uses it", &mut compile)?;
    Ok(())
}

pub fn run(workshop: &Workshop<'_>, cluster: &Cluster) -> Result<Vec<Test>> {
    let directory = workshop.of("fabric8");
    let report = directory.join("report.jsonl");
    let _ = std::fs::remove_file(&report);
    let kubeconfig = with_token(cluster)?;
    let java = Path::new("java");
    let (status, log) = workshop.run("fabric8", cluster, java, |command| {
        command.arg("-cp").arg(format!("{0}/classes:{0}/jars/*", directory.display()));
        command.arg("Suite").args(workshop.only).env("SUITE_REPORT", &report);
        command.env("KUBECONFIG", &kubeconfig);
    })?;
    if !status.success() {
        bail!("the program ended with {status}: see {}", log.display());
    }
    report::lines(&report)
}

/// The administrator's kubeconfig with a token in the place of the certificate: this client reads elliptic keys only with a library
/// more, and only in one of their forms.
fn with_token(cluster: &Cluster) -> Result<PathBuf> {
    cluster.kubectl(&["create", "serviceaccount", "suite"])?;
    let binding = ["--clusterrole=cluster-admin", "--serviceaccount=default:suite"];
    cluster.kubectl(&[&["create", "clusterrolebinding", "suite"], &binding[..]].concat())?;
    let token = cluster.kubectl(&["create", "token", "suite", "--duration=2h"])?;
    let path = cluster.directory.join("token.kubeconfig");
    std::fs::copy(&cluster.kubeconfig, &path)?;
    for words in [&["unset", "users.default"][..], &["set-credentials", "default", "--token", token.trim()]] {
        let mut command = Command::new(&cluster.kubectl);
        machine::run(command.arg("--kubeconfig").arg(&path).arg("config").args(words))?;
    }
    Ok(path)
}
