//! The binary alone: it runs in a root directory that holds nothing else, no library and no loader.

use std::process::{Command, Output};

use tempfile::TempDir;

fn alone(root: &TempDir, arguments: &[&str]) -> Output {
    let mut command = Command::new("/usr/sbin/chroot");
    command.arg(root.path()).arg("/knarr").args(arguments).env_clear();
    command.output().expect("chroot is part of every Debian")
}

#[test]
fn the_binary_runs_in_an_empty_root() {
    let root = tempfile::tempdir().expect("a temporary directory");
    std::fs::copy(env!("CARGO_BIN_EXE_knarr"), root.path().join("knarr")).expect("the binary was built");
    for (arguments, wanted) in [
        (&["--version"][..], "Kubernetes v1.37"),
        (&["--help"], "Usage: knarr <COMMAND>"),
        (&["server", "--help"], "--data-dir"),
        (&["completion", "bash"], "complete -F"),
    ] {
        let output = alone(&root, arguments);
        let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success() && out.contains(wanted), "{arguments:?}: {out}{err}");
        assert!(err.is_empty(), "{arguments:?}: {err}");
    }
    // What it cannot do there, it says.
    let output = alone(&root, &["nonsense"]);
    assert!(!output.status.success() && !output.stderr.is_empty());
    let left: Vec<_> = std::fs::read_dir(root.path()).expect("it is there").collect();
    assert_eq!(left.len(), 1, "it wrote nothing: {left:?}");
}
