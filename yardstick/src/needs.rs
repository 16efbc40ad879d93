//! What a yardstick needs before its clusters start: Debian's packages, and Knarr itself, which cargo builds where cargo started this program.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};

/// A program of Debian's, and the package that brings it.
pub type Package = (&'static str, &'static str);

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
pub const OF_CLIENTS: [Package; 3] = [
    ("/usr/lib/python3.11/ensurepip", "python3-venv"),
    ("/usr/bin/javac", "default-jdk-headless"),
    ("/usr/bin/mvn", "maven"),
];

/// Installs the packages that are missing.
///
/// # Errors
/// When Debian's package manager is not there, or does not bring one.
pub fn install(more: &[Package]) -> Result<()> {
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

/// Builds Knarr, where cargo started this program, and answers where it lies: beside this program.
///
/// # Errors
/// When it cannot be built, or is not there.
pub fn knarr() -> Result<PathBuf> {
    let path = std::env::current_exe()?.with_file_name("knarr");
    if let Some(cargo) = std::env::var_os("CARGO") {
        let words = words(&path);
        println!("==> cargo {}", words.join(" "));
        let status = Command::new(cargo).args(&words).status().context("running cargo")?;
        if !status.success() {
            bail!("Knarr cannot be built ({status})");
        }
    }
    if !path.is_file() {
        bail!("Knarr is missing: {}; `cargo xtask` builds it there", path.display());
    }
    Ok(path)
}

/// Both packages are named, and one program built of them: so the packages that both are made of are built once, with the same features. The
/// profile is that of the directory.
fn words(path: &Path) -> Vec<&'static str> {
    let mut words = vec!["build", "--package", "knarr", "--package", "yardstick", "--bin", "knarr"];
    if path.parent().is_some_and(|directory| directory.ends_with("release")) {
        words.push("--release");
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knarr_is_built_in_the_profile_of_its_place() {
        for (path, release) in [("target/x/debug/knarr", false), ("target/x/release/knarr", true)] {
            assert_eq!(words(Path::new(path)).contains(&"--release"), release);
        }
    }
}
