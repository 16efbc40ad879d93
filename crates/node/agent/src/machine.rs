//! What the machine is and has: the facts in a node's status that do not change while the agent runs.
#![allow(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    reason = "the agent reads what the machine says of itself"
)]

use std::path::Path;

use crate::limits;
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
}

impl Machine {
    /// Asks the machine whose disk holds `data`.
    pub(crate) fn detect(data: &Path) -> Machine {
        let line = |path: &str| read_text(Path::new(path)).trim().to_owned();
        let release = read_text(Path::new("/etc/os-release"));
        let name = release.lines().find_map(|line| line.strip_prefix("PRETTY_NAME="));
        let disk = rustix::fs::statvfs(data).map(|disk| disk.f_blocks.saturating_mul(disk.f_frsize));
        let machine_id = line("/etc/machine-id");
        let product = line("/sys/class/dmi/id/product_uuid");
        Machine {
            cpus: std::thread::available_parallelism()
                .map_or(1, |count| i64::try_from(count.get()).unwrap_or(i64::MAX)),
            memory_bytes: memory(&read_text(Path::new("/proc/meminfo"))),
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

fn memory(text: &str) -> i64 {
    let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"));
    let kibibytes =
        line.and_then(|rest| rest.split_whitespace().next()).and_then(|word| word.parse::<i64>().ok());
    kibibytes.unwrap_or(0).saturating_mul(1024)
}
