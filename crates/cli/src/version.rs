//! What this binary is. Used by `knarr --version` and whoever reports it.

/// Knarr's own version.
pub const KNARR: &str = env!("CARGO_PKG_VERSION");

/// The Kubernetes whose API this is.
pub const KUBERNETES: &str = "v1.37.1";

/// The commit that the binary was built from: `KNARR_COMMIT` of the build's environment.
pub const COMMIT: &str = match option_env!("KNARR_COMMIT") {
    Some(commit) => commit,
    None => "unknown",
};

/// What follows the program's name in `knarr --version`.
pub fn text() -> String {
    format!("{KNARR}\nKubernetes {KUBERNETES}\ncommit {COMMIT}")
}
