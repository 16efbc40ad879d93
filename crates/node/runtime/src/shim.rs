//! The shim: one small process per pod that is the parent of its containers' processes and owns their streams, logs and endings.
//!
//! The same binary as the agent's, executed again from a sealed descriptor with [`main`]. One thread, epoll, no async runtime; containers
//! and execs are started by forked workers (`worker`) and become its children. It lives outside the pod's control group, decides nothing
//! (restarts, grace, probes are the agent's), and answers one or more agents over a socket.
//!
//! Its death costs nothing but itself: containers go on (their output FIFOs are open for reading on their own side, and fill), and a
//! successor started by the agent goes on from disk (`recover`). What is lost is running execs' exit codes, the standard input of
//! containers nobody else is attached to, and on kernels before 6.15 the exit codes of containers that ended without a shim.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use nix::errno::Errno;

mod bundle;
mod calls;
mod capability;
mod client;
mod container;
mod executor;
mod exits;
mod identity;
mod init;
mod log;
mod namespaces;
mod recover;
mod server;
mod starts;
mod worker;

/// Reads of an ended container's output: 64 MiB at most.
const FINAL_READS_MAX: u32 = 1024;

/// Why a shim cannot do its work.
#[derive(Debug, thiserror::Error)]
pub enum ShimError {
    /// Wrong arguments.
    #[error("usage: shim (run|recover) <pod directory> <data directory>")]
    Usage,
    /// The pod's description is missing.
    #[error("{} describes no pod", path.display())]
    NoPod {
        /// Where it should be.
        path: PathBuf,
    },
    /// The kernel refused something.
    #[error("cannot {action}")]
    System {
        /// What.
        action: &'static str,
        /// Why.
        #[source]
        source: Errno,
    },
    /// The namespaces could not be made.
    #[error("cannot make the pod's namespaces: {message}")]
    Namespaces {
        /// Why.
        message: String,
    },
    /// A kernel parameter that is not a pod's to set.
    #[error("sysctl {name:?} is not of the pod's own namespaces")]
    Sysctl {
        /// Which.
        name: String,
    },
    /// A log that cannot be opened.
    #[error("cannot open the log {}", path.display())]
    Log {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A control group.
    #[error("cannot use a control group")]
    Cgroup(#[from] host::cgroup::CgroupError),
    /// A mount.
    #[error("cannot mount")]
    Mount(#[from] host::mount::MountError),
    /// A file.
    #[error("cannot use a file")]
    Disk(#[from] crate::disk::DiskError),
}

impl ShimError {
    fn system(action: &'static str) -> impl FnOnce(Errno) -> ShimError {
        move |source| ShimError::System { action, source }
    }
}

/// The argument that starts a shim for a new pod.
pub(crate) const RUN: &str = "run";
/// The argument that starts a successor of a shim that died.
pub(crate) const RECOVER: &str = "recover";

/// Runs as a shim until it is told to shut down. `args` are those after the binary's own subcommand `prefix` (`["shim"]` for `knarr shim`),
/// with which it executes itself again where it must. Call it before any thread exists.
///
/// Says `ready` on standard output once it can be connected to, or what is wrong.
pub fn main(prefix: &[&str], args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let args: Vec<String> = args.into_iter().map(|arg| arg.to_string_lossy().into_owned()).collect();
    let result = match args.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [init::ARGUMENT, directory] => init::run(directory.as_ref()).map(|never| match never {}),
        [mode @ (RUN | RECOVER), directory, data] => {
            let prefix = prefix.iter().map(|part| (*part).to_owned()).collect();
            server::run(mode == RECOVER, directory.into(), data.into(), prefix)
        }
        _ => Err(ShimError::Usage),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Standard output is the agent's pipe until the shim is ready, and /dev/null afterwards; standard error is the pod's shim.log.
            let text = format!("{}\n", base::error::Chain(&error));
            let _ = nix::unistd::write(std::io::stdout(), text.as_bytes());
            let _ = nix::unistd::write(std::io::stderr(), text.as_bytes());
            ExitCode::FAILURE
        }
    }
}
