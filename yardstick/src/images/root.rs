//! Filling an image's root: Debian's busybox, programs with the libraries that they load, users.

use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result, bail};

use crate::machine::run;

/// Debian's busybox-static under all its names, with what programs expect of a root.
pub fn busybox(root: &Path) -> Result<()> {
    for directory in ["bin", "etc", "home", "root", "tmp", "usr/bin", "usr/local/bin", "var/run", "var/tmp"] {
        std::fs::create_dir_all(root.join(directory))?;
    }
    for open in ["tmp", "var/tmp"] {
        std::fs::set_permissions(root.join(open), std::fs::Permissions::from_mode(0o1777))?;
    }
    install(Path::new("/bin/busybox"), root, "bin/busybox")?;
    for name in run(Command::new("/bin/busybox").arg("--list"))?.lines() {
        link("busybox", root, &format!("bin/{name}"))?;
    }
    std::fs::write(
        root.join("etc/passwd"),
        "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/home:/bin/false\n",
    )?;
    std::fs::write(root.join("etc/group"), "root:x:0:\nnogroup:x:65534:\n")?;
    Ok(())
}

/// Copies a program of this machine's packages, with the libraries that it loads.
pub fn program(root: &Path, path: &str) -> Result<()> {
    let source = Path::new(path);
    if !source.exists() {
        bail!("{path} is not there: `cargo xtask` installs its package when it starts a yardstick");
    }
    install(&source.canonicalize()?, root, path.trim_start_matches('/'))?;
    // Lines are `name => /path (address)`, or `/path (address)` for the loader.
    for line in run(Command::new("ldd").arg(source)).unwrap_or_default().lines() {
        if let Some(library) = line.split_whitespace().find(|word| word.starts_with('/')) {
            install(&Path::new(library).canonicalize()?, root, library.trim_start_matches('/'))?;
        }
    }
    Ok(())
}

/// Copies a file, whose mode stays.
pub fn install(source: &Path, root: &Path, target: &str) -> Result<()> {
    let target = root.join(target);
    if let Some(parent) = target.parent() {
        std::fs::create_dir_all(parent)?;
    }
    let _ = std::fs::remove_file(&target);
    std::fs::copy(source, &target).with_context(|| format!("copying {}", source.display()))?;
    Ok(())
}

/// Makes a link, in the place of whatever has its name.
pub fn link(to: &str, root: &Path, name: &str) -> Result<()> {
    let name = root.join(name);
    if name.file_name().is_some_and(|file| file == to) {
        return Ok(());
    }
    let _ = std::fs::remove_file(&name);
    symlink(to, &name).with_context(|| format!("linking {}", name.display()))
}

/// Adds a line to a file.
pub fn append(root: &Path, file: &str, line: &str) -> Result<()> {
    let path = root.join(file);
    let text = std::fs::read_to_string(&path).unwrap_or_default();
    std::fs::write(&path, format!("{text}{line}\n"))?;
    Ok(())
}
