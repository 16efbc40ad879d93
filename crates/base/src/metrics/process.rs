//! What this process uses of the machine (Go's process collector), read from `/proc/self`.
#![allow(clippy::disallowed_methods, reason = "the kernel's own account of this process")]

use std::fs;

use super::{Source, Text, Type};
use crate::time::Time;

/// Ticks a second of the times in `/proc`: `USER_HZ`, which is part of the kernel's interface.
const TICKS: f64 = 100.0;
const PAGE_BYTES: f64 = 4096.0;

/// The process that asks.
#[derive(Clone, Copy, Debug, Default)]
pub struct Process;

impl Source for Process {
    fn collect(&self, text: &mut Text, _: Time) {
        // What cannot be read is left out, as Go's collector does.
        if let Some(stat) = fs::read_to_string("/proc/self/stat").ok().as_deref().and_then(Stat::parse) {
            let help = "Total user and system CPU time spent in seconds.";
            text.family("process_cpu_seconds_total", Type::Counter, help).sample(&[], stat.cpu_seconds);
            let help = "Virtual memory size in bytes.";
            text.family("process_virtual_memory_bytes", Type::Gauge, help).sample(&[], stat.virtual_bytes);
            let help = "Resident memory size in bytes.";
            text.family("process_resident_memory_bytes", Type::Gauge, help).sample(&[], stat.resident_bytes);
            if let Some(boot) = fs::read_to_string("/proc/stat").ok().as_deref().and_then(boot_time) {
                let help = "Start time of the process since unix epoch in seconds.";
                let started = boot + stat.started_seconds;
                text.family("process_start_time_seconds", Type::Gauge, help).sample(&[], started);
            }
        }
        if let Ok(open) = fs::read_dir("/proc/self/fd") {
            let help = "Number of open file descriptors.";
            text.family("process_open_fds", Type::Gauge, help).sample(&[], open.count() as f64);
        }
        if let Ok(limits) = fs::read_to_string("/proc/self/limits") {
            if let Some(most) = limit(&limits, "Max open files") {
                let help = "Maximum number of open file descriptors.";
                text.family("process_max_fds", Type::Gauge, help).sample(&[], most);
            }
            if let Some(most) = limit(&limits, "Max address space") {
                let help = "Maximum amount of virtual memory available in bytes.";
                text.family("process_virtual_memory_max_bytes", Type::Gauge, help).sample(&[], most);
            }
        }
    }
}

struct Stat {
    cpu_seconds: f64,
    virtual_bytes: f64,
    resident_bytes: f64,
    started_seconds: f64,
}

impl Stat {
    /// The fields of proc(5) after the command's name, which may hold anything: from the third on.
    fn parse(text: &str) -> Option<Stat> {
        let fields: Vec<&str> = text.rsplit_once(')')?.1.split_whitespace().collect();
        let field = |number: usize| fields.get(number - 3)?.parse::<f64>().ok();
        Some(Stat {
            cpu_seconds: (field(14)? + field(15)?) / TICKS,
            started_seconds: field(22)? / TICKS,
            virtual_bytes: field(23)?,
            resident_bytes: field(24)? * PAGE_BYTES,
        })
    }
}

fn boot_time(stat: &str) -> Option<f64> {
    stat.lines().find_map(|line| line.strip_prefix("btime "))?.trim().parse().ok()
}

/// The soft limit of a line of `/proc/self/limits`; none is Go's largest number.
fn limit(limits: &str, name: &str) -> Option<f64> {
    let soft = limits.lines().find_map(|line| line.strip_prefix(name))?.split_whitespace().next()?;
    if soft == "unlimited" { Some(u64::MAX as f64) } else { soft.parse().ok() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_account_is_read() {
        let stat = "7 (a b) c) S 1 7 7 0 -1 0 1 2 3 4 150 50 0 0 20 0 9 0 400 8192 3 0 0";
        let stat = Stat::parse(stat).expect("readable");
        let seconds = (stat.cpu_seconds, stat.started_seconds);
        assert_eq!((seconds, stat.virtual_bytes, stat.resident_bytes), ((2.0, 4.0), 8192.0, 12_288.0));
        assert_eq!(boot_time("cpu 1\nbtime 17\n"), Some(17.0));
        let limits = "Max open files            1024                 4096                 files\n";
        assert_eq!((limit(limits, "Max open files"), limit(limits, "Max other")), (Some(1024.0), None));
        let mut text = Text::default();
        Process.collect(&mut text, Time::EPOCH);
        assert!(text.into_string().contains("\nprocess_resident_memory_bytes "));
    }
}
