//! `/healthz`, `/livez`, `/readyz`: whether the server is alive, and whether it may be used.

use std::sync::atomic::{AtomicBool, Ordering};

/// What the health paths answer from.
#[derive(Debug, Default)]
pub(crate) struct Health {
    ready: AtomicBool,
}

/// Upstream's answer to a health path: a code, and text.
pub(crate) struct Report {
    pub(crate) code: u16,
    pub(crate) text: String,
}

impl Health {
    pub(crate) fn set_ready(&self, ready: bool) {
        self.ready.store(ready, Ordering::Release);
    }

    /// The answer of a path, which may name one check behind it; `None` if there is no such path.
    pub(crate) fn report(&self, path: &str, verbose: bool) -> Option<Report> {
        let (endpoint, check) = match path.trim_start_matches('/').split_once('/') {
            Some((endpoint, check)) => (endpoint, Some(check)),
            None => (path.trim_start_matches('/'), None),
        };
        let ready = self.ready.load(Ordering::Acquire);
        let checks: &[(&str, bool)] = match endpoint {
            "livez" => &[("ping", true)],
            "healthz" | "readyz" => &[("ping", true), ("policy", ready)],
            _ => return None,
        };
        let wanted: Vec<&(&str, bool)> = match check {
            Some(check) => checks.iter().filter(|(name, _)| *name == check).collect(),
            None => checks.iter().collect(),
        };
        if wanted.is_empty() {
            return None;
        }
        let fine = wanted.iter().all(|(_, fine)| *fine);
        let mut text = String::new();
        if verbose || !fine {
            for (name, fine) in wanted {
                text += &if *fine {
                    format!("[+]{name} ok\n")
                } else {
                    format!("[-]{name} failed: reason withheld\n")
                };
            }
            text += &format!("{endpoint} check {}\n", if fine { "passed" } else { "failed" });
        } else {
            text += "ok";
        }
        Some(Report { code: if fine { 200 } else { 500 }, text })
    }
}
