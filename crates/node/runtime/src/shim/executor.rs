//! The last steps of a container's process before its program runs: working directory, finding the program, capabilities, seccomp.
//!
//! The container library hands over with every capability still there, because installing a filter without `no_new_privileges` needs
//! CAP_SYS_ADMIN; so dropping them is done here, in runc's order, and nothing is executed unless all of it worked. What goes wrong before the
//! program runs goes through a pipe to the worker, in the words that runc uses.
#![allow(unsafe_code)]

use std::collections::HashMap;
use std::ffi::CString;
use std::os::fd::RawFd;
use std::rc::Rc;

use libcontainer::oci_spec::runtime::Spec;
use libcontainer::workload::{Executor, ExecutorError, ExecutorSetEnvsError, ExecutorValidationError};
use nix::errno::Errno;
use nix::libc;
use nix::sys::signal::{SigHandler, SigSet, SigmaskHow, Signal, signal, sigprocmask};

use super::capability;
use crate::protocol::{Failure, FailureKind};
use crate::seccomp::Filter;

/// What to run and under which restrictions.
#[derive(Debug)]
pub(super) struct Program {
    pub(super) args: Vec<String>,
    pub(super) env: Vec<(String, String)>,
    pub(super) cwd: String,
    /// A bit per capability.
    pub(super) capabilities: u64,
    pub(super) no_new_privileges: bool,
    pub(super) filter: Filter,
}

/// Runs a [`Program`] where the container library calls for it.
#[derive(Clone, Debug)]
pub(super) struct Payload {
    pub(super) program: Rc<Program>,
    /// Where failures go. Closed by executing, which is how success is seen.
    pub(super) report: RawFd,
}

impl Executor for Payload {
    fn validate(&self, _spec: &Spec) -> Result<(), ExecutorValidationError> {
        Ok(())
    }

    fn setup_envs(&self, _envs: HashMap<String, String>) -> Result<(), ExecutorSetEnvsError> {
        // The environment is handed to the program directly, in its order; this process keeps none of it.
        Ok(())
    }

    fn exec(&self, _spec: &Spec) -> Result<(), ExecutorError> {
        let failure = match self.program.run() {
            Ok(never) => match never {},
            Err(failure) => failure,
        };
        let bytes = serde_json::to_vec(&failure).unwrap_or_default();
        let mut rest = bytes.as_slice();
        while !rest.is_empty() {
            // SAFETY: the descriptor is the report pipe's, inherited for this, and the bytes are alive.
            let written = unsafe { libc::write(self.report, rest.as_ptr().cast(), rest.len()) };
            match usize::try_from(written) {
                Ok(written) if written > 0 => rest = &rest[written..],
                _ => break,
            }
        }
        // SAFETY: ends this process at once; running the library's own exit path could only do harm here.
        unsafe { libc::_exit(255) }
    }
}

/// What a shell would report.
const NOT_FOUND: i32 = 127;
const NOT_EXECUTABLE: i32 = 126;
const OTHER: i32 = 128;

fn start_failure(message: String, exit_code: i32) -> Failure {
    Failure { kind: FailureKind::Start, message, exit_code: Some(exit_code) }
}

impl Program {
    fn run(&self) -> Result<std::convert::Infallible, Failure> {
        reset_signals().map_err(|errno| self.failed("reset signals", errno))?;
        nix::sys::stat::umask(nix::sys::stat::Mode::from_bits_truncate(0o022));
        let cwd = if self.cwd.is_empty() { "/" } else { &self.cwd };
        nix::unistd::chdir(cwd).map_err(|errno| {
            let message = format!("chdir to cwd ({cwd:?}) set in config.json failed: {}", describe(errno));
            start_failure(message, OTHER)
        })?;
        let path = self.find()?;
        let args = strings(self.args.iter().cloned())?;
        let env = strings(self.env.iter().map(|(name, value)| format!("{name}={value}")))?;
        let file = strings([path.clone()])?.remove(0);
        self.restrict().map_err(|(what, errno)| self.failed(what, errno))?;
        let Err(errno) = nix::unistd::execve(&file, &args, &env);
        match errno {
            Errno::EACCES | Errno::EPERM => Err(start_failure(
                format!("exec: {:?}: permission denied", self.args.first().map_or("", String::as_str)),
                NOT_EXECUTABLE,
            )),
            errno => {
                // As with runc the container has started by now: it says what is wrong on its own standard error and exits.
                let line = format!("exec {path}: {}\n", describe(errno));
                // SAFETY: writes live bytes to this process's own standard error; ends this process at once.
                unsafe {
                    libc::write(2, line.as_ptr().cast(), line.len());
                    libc::_exit(255)
                }
            }
        }
    }

    fn failed(&self, what: &str, errno: Errno) -> Failure {
        start_failure(format!("cannot {what} for the container's process: {}", describe(errno)), OTHER)
    }

    /// Finds the program as Go's `exec.LookPath` does, whose words runc passes on.
    fn find(&self) -> Result<String, Failure> {
        let name = self.args.first().map_or("", String::as_str);
        let failure = |what: String, code| Err(start_failure(format!("exec: {name:?}: {what}"), code));
        if name.contains('/') {
            return match executable(name) {
                Ok(()) => Ok(name.to_owned()),
                Err(Errno::ENOENT) => failure(format!("stat {name}: no such file or directory"), NOT_FOUND),
                Err(errno) => failure(describe(errno).to_owned(), NOT_EXECUTABLE),
            };
        }
        let path =
            self.env.iter().rev().find(|(name, _)| name == "PATH").map_or("", |(_, value)| value.as_str());
        let mut denied = false;
        for directory in path.split(':').filter(|_| !name.is_empty()) {
            let directory = if directory.is_empty() { "." } else { directory };
            let candidate = format!("{directory}/{name}");
            match executable(&candidate) {
                Ok(()) => return Ok(candidate),
                Err(Errno::EACCES) => denied = true,
                Err(_) => {}
            }
        }
        if denied {
            return failure("permission denied".to_owned(), NOT_EXECUTABLE);
        }
        failure("executable file not found in $PATH".to_owned(), NOT_FOUND)
    }

    fn restrict(&self) -> Result<(), (&'static str, Errno)> {
        capability::drop_bounding(self.capabilities)
            .map_err(|errno| ("drop bounding capabilities", errno))?;
        // Without no_new_privileges a filter needs CAP_SYS_ADMIN, which the next step takes away; with it, the later the better.
        if self.no_new_privileges {
            capability::set(self.capabilities).map_err(|errno| ("set capabilities", errno))?;
            no_new_privileges().map_err(|errno| ("set no_new_privileges", errno))?;
            install(&self.filter).map_err(|errno| ("install the seccomp filter", errno))
        } else {
            install(&self.filter).map_err(|errno| ("install the seccomp filter", errno))?;
            capability::set(self.capabilities).map_err(|errno| ("set capabilities", errno))
        }
    }
}

fn executable(path: &str) -> Result<(), Errno> {
    let status = nix::sys::stat::stat(path)?;
    if status.st_mode & libc::S_IFMT == libc::S_IFDIR {
        return Err(Errno::EISDIR);
    }
    if status.st_mode & 0o111 == 0 { Err(Errno::EACCES) } else { Ok(()) }
}

fn strings(texts: impl IntoIterator<Item = String>) -> Result<Vec<CString>, Failure> {
    let strings = texts.into_iter().map(CString::new).collect::<Result<Vec<_>, _>>();
    strings.map_err(|_| start_failure("exec: an argument or variable holds a zero byte".to_owned(), OTHER))
}

/// Error texts as Go prints them.
pub(super) fn describe(errno: Errno) -> String {
    let text = errno.desc();
    match errno {
        Errno::ENOEXEC => "exec format error".to_owned(),
        _ => text.to_lowercase(),
    }
}

/// The shim blocks and ignores signals; both would outlive executing.
fn reset_signals() -> Result<(), Errno> {
    for number in Signal::iterator().filter(|number| !matches!(number, Signal::SIGKILL | Signal::SIGSTOP)) {
        // SAFETY: default dispositions run no code of ours.
        unsafe { signal(number, SigHandler::SigDfl) }?;
    }
    sigprocmask(SigmaskHow::SIG_SETMASK, Some(&SigSet::empty()), None)
}

fn no_new_privileges() -> Result<(), Errno> {
    // SAFETY: this request takes one number and touches no memory.
    Errno::result(unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) }).map(drop)
}

/// Installs the filters in their order. Not `seccompiler`'s own function, which sets no_new_privileges for everybody.
fn install(filter: &Filter) -> Result<(), Errno> {
    for program in filter.programs() {
        let length = u16::try_from(program.len()).map_err(|_| Errno::E2BIG)?;
        let description = libc::sock_fprog { len: length, filter: program.as_ptr().cast_mut().cast() };
        // SAFETY: the description and its instructions outlive the call, which only reads them; both instruction types are the kernel's
        // `struct sock_filter`.
        let result = unsafe {
            libc::syscall(libc::SYS_seccomp, libc::SECCOMP_SET_MODE_FILTER, 0, &raw const description)
        };
        Errno::result(result)?;
    }
    Ok(())
}
