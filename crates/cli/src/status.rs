//! `knarr status`: what runs from a data directory, in a few lines. Pure; the binary finds the facts out.

use std::fmt;

use crate::config::Place;
use crate::instance::Record;
use crate::machine::{NodeSeen, Seen};

/// What is known of a cluster.
#[derive(Clone, Debug)]
pub struct Status {
    /// Which cluster.
    pub place: Place,
    /// The server or agent that runs.
    pub process: Option<Record>,
    /// What the API says; `None` when it was not asked.
    pub seen: Option<Seen>,
    /// How many pods have a shim; `None` when that could not be found out.
    pub pods: Option<usize>,
    /// Whether systemd has a unit for it.
    pub service: bool,
}

impl Status {
    /// The exit code: 0 when all that should be is there, 3 otherwise, as of init scripts.
    pub fn code(&self) -> u8 {
        let ready = self.seen.as_ref().is_none_or(|seen| seen.ready);
        if self.process.is_some() && ready { 0 } else { 3 }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut line = |key: &str, value: String| writeln!(f, "{key:<12}{value}");
        let process = match &self.process {
            Some(record) => {
                let by = if record.supervised { ", by systemd" } else { "" };
                format!("{} runs, process {}{by}", record.role.name(), record.process.pid)
            }
            None => "stopped".to_owned(),
        };
        line("knarr:", process)?;
        if let Some(seen) = &self.seen {
            line("api:", api(seen))?;
            let node = match &seen.node {
                NodeSeen::Ready => "Ready".to_owned(),
                NodeSeen::Absent => "none of this machine's name".to_owned(),
                NodeSeen::NotReady(reason) => format!("NotReady: {reason}"),
            };
            if seen.ready {
                line("node:", node)?;
            }
        }
        if let Some(pods) = self.pods {
            let more = if self.process.is_none() && pods > 0 { " (they go on without knarr)" } else { "" };
            line("pods here:", format!("{pods}{more}"))?;
        }
        line("data:", self.place.data_dir.display().to_string())?;
        line("kubeconfig:", self.place.kubeconfig.display().to_string())?;
        if self.service {
            line("service:", self.place.unit())?;
        }
        if self.process.is_none() {
            line("next:", format!("knarr up{}", self.place.flag()))?;
        }
        Ok(())
    }
}

fn api(seen: &Seen) -> String {
    match seen {
        Seen { ready: true, .. } => "ready".to_owned(),
        Seen { answers: true, failing, .. } if !failing.is_empty() => {
            format!("not ready: {}", failing.join(", "))
        }
        Seen { answers: true, .. } => "not ready".to_owned(),
        _ => "does not answer".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stopped_cluster_says_how_to_start_it() {
        let place = Place::new("/var/lib/knarr".into(), None);
        let status = Status { place, process: None, seen: None, pods: Some(2), service: false };
        let expected = "knarr:      stopped\npods here:  2 (they go on without knarr)\ndata:       /var/lib/knarr\nkubeconfig: /etc/knarr/knarr.yaml\nnext:       knarr up\n";
        assert_eq!(status.to_string(), expected);
        assert_eq!(status.code(), 3);
    }
}
