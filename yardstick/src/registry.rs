//! A registry on the hub, reachable from every machine of the link: Debian's docker-registry with the images in it.

use std::path::Path;

use anyhow::{Context as _, Result};

use crate::images::{Image, Images};
use crate::machine::{self, Daemon, HUB, Machine, address, wait_until};

const PORT: u16 = 5000;

/// Where it is, for those on the link.
pub fn host() -> String {
    format!("{}:{PORT}", address(HUB))
}

/// The name of an image in it.
pub fn reference(image: &Image) -> String {
    format!("{}/{}", host(), image.name)
}

/// Starts it and puts the images into it.
///
/// # Errors
/// When it cannot be started, or takes an image not.
pub fn start(hub: &Machine, images: &Images, wanted: &[Image]) -> Result<Daemon> {
    let directory = hub.directory.join("registry");
    std::fs::create_dir_all(&directory)?;
    let config = hub.directory.join("registry.yaml");
    let text = format!(
        "version: 0.1\nlog: {{level: warn}}\nstorage: {{filesystem: {{rootdirectory: {}}}}}\nhttp: {{addr: '{}'}}\n",
        directory.display(),
        host(),
    );
    std::fs::write(&config, text)?;
    let mut command = hub.command("docker-registry");
    command.arg("serve").arg(&config);
    let mut daemon = hub.start("registry", &mut command)?;
    wait_until("the registry answers", || {
        daemon.check()?;
        let mut ask = hub.command("curl");
        Ok(machine::output(ask.args(["-sf", &format!("http://{}/v2/", host())]))?.status.success())
    })?;
    for image in wanted {
        let archive = format!("oci-archive:{}", images.archive(image).display());
        let mut copy = hub.command("skopeo");
        copy.args(["copy", "--quiet", "--insecure-policy", "--dest-tls-verify=false", &archive]);
        copy.arg(format!("docker://{}", reference(image)));
        machine::run(&mut copy).with_context(|| format!("putting {} into the registry", image.name))?;
    }
    Ok(daemon)
}

/// The file that tells the suite where its images are (`KUBE_TEST_REPO_LIST`).
///
/// # Errors
/// When it cannot be written.
pub fn list(path: &Path) -> Result<()> {
    let names = [
        "promoterE2eRegistry",
        "buildImageRegistry",
        "gcEtcdRegistry",
        "gcRegistry",
        "sigStorageRegistry",
        "dockerLibraryRegistry",
        "cloudProviderGcpRegistry",
    ];
    let lines: String = names.iter().map(|name| format!("{name}: {}\n", host())).collect();
    std::fs::write(path, lines).context("writing the list of registries")
}

/// Tells containerd on a machine to speak HTTP with it, and to ask it for what other registries have.
///
/// # Errors
/// When a file cannot be written.
pub fn trust_by_containerd(machine: &Machine, others: &[&str]) -> Result<()> {
    let text = format!("[host.\"http://{}\"]\n  capabilities = [\"pull\", \"resolve\"]\n", host());
    for registry in others.iter().copied().chain([host().as_str()]) {
        let directory = machine.directory.join("etc/containerd/certs.d").join(registry);
        std::fs::create_dir_all(&directory)?;
        std::fs::write(directory.join("hosts.toml"), &text).context("writing hosts.toml")?;
    }
    Ok(())
}

/// Tells Knarr on a machine the same.
///
/// # Errors
/// When the file cannot be written.
pub fn trust_by_knarr(machine: &Machine, others: &[&str]) -> Result<()> {
    let directory = machine.directory.join("etc/knarr");
    std::fs::create_dir_all(&directory)?;
    let mut text = "mirrors:\n".to_owned();
    for registry in others.iter().copied().chain([host().as_str()]) {
        text += &format!("  \"{registry}\":\n    endpoint: [\"http://{}\"]\n", host());
    }
    std::fs::write(directory.join("registries.yaml"), text).context("writing registries.yaml")
}
