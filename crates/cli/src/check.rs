//! `knarr check`: whether this machine can run a cluster; a line for each thing, with what to do where it is not as it should be.
//!
//! Used by the binary, and by the server before it starts (failures stop it). [`judge`] is pure, over [`facts::Facts`]; finding the
//! facts out changes nothing on the machine and needs no root.

use std::fmt;

use crate::config::ServerConfig;

pub mod facts;

use facts::{Cgroups, Facts, Held, Port};

/// How a thing stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// As it should be.
    Ok,
    /// A cluster runs, with something missing.
    Warning,
    /// No cluster can run.
    Failed,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Verdict::Ok => "ok",
            Verdict::Warning => "warning",
            Verdict::Failed => "failed",
        })
    }
}

/// One line of the check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// How it stands.
    pub verdict: Verdict,
    /// What was looked at.
    pub what: &'static str,
    /// What was found.
    pub found: String,
    /// What to do about it; empty when there is nothing to do.
    pub advice: String,
}

/// All findings, in the order that they are shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report(pub Vec<Finding>);

impl Report {
    /// The worst of all verdicts.
    pub fn verdict(&self) -> Verdict {
        self.0.iter().map(|finding| finding.verdict).max().unwrap_or(Verdict::Ok)
    }

    /// The exit code: 1 when no cluster can run.
    pub fn code(&self) -> u8 {
        u8::from(self.verdict() == Verdict::Failed)
    }
}

/// A machine that cannot run a cluster, with all that stands in the way.
#[derive(Debug, thiserror::Error)]
#[error("this machine cannot run the cluster:{}", .0.iter().map(|finding| format!("\n  {} {}: {}", finding.what, finding.found, finding.advice)).collect::<String>())]
pub struct Unfit(pub Vec<Finding>);

/// Looks at this machine before a server starts.
///
/// # Errors
/// When it cannot run a cluster.
pub fn require(config: &ServerConfig) -> Result<(), Unfit> {
    let report = judge(&Facts::gather(config, None), config);
    let failed: Vec<_> = report.0.into_iter().filter(|finding| finding.verdict == Verdict::Failed).collect();
    if failed.is_empty() { Ok(()) } else { Err(Unfit(failed)) }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Finding { verdict, what, found, advice } in &self.0 {
            writeln!(f, "{verdict:<8} {what:<18} {found}")?;
            if !advice.is_empty() {
                writeln!(f, "{:<27} → {advice}", "")?;
            }
        }
        let summary = match self.verdict() {
            Verdict::Ok => "This machine can run a cluster.",
            Verdict::Warning => "This machine can run a cluster, with the limits above.",
            Verdict::Failed => "This machine cannot run a cluster yet.",
        };
        writeln!(f, "{summary}")
    }
}

/// The oldest kernel whose calls are all that a node needs: descriptors of processes, `clone3` into cgroups, `fsopen`.
const KERNEL: (u32, u32) = (5, 10);

/// What a node cannot run a pod without, and what it does without where it is missing.
const CONTROLLERS: [(&str, bool); 4] = [("cpu", true), ("memory", true), ("pids", true), ("cpuset", false)];

/// Free space below which images soon no longer fit, in bytes.
const SPACE: u64 = 2 << 30;

/// Judges what was found.
pub fn judge(facts: &Facts, config: &ServerConfig) -> Report {
    let mut findings = Vec::new();
    if !config.disable_agent {
        findings.extend([privilege(facts), kernel(facts), cgroups(facts)]);
        findings.extend(features(facts));
        findings.extend([nft(facts), forwarding(facts), oom_score(facts), exit_codes(facts)]);
    }
    findings.extend(facts.ports.iter().map(port));
    findings.push(space(facts));
    findings.push(kubectl(facts));
    Report(findings)
}

fn finding(
    verdict: Verdict,
    what: &'static str,
    found: impl Into<String>,
    advice: impl Into<String>,
) -> Finding {
    Finding { verdict, what, found: found.into(), advice: advice.into() }
}

fn good(what: &'static str, found: impl Into<String>) -> Finding {
    finding(Verdict::Ok, what, found, "")
}

fn privilege(facts: &Facts) -> Finding {
    const WHAT: &str = "privileges";
    if !facts.root {
        let advice = "a node needs root: sudo knarr up (a control plane alone does not: --disable-agent)";
        return finding(Verdict::Failed, WHAT, "not root", advice);
    }
    if !facts.admin {
        let advice = "run outside the container, or give it --privileged";
        return finding(Verdict::Failed, WHAT, "root without CAP_SYS_ADMIN or CAP_NET_ADMIN", advice);
    }
    good(WHAT, "root")
}

fn kernel(facts: &Facts) -> Finding {
    const WHAT: &str = "kernel";
    let (major, minor) = KERNEL;
    match facts.kernel {
        Some(version) if version >= KERNEL => good(WHAT, &facts.release),
        Some(_) => finding(
            Verdict::Failed,
            WHAT,
            &facts.release,
            format!("Linux {major}.{minor} or later is needed"),
        ),
        None => finding(
            Verdict::Warning,
            WHAT,
            "its version is not known",
            format!("Linux {major}.{minor} or later is needed"),
        ),
    }
}

fn cgroups(facts: &Facts) -> Finding {
    const WHAT: &str = "cgroups";
    let (version, controllers) = match &facts.cgroups {
        Cgroups::None => {
            return finding(
                Verdict::Failed,
                WHAT,
                "no cgroup file system",
                "mount -t cgroup2 none /sys/fs/cgroup",
            );
        }
        Cgroups::V1(controllers) => ("version 1", controllers),
        Cgroups::V2(controllers) => ("version 2", controllers),
    };
    let missing = |required: bool| -> Vec<&str> {
        let is_missing = |name: &str| !controllers.iter().any(|known| known == name);
        CONTROLLERS
            .iter()
            .filter(|(name, needed)| *needed == required && is_missing(name))
            .map(|(name, _)| *name)
            .collect()
    };
    match (missing(true), missing(false)) {
        (needed, _) if !needed.is_empty() => {
            let advice =
                "enable them on the kernel's command line, such as cgroup_enable=memory, and boot again";
            finding(Verdict::Failed, WHAT, format!("{version} without {}", needed.join(", ")), advice)
        }
        (_, wanted) if !wanted.is_empty() => finding(
            Verdict::Warning,
            WHAT,
            format!("{version} without {}", wanted.join(", ")),
            "pods cannot be bound to processors",
        ),
        _ => good(WHAT, version),
    }
}

fn features(facts: &Facts) -> Vec<Finding> {
    let feature = |what, present: bool, module: &str, verdict, lost: &str| {
        if present {
            return good(what, "there");
        }
        let lost = if lost.is_empty() { String::new() } else { format!("; {lost}") };
        finding(
            verdict,
            what,
            "not in the kernel",
            format!("modprobe {module}, or a kernel that has it{lost}"),
        )
    };
    vec![
        feature("overlayfs", facts.overlay, "overlay", Verdict::Failed, ""),
        feature("network namespaces", facts.network_namespaces, "-n net_ns", Verdict::Failed, ""),
        feature("veth", facts.veth, "veth", Verdict::Failed, ""),
        feature("nf_tables", facts.nf_tables, "nf_tables", Verdict::Failed, ""),
        feature(
            "seccomp",
            facts.seccomp,
            "-n seccomp",
            Verdict::Warning,
            "pods that ask for a seccomp profile are refused",
        ),
    ]
}

fn nft(facts: &Facts) -> Finding {
    match &facts.nft {
        Some(path) => good("nft", path.display().to_string()),
        None => finding(Verdict::Failed, "nft", "not in PATH", "apt-get install nftables"),
    }
}

fn forwarding(facts: &Facts) -> Finding {
    if facts.forwarding {
        return good("IP forwarding", "on");
    }
    if facts.root {
        return good("IP forwarding", "off; the node switches it on");
    }
    finding(Verdict::Warning, "IP forwarding", "off", "the node switches it on when it runs as root")
}

fn oom_score(facts: &Facts) -> Finding {
    const WHAT: &str = "CAP_SYS_RESOURCE";
    if facts.lower_oom_score || !facts.root {
        return good(WHAT, if facts.root { "there" } else { "root has it" });
    }
    let advice = "out of memory, the kernel may end critical pods as soon as others; run outside the container to have it";
    finding(Verdict::Warning, WHAT, "missing: oom_score_adj cannot be lowered", advice)
}

fn exit_codes(facts: &Facts) -> Finding {
    const WHAT: &str = "exit codes";
    if facts.exit_info {
        return good(WHAT, "survive their shim");
    }
    // Debian 12 has 6.1: nothing is wrong with it.
    good(WHAT, "lost with a shim that is killed (Linux 6.15 keeps them)")
}

fn port(port: &Port) -> Finding {
    match port.held {
        Held::Free => return good("port", format!("{} is free", port.number)),
        Held::Own(role, pid) => {
            let own = format!("{} is held by this cluster's own {}, process {pid}", port.number, role.name());
            return good("port", own);
        }
        Held::Taken => {}
    }
    let found = format!("{} is taken", port.number);
    let advice = match port.flag {
        Some(flag) => {
            format!("see who has it (ss -ltnp 'sport = :{}'), or choose another by {flag}", port.number)
        }
        None => format!("see who has it: ss -ltnp 'sport = :{}'", port.number),
    };
    finding(Verdict::Failed, "port", found, advice)
}

fn space(facts: &Facts) -> Finding {
    let found = format!("{} MiB free in {}", facts.free_bytes >> 20, facts.space_path.display());
    if facts.free_bytes >= SPACE {
        return good("disk", found);
    }
    finding(Verdict::Warning, "disk", found, "images may not fit: make room, or choose another --data-dir")
}

fn kubectl(facts: &Facts) -> Finding {
    match &facts.kubectl {
        Some(path) => good("kubectl", path.display().to_string()),
        None => finding(
            Verdict::Warning,
            "kubectl",
            "not in PATH",
            "apt-get install kubernetes-client, or https://kubernetes.io/docs/tasks",
        ),
    }
}

#[cfg(test)]
mod tests;
