//! Facts about control groups: paths and conversions as tables, the real kernel where it has a tree.
#![allow(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    reason = "host is where the kernel's files are touched"
)]

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use super::device_program::program;
use super::sim::SimCgroups;
use super::*;

fn path(text: &str) -> CgroupPath {
    CgroupPath::parse(text).expect("a good path")
}

#[test]
fn paths_are_normal_and_never_climb() {
    for (text, want) in [
        ("/kubepods/pod1", Some("/kubepods/pod1")),
        ("kubepods//pod1/", Some("/kubepods/pod1")),
        ("", None),
        ("/", None),
        ("/a/../b", None),
        ("/a/.", None),
    ] {
        assert_eq!(CgroupPath::parse(text).ok().as_ref().map(CgroupPath::as_str), want, "{text:?}");
    }
    assert!(path("/a").join("b/c").is_err());
    assert!(path("/a").join("..").is_err());
}

#[test]
fn weights_follow_the_new_formula() {
    for (shares, weight) in
        [(0, 0), (1, 1), (2, 1), (1024, 100), (262_144, 10_000), (1_000_000, 10_000), (102, 17)]
    {
        assert_eq!(v2::weight(shares), weight, "{shares}");
    }
}

#[test]
fn device_lines_are_version_1s() {
    assert_eq!(DeviceRule::character(1, Some(3)).line(), "c 1:3 rwm");
    assert_eq!(DeviceRule::character(136, None).line(), "c 136:* rwm");
    assert_eq!(DeviceRule::EVERYTHING.line(), "a");
    assert_eq!(DeviceRule::DEFAULT[1].line(), "b *:* m");
    assert_eq!(Access::parse("rx"), None);
}

#[test]
fn the_simulation_refuses_to_remove_what_is_busy() {
    let groups = SimCgroups::new(Version::V2);
    let (pod, container) = (path("/kubepods/pod1"), path("/kubepods/pod1/c"));
    groups.create(&container).expect("create");
    groups.attach(&container, 7).expect("attach");
    assert!(matches!(groups.remove(&pod), Err(CgroupError::Busy { .. })));
    groups.kill(&pod).expect("kill");
    groups.remove(&pod).expect("remove");
    assert!(groups.exists(&path("/kubepods")) && !groups.exists(&container));
}

/// Removes the group also when the test fails.
struct Cleanup<'a>(&'a dyn Cgroups, CgroupPath);
impl Drop for Cleanup<'_> {
    fn drop(&mut self) {
        let _ = self.0.kill(&self.1);
        let _ = self.0.wait_empty(&self.1, Duration::from_secs(5));
        let _ = self.0.remove(&self.1);
    }
}

fn lifecycle(groups: &dyn Cgroups, name: &str) {
    let parent = path(&format!("/knarr-host-test-{name}-{}", std::process::id()));
    let child = parent.join("child").expect("a name");
    groups.create(&child).expect("create");
    groups.create(&child).expect("creating twice changes nothing");
    let _cleanup = Cleanup(groups, parent.clone());
    let mut process = Command::new("/bin/sleep").arg("1000").spawn().expect("sleep starts");
    let pid = process.id().cast_signed();
    groups.attach(&child, pid).expect("attach");
    assert_eq!(groups.processes(&parent).expect("list"), [pid]);
    assert!(matches!(groups.remove(&parent), Err(CgroupError::Busy { .. })));
    groups.kill(&parent).expect("kill");
    assert!(groups.wait_empty(&parent, Duration::from_secs(5)).expect("wait").is_empty());
    process.wait().expect("reap");
    groups.remove(&parent).expect("remove");
    groups.remove(&parent).expect("removing twice changes nothing");
    assert!(!groups.exists(&parent));
}

#[test]
fn the_machines_groups_hold_limit_and_kill() {
    let groups = detect().expect("control groups are mounted");
    lifecycle(groups.as_ref(), "detected");
    let group = path(&format!("/knarr-host-test-limits-{}", std::process::id()));
    groups.create(&group).expect("create");
    let _cleanup = Cleanup(groups.as_ref(), group.clone());
    let limits = Limits {
        cpu_shares: Some(512),
        cpu_quota_micros: Some(50_000),
        cpu_period_micros: Some(100_000),
        memory_bytes: Some(64 << 20),
        pids: Some(32),
        ..Limits::default()
    };
    groups.limit(&group, &limits).expect("limit");
    assert_eq!(groups.oom_kills(&group).expect("kills"), 0);
    assert_eq!(groups.usage(&group).expect("usage").pids, 0);
    groups.allow_devices(&group, DeviceRule::DEFAULT).expect("devices");
}

#[test]
fn the_unified_tree_kills_and_takes_device_programs() {
    let unified = ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"]
        .into_iter()
        .find(|root| Path::new(root).join("cgroup.controllers").exists());
    let groups = v2::Unified::new(unified.expect("a unified tree is mounted").into());
    lifecycle(&groups, "unified");
    let group = path(&format!("/knarr-host-test-devices-{}", std::process::id()));
    groups.create(&group).expect("create");
    let _cleanup = Cleanup(&groups, group.clone());
    groups.allow_devices(&group, DeviceRule::DEFAULT).expect("the program loads and attaches");
    let script = format!(
        "echo $$ > {}/cgroup.procs && echo allowed > /dev/null && ! head -c1 /dev/kmsg 2>/dev/null",
        group.below(Path::new(unified.expect("checked above"))).display()
    );
    assert!(Path::new("/dev/kmsg").exists(), "the denied device exists");
    let status = Command::new("/bin/sh").args(["-c", &script]).status().expect("a shell");
    assert!(status.success(), "null is allowed, kmsg (1:11) is not");
}

#[test]
fn a_program_denies_by_default_and_jumps_inside_itself() {
    assert_eq!(program(&[]).len(), 8);
    assert_eq!(program(&[DeviceRule::EVERYTHING]).len(), 10);
    assert_eq!(program(&[DeviceRule::character(1, Some(3))]).len(), 6 + 3 + 2 + 2);
}
