//! The same on version 2 alone: these tests again, in a mount namespace where the unified tree lies at /sys/fs/cgroup, as it does on a
//! machine without version 1. On a hybrid machine that tree lacks most controllers, so what needs limits is left out there.

use std::path::Path;
use std::process::Command;

/// Set for the second run, which must not run itself again.
const INNER: &str = "KNARR_TEST_UNIFIED";

#[test]
fn everything_holds_on_the_unified_tree() {
    if std::env::var_os(INNER).is_some() {
        return;
    }
    let hybrid = Path::new("/sys/fs/cgroup/unified/cgroup.controllers");
    if !hybrid.exists() {
        assert!(Path::new("/sys/fs/cgroup/cgroup.controllers").exists(), "a unified tree is mounted");
        // Everything has just run on it.
        return;
    }
    let script = "mount --bind /sys/fs/cgroup/unified /sys/fs/cgroup && exec \"$0\" --skip oom_killed --test-threads 2";
    let output = Command::new("unshare")
        .args(["--mount", "--propagation", "private", "sh", "-c", script])
        .arg(std::env::current_exe().unwrap())
        .env(INNER, "1")
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}
