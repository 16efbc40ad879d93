//! Starting shims: the version-pinned copy of this binary, sealed, and a new process of it.

use std::os::fd::OwnedFd;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use host::process::sealed::{executable_path, seal};
use tokio::io::AsyncReadExt;

use super::Shared;
use crate::disk;
use crate::error::RuntimeError;
use crate::layout::PodLayout;
use crate::limits::SHIM_READY;

/// How much a shim that fails to start may say.
const MESSAGE_BYTES_MAX: u64 = 16 << 10;

/// A program that stays as it is, whatever becomes of the file that it was copied from.
pub struct Pinned {
    /// Its SHA-256, which is its file's name.
    pub name: String,
    /// Opened sealed: it can be executed by [`executable_path`] and not be changed.
    pub program: OwnedFd,
}

/// Copies `executable` to `<data>/bin/<sha256>`, unless it is there, and opens that sealed.
///
/// # Errors
/// When there is no such file, the copy cannot be written, or the kernel lacks overlays.
pub fn pin(executable: &Path, data: &Path) -> Result<Pinned, RuntimeError> {
    let bytes = disk::read(executable)?.ok_or_else(|| RuntimeError::System {
        action: "find the shims' program",
        source: std::io::Error::from(std::io::ErrorKind::NotFound),
    })?;
    let name = hex(ring::digest::digest(&ring::digest::SHA256, &bytes).as_ref());
    let directory = data.join("bin");
    disk::make_directory(&directory)?;
    let pinned = directory.join(&name);
    let whole = std::fs::metadata(&pinned).is_ok_and(|status| Ok(status.len()) == u64::try_from(bytes.len()));
    if !whole {
        disk::replace_durably(&pinned, &bytes)?;
        std::fs::set_permissions(&pinned, std::fs::Permissions::from_mode(0o755))
            .map_err(RuntimeError::io("make the shims' program executable"))?;
    }
    let other = data.join("seccomp");
    disk::make_directory(&other)?;
    let program = seal(&directory, &other, &name)?;
    Ok(Pinned { name, program })
}

/// Bytes as lower-case hexadecimal text.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Starts a shim for the pod whose description lies in `places`, and waits until it can be connected to.
pub(super) async fn launch(
    shared: &Shared,
    places: &PodLayout,
    uid: &str,
    mode: &str,
) -> Result<(), RuntimeError> {
    let failed = |message: String| RuntimeError::Launch { uid: uid.to_owned(), message };
    let log = std::fs::OpenOptions::new()
        .create(true)
        .append(true)
        .mode(0o600)
        .open(places.log())
        .map_err(RuntimeError::io("open a shim's log"))?;
    let program: PathBuf = executable_path(&shared.program);
    let mut command = tokio::process::Command::new(program);
    command
        .arg0("knarr")
        .args(&shared.config.shim_arguments)
        .arg(mode)
        .arg(places.directory())
        .arg(places.data())
        .env_clear()
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(log);
    let mut child = command.spawn().map_err(RuntimeError::io("start a shim"))?;
    if let (Some(group), Some(pid)) = (&shared.config.shim_cgroup, child.id()) {
        shared.cgroups.create(group)?;
        shared.cgroups.attach(group, pid.cast_signed())?;
    }
    let output = child.stdout.take().ok_or_else(|| failed("it has no standard output".to_owned()))?;
    // Reaps it whenever it ends; until then it belongs to nobody.
    tokio::spawn(async move {
        let _ = child.wait().await;
    });
    let mut said = String::new();
    let mut output = output.take(MESSAGE_BYTES_MAX);
    let read =
        base::time::timeout(shared.config.clock.as_ref(), SHIM_READY, output.read_to_string(&mut said));
    match read.await {
        Ok(Ok(_)) if said == "ready\n" => Ok(()),
        Ok(Ok(_)) if said.is_empty() => Err(failed("it died".to_owned())),
        Ok(Ok(_)) => Err(failed(said.trim_end().to_owned())),
        Ok(Err(error)) => Err(RuntimeError::io("hear from a shim")(error)),
        Err(_) => Err(failed(format!("it was not ready within {} s", SHIM_READY.as_secs()))),
    }
}
