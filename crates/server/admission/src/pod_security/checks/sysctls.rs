//! Kernel parameters that are not known to be safe.

use super::{Fault, Subject, fault};

const SAFE: [&str; 14] = [
    "kernel.shm_rmid_forced",
    "net.ipv4.ip_local_port_range",
    "net.ipv4.tcp_syncookies",
    "net.ipv4.ping_group_range",
    "net.ipv4.ip_unprivileged_port_start",
    "net.ipv4.ip_local_reserved_ports",
    "net.ipv4.tcp_keepalive_time",
    "net.ipv4.tcp_fin_timeout",
    "net.ipv4.tcp_keepalive_intvl",
    "net.ipv4.tcp_keepalive_probes",
    "net.ipv4.tcp_rmem",
    "net.ipv4.tcp_wmem",
    "net.ipv4.tcp_slow_start_after_idle",
    "net.ipv4.tcp_notsent_lowat",
];

fn judge(subject: Subject<'_>, safe: &[&str]) -> Option<Fault> {
    let all = subject.security().into_iter().flat_map(|own| &own.sysctls);
    let bad: Vec<&str> = all.map(|one| one.name.as_str()).filter(|name| !safe.contains(name)).collect();
    fault("forbidden sysctls", (!bad.is_empty()).then(|| bad.join(", ")))
}

pub(super) fn since_0(subject: Subject<'_>) -> Option<Fault> {
    judge(subject, &SAFE[..5])
}

pub(super) fn since_27(subject: Subject<'_>) -> Option<Fault> {
    judge(subject, &SAFE[..6])
}

pub(super) fn since_29(subject: Subject<'_>) -> Option<Fault> {
    judge(subject, &SAFE[..10])
}

pub(super) fn since_32(subject: Subject<'_>) -> Option<Fault> {
    judge(subject, &SAFE[..12])
}

pub(super) fn since_37(subject: Subject<'_>) -> Option<Fault> {
    judge(subject, &SAFE)
}
