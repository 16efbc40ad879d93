//! The lines of the check: all of a good machine, and each thing that can be wrong with what to do about it.

use std::path::PathBuf;

use super::*;
use crate::arguments::ServerFlags;
use crate::config::{self, Defaults};

fn config() -> ServerConfig {
    let defaults = Defaults { current_dir: "/".into(), host_name: "box".to_owned() };
    config::server(&ServerFlags::default(), None, &defaults).unwrap()
}

fn facts() -> Facts {
    let controllers = ["cpu", "cpuset", "memory", "pids"].map(str::to_owned).into();
    Facts {
        root: true,
        admin: true,
        release: "6.1.0-40-amd64".to_owned(),
        kernel: Some((6, 1)),
        cgroups: Cgroups::V2(controllers),
        overlay: true,
        network_namespaces: true,
        veth: true,
        nf_tables: true,
        seccomp: true,
        nft: Some("/usr/sbin/nft".into()),
        kubectl: Some("/usr/bin/kubectl".into()),
        forwarding: false,
        lower_oom_score: true,
        exit_info: false,
        ports: vec![Port { number: 6443, held: Held::Free, flag: Some("--https-listen-port") }],
        free_bytes: 9 << 30,
        space_path: PathBuf::from("/var/lib"),
    }
}

#[test]
fn a_good_machine_has_only_good_lines() {
    let report = judge(&facts(), &config());
    let expected = "\
ok       privileges         root
ok       kernel             6.1.0-40-amd64
ok       cgroups            version 2
ok       overlayfs          there
ok       network namespaces there
ok       veth               there
ok       nf_tables          there
ok       seccomp            there
ok       nft                /usr/sbin/nft
ok       IP forwarding      off; the node switches it on
ok       CAP_SYS_RESOURCE   there
ok       exit codes         lost with a shim that is killed (Linux 6.15 keeps them)
ok       port               6443 is free
ok       disk               9216 MiB free in /var/lib
ok       kubectl            /usr/bin/kubectl
This machine can run a cluster.
";
    assert_eq!(report.to_string(), expected);
    assert_eq!(report.code(), 0);
}

#[test]
fn whatever_is_wrong_says_what_to_do() {
    let only = |names: &[&str]| Cgroups::V1(names.iter().map(|name| (*name).to_owned()).collect());
    type Change = Box<dyn Fn(&mut Facts)>;
    let cases: Vec<(Change, &str, &str)> = vec![
        (Box::new(|facts| facts.root = false), "failed   privileges         not root", "sudo knarr up"),
        (Box::new(|facts| facts.admin = false), "failed   privileges", "--privileged"),
        (Box::new(|facts| facts.kernel = Some((4, 19))), "failed   kernel", "Linux 5.10 or later"),
        (
            Box::new(move |facts| facts.cgroups = only(&["cpu", "pids", "cpuset"])),
            "failed   cgroups            version 1 without memory",
            "cgroup_enable=memory",
        ),
        (
            Box::new(move |facts| facts.cgroups = only(&["cpu", "pids", "memory"])),
            "warning  cgroups            version 1 without cpuset",
            "processors",
        ),
        (Box::new(|facts| facts.cgroups = Cgroups::None), "failed   cgroups", "mount -t cgroup2"),
        (Box::new(|facts| facts.overlay = false), "failed   overlayfs", "modprobe overlay"),
        (Box::new(|facts| facts.seccomp = false), "warning  seccomp", "are refused"),
        (Box::new(|facts| facts.nft = None), "failed   nft", "apt-get install nftables"),
        (Box::new(|facts| facts.lower_oom_score = false), "warning  CAP_SYS_RESOURCE", "out of memory"),
        (
            Box::new(|facts| facts.ports[0].held = Held::Taken),
            "failed   port               6443 is taken",
            "--https-listen-port",
        ),
        (Box::new(|facts| facts.free_bytes = 1 << 20), "warning  disk               1 MiB free", "make room"),
        (Box::new(|facts| facts.kubectl = None), "warning  kubectl", "apt-get install"),
    ];
    for (change, line, advice) in cases {
        let mut facts = facts();
        change(&mut facts);
        let report = judge(&facts, &config());
        let text = report.to_string();
        let mut lines = text.lines().skip_while(|text| !text.starts_with(line));
        assert!(lines.next().is_some(), "{line}: {text}");
        assert!(
            lines.next().is_some_and(|next| next.trim_start().starts_with("→ ") && next.contains(advice)),
            "{advice}: {text}"
        );
        assert_eq!(report.code() == 1, line.starts_with("failed"), "{text}");
    }
}

#[test]
fn a_port_of_ones_own_is_no_fault() {
    let mut facts = facts();
    facts.ports[0].held = Held::Own(crate::instance::Role::Server, 12);
    let report = judge(&facts, &config());
    let line = "ok       port               6443 is held by this cluster's own server, process 12\n";
    assert!(report.to_string().contains(line), "{report}");
    assert_eq!(report.code(), 0);
}

#[test]
fn a_control_plane_alone_needs_no_node() {
    let mut config = config();
    config.disable_agent = true;
    let mut poor = facts();
    (poor.root, poor.nft, poor.cgroups) = (false, None, Cgroups::None);
    assert_eq!(judge(&poor, &config).verdict(), Verdict::Ok);
}

#[test]
fn this_machine_can_be_looked_at() {
    let facts = Facts::gather(&config(), None);
    assert!(facts.kernel.is_some() && facts.free_bytes > 0);
    assert!(!judge(&facts, &config()).0.is_empty());
}
