//! A pod's namespaces: made in a forked child, pinned by bind mounts, so that they outlive every process and no pause container is needed.

#![allow(unsafe_code)]

use std::os::fd::OwnedFd;
use std::path::Path;

use host::mount::{LinuxMounts, Mounts};
use nix::fcntl::{OFlag, open};
use nix::libc;
use nix::sched::{CloneFlags, setns, unshare};
use nix::sys::stat::Mode;
use nix::sys::wait::waitpid;
use nix::unistd::{ForkResult, fork};

use super::ShimError;
use crate::disk;
use crate::layout::PodLayout;
use crate::spec::PodSandbox;

/// Makes and pins what the pod does not share with the host, and sets its kernel parameters.
pub(super) fn make(places: &PodLayout, pod: &PodSandbox) -> Result<(), ShimError> {
    disk::make_directory(&places.namespaces())?;
    let wanted = wanted(pod);
    for (kind, _) in &wanted {
        let pin = places.namespace(kind);
        LinuxMounts.unmount(&pin)?;
        disk::replace(&pin, b"")?;
    }
    let (outcome, report) = nix::unistd::pipe2(OFlag::O_CLOEXEC).map_err(ShimError::system("make a pipe"))?;
    // SAFETY: a shim has one thread, so the child may do whatever its parent could.
    match unsafe { fork() }.map_err(ShimError::system("fork"))? {
        ForkResult::Child => {
            let result = enter_and_pin(places, pod, &wanted);
            if let Err(error) = &result {
                let text = base::error::Chain(error).to_string();
                let _ = nix::unistd::write(&report, text.as_bytes());
            }
            // SAFETY: ends the forked copy without running what the shim registered for its own end.
            unsafe { libc::_exit(i32::from(result.is_err())) }
        }
        ForkResult::Parent { child } => {
            drop(report);
            let message = read_all(&outcome);
            waitpid(child, None).map_err(ShimError::system("wait for the namespaces"))?;
            if message.is_empty() { Ok(()) } else { Err(ShimError::Namespaces { message }) }
        }
    }
}

fn read_all(pipe: &OwnedFd) -> String {
    let (mut text, mut buffer) = (Vec::new(), [0; 1024]);
    while let Ok(count) = nix::unistd::read(pipe, &mut buffer) {
        if count == 0 {
            break;
        }
        text.extend_from_slice(&buffer[..count]);
    }
    String::from_utf8_lossy(&text).into_owned()
}

fn wanted(pod: &PodSandbox) -> Vec<(&'static str, CloneFlags)> {
    let mut wanted = Vec::new();
    if !pod.host_network {
        wanted.push(("uts", CloneFlags::CLONE_NEWUTS));
        if pod.netns.is_none() {
            wanted.push(("net", CloneFlags::CLONE_NEWNET));
        }
    }
    if !pod.host_ipc {
        wanted.push(("ipc", CloneFlags::CLONE_NEWIPC));
    }
    wanted
}

fn enter_and_pin(
    places: &PodLayout,
    pod: &PodSandbox,
    wanted: &[(&'static str, CloneFlags)],
) -> Result<(), ShimError> {
    let flags = wanted.iter().fold(CloneFlags::empty(), |flags, (_, flag)| flags | *flag);
    unshare(flags).map_err(ShimError::system("make namespaces"))?;
    if let Some(netns) = pod.netns.as_ref().filter(|_| !pod.host_network) {
        let namespace = open(netns, OFlag::O_RDONLY | OFlag::O_CLOEXEC, Mode::empty())
            .map_err(ShimError::system("open the network namespace"))?;
        setns(namespace, CloneFlags::CLONE_NEWNET)
            .map_err(ShimError::system("enter the network namespace"))?;
    }
    if !pod.host_network {
        nix::unistd::sethostname(&pod.hostname).map_err(ShimError::system("set the host name"))?;
    }
    for (name, value) in &pod.sysctls {
        set_parameter(pod, name, value)?;
    }
    for (kind, _) in wanted {
        LinuxMounts.bind(Path::new(&format!("/proc/self/ns/{kind}")), &places.namespace(kind))?;
    }
    Ok(())
}

/// Refuses what is not the pod's own: it would change the node.
fn set_parameter(pod: &PodSandbox, name: &str, value: &str) -> Result<(), ShimError> {
    let dotted = name.replace('/', ".");
    let ipc = ["kernel.shm", "kernel.msg", "kernel.sem", "fs.mqueue."]
        .iter()
        .any(|prefix| dotted.starts_with(prefix));
    let own = (ipc && !pod.host_ipc) || (dotted.starts_with("net.") && !pod.host_network);
    if !own || dotted.split('.').any(str::is_empty) {
        return Err(ShimError::Sysctl { name: name.to_owned() });
    }
    let path = format!("/proc/sys/{}", dotted.replace('.', "/"));
    let file = open(path.as_str(), OFlag::O_WRONLY | OFlag::O_CLOEXEC, Mode::empty())
        .map_err(ShimError::system("open a kernel parameter"))?;
    nix::unistd::write(&file, value.as_bytes()).map_err(ShimError::system("set a kernel parameter")).map(drop)
}
