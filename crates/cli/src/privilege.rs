//! Who may do what: which commands need root, and what to say to those who have not. Used by the binary before it starts one.

use crate::invocation::Invocation;

/// A command was called without the rights that it needs.
#[derive(Debug, thiserror::Error)]
#[error("knarr {command} needs root: try sudo knarr {command}")]
pub struct NeedsRoot {
    /// The command.
    pub command: &'static str,
}

/// What a command needs, told before it does anything.
///
/// # Errors
/// When it needs root and this process is not.
pub fn check(invocation: &Invocation) -> Result<(), NeedsRoot> {
    match needs_root(invocation) {
        Some(command) if !rustix::process::geteuid().is_root() => Err(NeedsRoot { command }),
        _ => Ok(()),
    }
}

/// The command's name, if it needs root. A control plane alone needs none, and the others read files that say themselves whose they are.
fn needs_root(invocation: &Invocation) -> Option<&'static str> {
    match invocation {
        Invocation::Server(config) if !config.disable_agent => Some("server"),
        Invocation::Up(config, _) if !config.disable_agent => Some("up"),
        Invocation::Agent(_) => Some("agent"),
        Invocation::Down(..) => Some("down"),
        Invocation::ServiceInstall(..) => Some("service install"),
        Invocation::ServiceRemove(_) => Some("service remove"),
        Invocation::Ps(..) => Some("ps"),
        Invocation::Inspect(..) => Some("inspect"),
        Invocation::Shim(_) => Some("shim"),
        _ => None,
    }
}

/// What to add to an error that more rights would have spared.
pub fn advice(error: &std::io::Error) -> &'static str {
    if error.kind() == std::io::ErrorKind::PermissionDenied { " (try again with sudo)" } else { "" }
}
