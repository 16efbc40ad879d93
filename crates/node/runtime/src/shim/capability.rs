//! Capabilities as bits: names, and giving up those that a process is not to have.
#![allow(unsafe_code)]

use nix::errno::Errno;
use nix::libc;

/// Every capability by its number.
const NAMES: [&str; 41] = [
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",
    "CAP_DAC_READ_SEARCH",
    "CAP_FOWNER",
    "CAP_FSETID",
    "CAP_KILL",
    "CAP_SETGID",
    "CAP_SETUID",
    "CAP_SETPCAP",
    "CAP_LINUX_IMMUTABLE",
    "CAP_NET_BIND_SERVICE",
    "CAP_NET_BROADCAST",
    "CAP_NET_ADMIN",
    "CAP_NET_RAW",
    "CAP_IPC_LOCK",
    "CAP_IPC_OWNER",
    "CAP_SYS_MODULE",
    "CAP_SYS_RAWIO",
    "CAP_SYS_CHROOT",
    "CAP_SYS_PTRACE",
    "CAP_SYS_PACCT",
    "CAP_SYS_ADMIN",
    "CAP_SYS_BOOT",
    "CAP_SYS_NICE",
    "CAP_SYS_RESOURCE",
    "CAP_SYS_TIME",
    "CAP_SYS_TTY_CONFIG",
    "CAP_MKNOD",
    "CAP_LEASE",
    "CAP_AUDIT_WRITE",
    "CAP_AUDIT_CONTROL",
    "CAP_SETFCAP",
    "CAP_MAC_OVERRIDE",
    "CAP_MAC_ADMIN",
    "CAP_SYSLOG",
    "CAP_WAKE_ALARM",
    "CAP_BLOCK_SUSPEND",
    "CAP_AUDIT_READ",
    "CAP_PERFMON",
    "CAP_BPF",
    "CAP_CHECKPOINT_RESTORE",
];

/// The bits of these capabilities, limited to what this process itself could pass on: a privileged container gets what its node has.
///
/// # Errors
/// The name that is none, or that this node does not have although it was asked for by name.
pub(super) fn bits(names: &[String], privileged: bool) -> Result<u64, String> {
    let own = permitted();
    if privileged {
        return Ok(own);
    }
    let mut bits = 0;
    for name in names {
        let number = NAMES
            .iter()
            .position(|known| known == name)
            .ok_or_else(|| format!("unknown capability {name}"))?;
        if own & (1 << number) == 0 {
            return Err(format!("this node cannot give a container {name}, which it does not have itself"));
        }
        bits |= 1 << number;
    }
    Ok(bits)
}

#[repr(C)]
struct Header {
    version: u32,
    pid: i32,
}

#[repr(C)]
#[derive(Clone, Copy, Default)]
struct Data {
    effective: u32,
    permitted: u32,
    inheritable: u32,
}

/// `_LINUX_CAPABILITY_VERSION_3`: two words of 32 bits.
const VERSION: u32 = 0x2008_0522;

/// What this process may have.
pub(super) fn permitted() -> u64 {
    let header = Header { version: VERSION, pid: 0 };
    let mut data = [Data::default(); 2];
    // SAFETY: this version's call writes two `Data`, and both outlive it.
    let result = unsafe { libc::syscall(libc::SYS_capget, &raw const header, data.as_mut_ptr()) };
    if result == 0 { u64::from(data[0].permitted) | (u64::from(data[1].permitted) << 32) } else { 0 }
}

/// Gives up every other capability for this process and all it executes.
pub(super) fn drop_bounding(keep: u64) -> Result<(), Errno> {
    for number in 0..64u64 {
        if keep & (1 << number) != 0 {
            continue;
        }
        // SAFETY: both requests take numbers and touch no memory.
        let known = unsafe { libc::prctl(libc::PR_CAPBSET_READ, number, 0, 0, 0) };
        if known < 0 {
            break;
        }
        if known == 1 {
            // SAFETY: as above.
            Errno::result(unsafe { libc::prctl(libc::PR_CAPBSET_DROP, number, 0, 0, 0) })?;
        }
    }
    Ok(())
}

/// Has exactly these as effective and permitted ones, and none to inherit (as runc since CVE-2022-29162). Nothing is ambient.
pub(super) fn set(bits: u64) -> Result<(), Errno> {
    // SAFETY: the request takes numbers and touches no memory.
    Errno::result(unsafe { libc::prctl(libc::PR_CAP_AMBIENT, libc::PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) })?;
    let header = Header { version: VERSION, pid: 0 };
    let [low, high] = [bits & 0xffff_ffff, bits >> 32].map(|word| u32::try_from(word).unwrap_or(0));
    let data = [low, high].map(|word| Data { effective: word, permitted: word, inheritable: 0 });
    // SAFETY: this version's call reads two `Data`, and both outlive it.
    Errno::result(unsafe { libc::syscall(libc::SYS_capset, &raw const header, data.as_ptr()) }).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_bits() {
        assert_eq!(bits(&["CAP_CHOWN".to_owned(), "CAP_KILL".to_owned()], false), Ok(0b10_0001));
        assert!(bits(&["CAP_NONE".to_owned()], false).is_err());
        assert_eq!(bits(&[], true), Ok(permitted()));
    }
}
