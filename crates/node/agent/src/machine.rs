//! What the machine is and has: the facts in a node's status that do not change while the agent runs.
#![allow(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    reason = "the agent reads what the machine says of itself"
)]

use std::path::Path;

use host::cgroup::Usage;

use crate::limits;
use crate::pressure::{Left, Observed};
use crate::records::read_text;

/// A machine's facts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Machine {
    pub(crate) cpus: i64,
    pub(crate) memory_bytes: i64,
    pub(crate) storage_bytes: i64,
    pub(crate) machine_id: String,
    pub(crate) system_uuid: String,
    pub(crate) boot_id: String,
    pub(crate) kernel: String,
    pub(crate) os_image: String,
    /// Bytes of swap; 0 for none.
    pub(crate) swap_bytes: i64,
}

impl Machine {
    /// Asks the machine whose disk holds `data`.
    pub(crate) fn detect(data: &Path) -> Machine {
        let line = |path: &str| read_text(Path::new(path)).trim().to_owned();
        let release = read_text(Path::new("/etc/os-release"));
        let name = release.lines().find_map(|line| line.strip_prefix("PRETTY_NAME="));
        let disk = rustix::fs::statvfs(data).map(|disk| disk.f_blocks.saturating_mul(disk.f_frsize));
        let memory = read_text(Path::new("/proc/meminfo"));
        let machine_id = line("/etc/machine-id");
        let product = line("/sys/class/dmi/id/product_uuid");
        Machine {
            cpus: std::thread::available_parallelism()
                .map_or(1, |count| i64::try_from(count.get()).unwrap_or(i64::MAX)),
            memory_bytes: amount(&memory, "MemTotal"),
            swap_bytes: amount(&memory, "SwapTotal"),
            storage_bytes: i64::try_from(disk.unwrap_or(0)).unwrap_or(i64::MAX),
            system_uuid: if product.is_empty() { machine_id.clone() } else { product },
            machine_id,
            boot_id: line("/proc/sys/kernel/random/boot_id"),
            kernel: line("/proc/sys/kernel/osrelease"),
            os_image: name.map(|name| name.trim_matches('"').to_owned()).unwrap_or_default(),
        }
    }

    /// The memory that pods can have.
    pub(crate) fn allocatable_memory_bytes(&self) -> i64 {
        (self.memory_bytes - limits::MEMORY_RESERVED_BYTES).max(0)
    }
}

/// An amount of `/proc/meminfo` in bytes; 0 where it is not told.
fn amount(text: &str, name: &str) -> i64 {
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    let kibibytes =
        line.and_then(|rest| rest.split_whitespace().next()).and_then(|word| word.parse::<i64>().ok());
    kibibytes.unwrap_or(0).saturating_mul(1024)
}

/// How much is left of the disk that holds `path`; `None` when it cannot be told.
pub(crate) fn disk_left(path: &Path) -> Option<Left> {
    rustix::fs::statvfs(path).ok().as_ref().map(bytes)
}

/// What is reserved for root counts as neither available nor capacity. Kubelet has it as capacity that is taken: a disk of which most is
/// reserved, as virtual ones can be, would be full for ever.
fn bytes(disk: &rustix::fs::StatVfs) -> Left {
    let reserved = disk.f_bfree.saturating_sub(disk.f_bavail);
    Left {
        available: disk.f_bavail.saturating_mul(disk.f_frsize),
        capacity: disk.f_blocks.saturating_sub(reserved).saturating_mul(disk.f_frsize),
    }
}

/// How much is left of what pods use, now. `data` is on the pods' disk, `images` on the images'.
pub(crate) fn observe(data: &Path, images: &Path) -> Observed {
    let disk = |path: &Path| rustix::fs::statvfs(path).ok();
    let inodes = |disk: &rustix::fs::StatVfs| Left { available: disk.f_ffree, capacity: disk.f_files };
    let (node, images) = (disk(data), disk(images));
    Observed {
        memory: memory_left(&read_text(Path::new("/proc/meminfo"))),
        node_disk: node.as_ref().map(bytes),
        node_inodes: node.as_ref().map(inodes),
        image_disk: images.as_ref().map(bytes),
        image_inodes: images.as_ref().map(inodes),
        pids: pids_left(
            &read_text(Path::new("/proc/loadavg")),
            &["/proc/sys/kernel/pid_max", "/proc/sys/kernel/threads-max"]
                .map(|path| read_text(Path::new(path))),
        ),
    }
}

/// What is used on all of the machine, now.
pub(crate) fn used() -> Usage {
    let memory = read_text(Path::new("/proc/meminfo"));
    let of = |name| u64::try_from(amount(&memory, name)).unwrap_or(0);
    let left = memory_left(&memory).map_or(0, |left| left.available);
    let threads = read_text(Path::new("/proc/loadavg"));
    let threads = threads.split_whitespace().nth(3).and_then(|word| word.split_once('/')?.1.parse().ok());
    Usage {
        cpu_nanos: cpu_nanos(&read_text(Path::new("/proc/stat"))),
        memory_bytes: of("MemTotal").saturating_sub(of("MemFree")),
        working_set_bytes: of("MemTotal").saturating_sub(left),
        pids: threads.unwrap_or(0),
    }
}

/// The time that all CPUs worked, from `/proc/stat`: user, nice, system, interrupts, what was stolen, in hundredths of a second.
fn cpu_nanos(text: &str) -> u64 {
    let times: Vec<u64> = text
        .lines()
        .next()
        .unwrap_or_default()
        .split_whitespace()
        .skip(1)
        .filter_map(|word| word.parse().ok())
        .collect();
    [0, 1, 2, 5, 6, 7].iter().filter_map(|at| times.get(*at)).sum::<u64>().saturating_mul(10_000_000)
}

/// Memory less the working set, as kubelet has it: what is free, and the page cache that nobody has used for a while.
fn memory_left(text: &str) -> Option<Left> {
    let capacity = u64::try_from(amount(text, "MemTotal")).ok().filter(|bytes| *bytes > 0)?;
    let available = amount(text, "MemFree").saturating_add(amount(text, "Inactive(file)"));
    Some(Left { available: u64::try_from(available).unwrap_or(0), capacity })
}

/// Process ids: the smaller of the kernel's bounds, less the threads that `loadavg` counts.
fn pids_left(loadavg: &str, bounds: &[String]) -> Option<Left> {
    let threads: u64 = loadavg.split_whitespace().nth(3)?.split_once('/')?.1.parse().ok()?;
    let capacity = bounds.iter().filter_map(|text| text.trim().parse::<u64>().ok()).min()?;
    Some(Left { available: capacity.saturating_sub(threads), capacity })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_is_read_from_the_kernels_files() {
        let text = "MemTotal:  1000 kB\nMemFree:  10 kB\nMemAvailable: 900 kB\nInactive(file): 5 kB\nSwapTotal: 7 kB\n";
        let left = |available, capacity| Some(Left { available, capacity });
        assert_eq!(memory_left(text), left(15 << 10, 1000 << 10));
        assert_eq!(amount(text, "SwapTotal"), 7 << 10);
        assert_eq!(memory_left(""), None);
        assert_eq!(cpu_nanos("cpu  1 2 3 100 100 4 5 6 7 8\ncpu0 1\n"), 210_000_000);
        assert_eq!(cpu_nanos(""), 0);
        let bounds = ["32768\n".to_owned(), "4000\n".to_owned()];
        assert_eq!(pids_left("0.1 0.2 0.3 2/345 6789\n", &bounds), left(3655, 4000));
        assert_eq!(pids_left("", &bounds), None);
        assert!(observe(Path::new("/"), Path::new("/")).node_disk.is_some_and(|disk| disk.capacity > 0));
    }
}
