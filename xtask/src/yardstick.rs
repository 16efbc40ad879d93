//! What measures Knarr by what others wrote: installs what it needs, builds it beside Knarr, and hands over to it.

use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::steps::cargo;
use crate::tree;

/// A program of Debian's, and the package that brings it.
type Package = (&'static str, &'static str);

/// What a stock node runs, the registry, and what goes into the suites' images.
const PACKAGES: [Package; 20] = [
    ("/usr/bin/containerd", "containerd"),
    ("/usr/sbin/runc", "runc"),
    ("/usr/lib/cni/bridge", "containernetworking-plugins"),
    ("/usr/sbin/conntrack", "conntrack"),
    ("/usr/bin/docker-registry", "docker-registry"),
    ("/usr/bin/skopeo", "skopeo"),
    ("/usr/bin/openssl", "openssl"),
    ("/usr/sbin/nft", "nftables"),
    ("/usr/sbin/iptables", "iptables"),
    ("/bin/busybox", "busybox-static"),
    ("/usr/sbin/nginx", "nginx-light"),
    ("/usr/bin/curl", "curl"),
    ("/usr/bin/dig", "bind9-dnsutils"),
    ("/usr/bin/nc.openbsd", "netcat-openbsd"),
    ("/usr/bin/ip", "iproute2"),
    ("/usr/bin/socat", "socat"),
    ("/usr/bin/iperf", "iperf"),
    ("/usr/bin/ipcs", "util-linux"),
    ("/usr/bin/wget", "wget"),
    ("/usr/bin/zsh", "zsh"),
];

/// What builds clients.
const OF_CLIENTS: [Package; 3] = [
    ("/usr/lib/python3.11/ensurepip", "python3-venv"),
    ("/usr/bin/javac", "default-jdk-headless"),
    ("/usr/bin/mvn", "maven"),
];

/// Runs a yardstick with these words.
pub fn run(name: &str, words: &[String]) -> Result<()> {
    install(if matches!(name, "suites" | "schemathesis") { &OF_CLIENTS } else { &[] })?;
    cargo(&["build", "--package", "knarr", "--package", "yardstick"])?;
    hand_over(name, words)
}

/// Runs the oracle with these words, which needs nothing of Debian's and no server.
pub fn ask(words: &[String]) -> Result<()> {
    cargo(&["build", "--package", "yardstick"])?;
    hand_over("oracle", words)
}

fn hand_over(name: &str, words: &[String]) -> Result<()> {
    let own = std::env::current_exe().context("this program's own path")?;
    // This program was built for the same target and in the same profile.
    let program = own.with_file_name("yardstick");
    let error = Command::new(&program).arg(name).args(words).current_dir(tree::root()).exec();
    bail!("{}: {error}", program.display());
}

fn install(more: &[Package]) -> Result<()> {
    let missing: Vec<&str> = PACKAGES
        .iter()
        .chain(more)
        .filter(|(program, _)| !Path::new(program).exists())
        .map(|(_, package)| *package)
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    println!("==> installing {}", missing.join(" "));
    for words in [
        &["update", "-qq"][..],
        &[&["install", "-y", "-qq", "--no-install-recommends"], &missing[..]].concat(),
    ] {
        let output = Command::new("apt-get").args(words).env("DEBIAN_FRONTEND", "noninteractive").output();
        let output = output.context("running apt-get: the yardsticks need Debian")?;
        if !output.status.success() {
            bail!("apt-get {words:?}: {}", String::from_utf8_lossy(&output.stderr).trim());
        }
    }
    Ok(())
}
