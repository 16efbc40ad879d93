//! Which tree is worked on: the one that is asked about now, not the one that this program was compiled in. A build directory may have
//! been copied together with its checkout, and cargo does not build anew what has not changed.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The workspace's root folder: cargo names this package's folder to what it runs; without cargo it is the one around the current folder.
pub fn root() -> PathBuf {
    let here = std::env::current_dir().unwrap_or_default();
    root_of(std::env::var_os("CARGO_MANIFEST_DIR"), &here)
}

fn root_of(package: Option<OsString>, here: &Path) -> PathBuf {
    if let Some(package) = package {
        return Path::new(&package).join("..");
    }
    let around = here.ancestors().find(|folder| folder.join("xtask/Cargo.toml").is_file());
    around.unwrap_or(here).to_owned()
}

/// The cargo that runs this, in the workspace.
pub fn cargo() -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root());
    forget_package(&mut command);
    command
}

/// Takes out of a program's environment what cargo told this one of its own package: build scripts that look at it would be run again, and
/// what is made of them built again, by turns with every build that this program has nothing to do with.
pub fn forget_package(command: &mut Command) {
    for (name, _) in std::env::vars_os() {
        if name.to_str().is_some_and(is_of_package) {
            command.env_remove(name);
        }
    }
}

fn is_of_package(name: &str) -> bool {
    matches!(name, "CARGO_MANIFEST_DIR" | "CARGO_MANIFEST_PATH" | "CARGO_PRIMARY_PACKAGE")
        || name.starts_with("CARGO_PKG_")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_started_knows_nothing_of_this_package() {
        let mut command = Command::new("cargo");
        forget_package(&mut command);
        let forgotten: Vec<_> = command.get_envs().filter_map(|(name, _)| name.to_str()).collect();
        // Cargo runs the tests, too.
        assert!(forgotten.contains(&"CARGO_MANIFEST_DIR") && forgotten.contains(&"CARGO_PKG_NAME"));
        assert!(
            !is_of_package("CARGO") && !is_of_package("CARGO_TARGET_DIR") && !is_of_package("CARGO_HOME")
        );
    }

    #[test]
    fn the_tree_is_the_one_that_is_asked_about() {
        let copy = tempfile::tempdir().expect("a temporary directory");
        let inner = copy.path().join("crates/cli");
        for folder in [&inner, &copy.path().join("xtask")] {
            std::fs::create_dir_all(folder).expect("a folder");
        }
        std::fs::write(copy.path().join("xtask/Cargo.toml"), "").expect("a file");
        assert_eq!(root_of(None, &inner), copy.path());
        let told = root_of(Some(copy.path().join("xtask").into()), Path::new("/"));
        assert_eq!(
            told.canonicalize().expect("it is there"),
            copy.path().canonicalize().expect("it is there")
        );
        assert!(root().join("xtask/src/tree.rs").is_file());
    }
}
