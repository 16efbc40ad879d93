//! The machine and its processes, as the kernel tells of them.

use std::time::Duration;

use anyhow::{Context as _, Result};

/// The clock's ticks a second in `/proc/PID/stat`: the same on every Linux since 2.6.
const TICKS_PER_SECOND: f64 = 100.0;

/// What the figures depend on, in one line.
pub fn described() -> String {
    let cores = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
    let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    format!(
        "{cores} cores, Linux {}, load average {}; the load generator shares the cores",
        kernel.trim(),
        load()
    )
}

/// The load averages over one, five and fifteen minutes.
pub fn load() -> String {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').take(3).collect::<Vec<_>>().join(" ")
}

/// What a process holds of memory, in KiB.
#[derive(Clone, Copy, Debug, Default)]
pub struct Memory {
    /// All that is resident.
    pub resident: u64,
    /// Of this, what is its own and not a page of a file.
    pub anonymous: u64,
    /// The most that was ever resident.
    pub peak: u64,
}

impl Memory {
    /// A running process's memory.
    pub fn of(pid: u32) -> Result<Memory> {
        let path = format!("/proc/{pid}/status");
        let text = std::fs::read_to_string(&path).with_context(|| format!("reading {path}"))?;
        Ok(Memory {
            resident: kib(&text, "VmRSS:"),
            anonymous: kib(&text, "RssAnon:"),
            peak: kib(&text, "VmHWM:"),
        })
    }

    /// Has the most that was ever resident be counted from now on.
    pub fn forget_peak(pid: u32) -> Result<()> {
        let path = format!("/proc/{pid}/clear_refs");
        // Of all that this file can clear, 5 is the peak (proc_pid_clear_refs(5)).
        std::fs::write(&path, "5").with_context(|| format!("writing {path}"))
    }

    /// This process's memory.
    pub fn own() -> Result<Memory> {
        Memory::of(std::process::id())
    }
}

fn kib(status: &str, name: &str) -> u64 {
    let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
    line.trim().trim_end_matches(" kB").parse().unwrap_or(0)
}

/// The processor time that this process has used so far, finely: what other programs take of the machine does not count.
pub fn own_cpu() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or_default())
}

/// The processor time that a process has used so far, its threads together.
pub fn cpu(pid: u32) -> Result<Duration> {
    let path = format!("/proc/{pid}/stat");
    let text = std::fs::read_to_string(&path).with_context(|| format!("reading {path}"))?;
    // The name in parentheses may hold anything; user and system time are the 12th and 13th words after it.
    let after = text.rsplit_once(')').map_or("", |(_, after)| after);
    let ticks: f64 =
        after.split_whitespace().skip(11).take(2).filter_map(|word| word.parse::<f64>().ok()).sum();
    Ok(Duration::from_secs_f64(ticks / TICKS_PER_SECOND))
}
