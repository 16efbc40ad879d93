//! What this machine is like, as far as a node cares. Used by [`super`]; nothing here judges, changes anything or needs root.
#![allow(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    reason = "the shell that looks at the machine"
)]

use std::fs;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use host::process::NodeCapabilities;
use rustix::io::Errno;
use rustix::net;

use crate::config::ServerConfig;
use crate::instance::{Record, Role};

/// Which cgroups there are, with their controllers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cgroups {
    /// Version 1.
    V1(Vec<String>),
    /// Version 2 alone.
    V2(Vec<String>),
    /// None.
    None,
}

/// A port that a server or node listens on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Port {
    /// Its number.
    pub number: u16,
    /// Who has it.
    pub held: Held,
    /// The flag that chooses another.
    pub flag: Option<&'static str>,
}

/// Who has a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Held {
    /// Nobody.
    Free,
    /// This very cluster's server or agent.
    Own(Role, i32),
    /// Somebody else.
    Taken,
}

/// What this machine is like.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// Whether this process is root.
    pub root: bool,
    /// Whether it may administer the system and its network.
    pub admin: bool,
    /// The kernel's release.
    pub release: String,
    /// Its version.
    pub kernel: Option<(u32, u32)>,
    /// Its cgroups.
    pub cgroups: Cgroups,
    /// Whether it has overlayfs, or a module of it.
    pub overlay: bool,
    /// Whether it has network namespaces.
    pub network_namespaces: bool,
    /// Whether it has pairs of virtual interfaces, or a module of them.
    pub veth: bool,
    /// Whether it has nftables, or a module of them.
    pub nf_tables: bool,
    /// Whether it filters system calls.
    pub seccomp: bool,
    /// Where the nft program is.
    pub nft: Option<PathBuf>,
    /// Where kubectl is.
    pub kubectl: Option<PathBuf>,
    /// Whether it forwards.
    pub forwarding: bool,
    /// Whether `oom_score_adj` may be lowered.
    pub lower_oom_score: bool,
    /// Whether exit codes can be told after the shim.
    pub exit_info: bool,
    /// The ports that are listened on.
    pub ports: Vec<Port>,
    /// Free space where the data directory is or will be, in bytes.
    pub free_bytes: u64,
    /// Where that was measured.
    pub space_path: PathBuf,
}

impl Facts {
    /// Looks at this machine. `own` is what runs from the very place that is asked about.
    pub fn gather(config: &ServerConfig, own: Option<&Record>) -> Facts {
        let release = text("/proc/sys/kernel/osrelease");
        let capabilities = NodeCapabilities::detect();
        let mut ports = vec![Port {
            number: config.https_listen_port,
            held: held(config.bind_address, config.https_listen_port, own),
            flag: Some("--https-listen-port"),
        }];
        if !config.disable_agent {
            let any = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
            let number = config.node.port;
            ports.push(Port { number, held: held(any, number, own), flag: Some("--kubelet-port") });
        }
        let space_path = existing(&config.place.data_dir);
        Facts {
            root: rustix::process::geteuid().is_root(),
            admin: is_admin(&text("/proc/self/status")),
            kernel: version(&release),
            cgroups: cgroups(
                &text("/proc/self/mountinfo"),
                &text("/sys/fs/cgroup/cgroup.controllers"),
                &text("/proc/cgroups"),
            ),
            overlay: text("/proc/filesystems").lines().any(|line| line.ends_with("\toverlay"))
                || module(&release, "overlay"),
            network_namespaces: Path::new("/proc/self/ns/net").exists(),
            veth: module(&release, "veth"),
            nf_tables: module(&release, "nf_tables"),
            seccomp: Path::new("/proc/sys/kernel/seccomp").exists(),
            nft: program("nft"),
            kubectl: program("kubectl"),
            forwarding: text("/proc/sys/net/ipv4/ip_forward") == "1",
            lower_oom_score: capabilities.lower_oom_score,
            exit_info: capabilities.exit_info,
            ports,
            free_bytes: rustix::fs::statvfs(&space_path)
                .map_or(0, |space| space.f_bavail.saturating_mul(space.f_frsize)),
            space_path,
            release,
        }
    }
}

fn text(path: &str) -> String {
    fs::read_to_string(path).unwrap_or_default().trim().to_owned()
}

fn version(release: &str) -> Option<(u32, u32)> {
    let mut numbers = release.split(|c: char| !c.is_ascii_digit()).map(str::parse);
    Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
}

/// CAP_SYS_ADMIN and CAP_NET_ADMIN among the effective capabilities.
fn is_admin(status: &str) -> bool {
    const NEEDED: u64 = 1 << 21 | 1 << 12;
    let line = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
    let effective = line.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0);
    effective & NEEDED == NEEDED
}

/// Version 2 counts only where it has the controllers: a hybrid's v2 tree has next to none.
fn cgroups(mountinfo: &str, v2: &str, v1: &str) -> Cgroups {
    let types: Vec<&str> = mountinfo
        .lines()
        .filter_map(|line| line.split_once(" - ").and_then(|(_, rest)| rest.split(' ').next()))
        .collect();
    if types.contains(&"cgroup") {
        let rows = v1
            .lines()
            .filter(|line| !line.starts_with('#'))
            .map(|line| line.split_whitespace().collect::<Vec<_>>());
        // Name, hierarchy, number of cgroups, enabled; hierarchy 0 is version 2's.
        let mounted = rows.filter(|row| row.get(1).is_some_and(|id| *id != "0") && row.get(3) == Some(&"1"));
        return Cgroups::V1(mounted.filter_map(|row| row.first().map(|name| (*name).to_owned())).collect());
    }
    if types.contains(&"cgroup2") {
        return Cgroups::V2(v2.split_whitespace().map(str::to_owned).collect());
    }
    Cgroups::None
}

/// Loaded, built in, or there to be loaded. A kernel without a list of its modules is taken at its word that it has what is needed: the
/// list, not the kernel, is missing in containers and minimal systems.
fn module(release: &str, name: &str) -> bool {
    let directory = Path::new("/lib/modules").join(release);
    if Path::new("/sys/module").join(name).exists() || !directory.join("modules.builtin").exists() {
        return true;
    }
    let listed = |file: &str| {
        let end = format!("/{name}.ko");
        let text = fs::read_to_string(directory.join(file)).unwrap_or_default();
        text.lines().any(|line| line.split(':').next().is_some_and(|path| path.contains(&end)))
    };
    listed("modules.builtin") || listed("modules.dep")
}

fn program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    // Debian keeps /usr/sbin out of a user's PATH, and root's has it.
    let directories = std::env::split_paths(&path).chain(["/usr/sbin".into(), "/sbin".into()]);
    directories.map(|directory| directory.join(name)).find(|path| {
        fs::metadata(path).is_ok_and(|file| file.is_file() && file.permissions().mode() & 0o111 != 0)
    })
}

fn held(address: IpAddr, port: u16, own: Option<&Record>) -> Held {
    match bound(SocketAddr::new(address, port)) {
        Err(Errno::ADDRINUSE) => {
            let own = own.filter(|own| own.holds(port));
            own.map_or(Held::Taken, |own| Held::Own(own.role, own.process.pid))
        }
        // A port below 1024 that a user may not have is root's to have; an address that is not here is another matter.
        Ok(_) | Err(_) => Held::Free,
    }
}

/// A socket that has an address and does not listen: two that look at the same time do not find each other.
fn bound(address: SocketAddr) -> rustix::io::Result<OwnedFd> {
    let family = if address.is_ipv4() { net::AddressFamily::INET } else { net::AddressFamily::INET6 };
    let socket = net::socket_with(family, net::SocketType::STREAM, net::SocketFlags::CLOEXEC, None)?;
    net::sockopt::set_socket_reuseaddr(&socket, true)?;
    net::bind(&socket, &address)?;
    Ok(socket)
}

fn existing(path: &Path) -> PathBuf {
    path.ancestors().find(|path| path.exists()).unwrap_or(Path::new("/")).to_owned()
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use host::process::Identity;

    use super::*;

    #[test]
    fn cgroups_are_told_by_what_is_mounted() {
        let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let v1 = "#subsys_name\thierarchy\tnum_cgroups\tenabled\ncpu\t2\t1\t1\nmemory\t3\t1\t0\npids\t4\t1\t1\nhugetlb\t0\t1\t1\n";
        let mount = |kind: &str| format!("30 20 0:26 / /sys/fs/cgroup rw shared:9 - {kind} none rw\n");
        for (mounts, expected) in [
            (mount("cgroup2"), Cgroups::V2(owned(&["cpu", "memory"]))),
            (mount("cgroup2") + &mount("cgroup"), Cgroups::V1(owned(&["cpu", "pids"]))),
            (mount("tmpfs"), Cgroups::None),
        ] {
            assert_eq!(cgroups(&mounts, "cpu memory", v1), expected, "{mounts}");
        }
    }

    #[test]
    fn capabilities_are_read_from_their_mask() {
        assert!(is_admin("Name:\tx\nCapEff:\t000001ffffffffff\n"));
        assert!(!is_admin("CapEff:\t00000000a80425fb\n"));
        assert!(!is_admin(""));
    }

    #[test]
    fn whoever_only_looks_takes_no_port() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        drop(listener);
        let _looking = bound(address).unwrap();
        assert_eq!(held(address.ip(), address.port(), None), Held::Free);
        let _listening = TcpListener::bind(address).unwrap();
        assert_eq!(held(address.ip(), address.port(), None), Held::Taken);
    }

    #[test]
    fn a_port_that_is_listened_on_is_taken() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        assert_eq!(held(address.ip(), address.port(), None), Held::Taken);
        let own = Record {
            role: Role::Agent,
            process: Identity { pid: 7, started_ticks: 1 },
            boot: String::new(),
            data_dir: "/d".into(),
            cluster_id: "abcd".to_owned(),
            kubeconfig: "/k".into(),
            supervised: false,
            network: String::new(),
            ranges: None,
            kept: crate::config::Settings::new(),
            made: None,
            settings: [("kubelet-port".to_owned(), address.port().to_string())].into(),
        };
        assert_eq!(held(address.ip(), address.port(), Some(&own)), Held::Own(Role::Agent, 7));
        let other = Record { settings: [("kubelet-port".to_owned(), "1".to_owned())].into(), ..own.clone() };
        assert_eq!(held(address.ip(), address.port(), Some(&other)), Held::Taken);
        drop(listener);
        assert_eq!(
            held(address.ip(), address.port(), Some(&own)),
            Held::Free,
            "it does not listen after all"
        );
    }
}
