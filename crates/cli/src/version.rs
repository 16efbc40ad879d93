//! What this binary is. Used by `knarr --version` and whoever reports it.

/// Knarr's own version.
pub const KNARR: &str = env!("CARGO_PKG_VERSION");

/// The Kubernetes whose API this is.
pub const KUBERNETES: &str = "v1.37.1";

/// The commit that the binary was built from, as the build script found it; `unknown` where there is no git.
pub const COMMIT: &str = env!("KNARR_COMMIT");

/// What follows the program's name in `knarr --version`.
pub fn text() -> String {
    format!("{KNARR}\nKubernetes {KUBERNETES}\ncommit {COMMIT}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_commit_is_the_one_that_is_checked_out() {
        let git = std::process::Command::new("git").args(["rev-parse", "HEAD"]).output();
        let head = git
            .ok()
            .filter(|git| git.status.success())
            .map(|git| String::from_utf8_lossy(&git.stdout).into_owned());
        match (std::env::var("KNARR_COMMIT"), head) {
            (Ok(given), _) => assert_eq!(COMMIT, given),
            (Err(_), Some(head)) => assert_eq!(COMMIT, head.trim()),
            (Err(_), None) => assert_eq!(COMMIT, "unknown"),
        }
    }
}
