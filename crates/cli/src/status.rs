//! `knarr status`: what runs from a data directory, in a few lines. Pure; the binary finds the facts out.

use std::fmt;
use std::path::PathBuf;

use crate::config::Place;
use crate::instance::{Record, Role};
use crate::machine::{NodeSeen, Seen};

/// What is known of a cluster, or of a node of another.
#[derive(Clone, Debug)]
pub struct Status {
    /// Which cluster.
    pub place: Place,
    /// What the server or agent said of itself that ran here last.
    pub last: Option<Record>,
    /// Whether it runs.
    pub runs: bool,
    /// What the API says; `None` when it was not asked.
    pub seen: Option<Seen>,
    /// What it would be asked with and this user may not read.
    pub forbidden: Option<PathBuf>,
    /// How many pods have a shim; `None` when that could not be found out.
    pub pods: Option<usize>,
    /// Whether systemd has a unit for it.
    pub service: bool,
}

impl Status {
    /// The exit code: 0 when all that should be is there, 3 otherwise, as of init scripts.
    pub fn code(&self) -> u8 {
        let ready = self.seen.as_ref().is_none_or(|seen| seen.ready);
        if self.runs && ready { 0 } else { 3 }
    }

    /// The record of the agent whose data these are.
    fn agent(&self) -> Option<&Record> {
        self.last.as_ref().filter(|last| last.role == Role::Agent)
    }

    fn process(&self) -> String {
        match &self.last {
            Some(last) if self.runs => {
                let by = if last.supervised { ", by systemd" } else { "" };
                format!("{} runs, process {}{by}", last.role.name(), last.process.pid)
            }
            Some(last) => format!("{} stopped", last.role.name()),
            None => "stopped".to_owned(),
        }
    }

    /// Where the API is: a server's own is known, an agent's is elsewhere.
    fn api(&self, seen: &Seen) -> String {
        let setting = |name: &str| self.agent().and_then(|agent| agent.settings.get(name));
        match setting("server").or_else(|| setting("kubeconfig")) {
            Some(server) => format!("{}, of {server}", api(seen)),
            None => api(seen),
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut line = |key: &str, value: String| writeln!(f, "{key:<12}{value}");
        line("knarr:", self.process())?;
        if let Some(seen) = &self.seen {
            line("api:", self.api(seen))?;
            let node = match &seen.node {
                NodeSeen::Ready => "Ready".to_owned(),
                NodeSeen::Absent => "none of this machine's name".to_owned(),
                NodeSeen::NotReady(reason) => format!("NotReady: {reason}"),
            };
            if seen.ready {
                line("node:", node)?;
            }
        }
        if let Some(secret) = &self.forbidden {
            let secret = secret.display();
            line("api:", format!("not asked: {secret} is not for this user to read (try again with sudo)"))?;
        }
        if let Some(pods) = self.pods {
            let more = if !self.runs && pods > 0 { " (they go on without knarr)" } else { "" };
            line("pods here:", format!("{pods}{more}"))?;
        }
        line("data:", self.place.data_dir.display().to_string())?;
        if self.agent().is_none() {
            line("kubeconfig:", self.place.kubeconfig.display().to_string())?;
        }
        if self.service {
            line("service:", self.place.unit())?;
        }
        if !self.runs {
            let again = || format!("knarr up{}", self.place.flag());
            line("next:", self.last.as_ref().map_or_else(again, |last| last.again(&self.place)))?;
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
    use host::process::Identity;

    use super::*;

    #[test]
    fn a_stopped_cluster_says_how_to_start_it() {
        let place = Place::new("/var/lib/knarr".into(), None);
        let status = Status {
            place,
            last: None,
            runs: false,
            seen: None,
            forbidden: None,
            pods: Some(2),
            service: false,
        };
        let expected = "knarr:      stopped\npods here:  2 (they go on without knarr)\ndata:       /var/lib/knarr\nkubeconfig: /etc/knarr/knarr.yaml\nnext:       knarr up\n";
        assert_eq!(status.to_string(), expected);
        assert_eq!(status.code(), 3);
    }

    #[test]
    fn an_agent_is_called_one() {
        let place = Place::new("/var/lib/knarr".into(), None);
        let settings = [("server", "https://192.0.2.1:6443"), ("node-name", "two")];
        let last = Record {
            role: Role::Agent,
            process: Identity { pid: 7, started_ticks: 1 },
            boot: String::new(),
            data_dir: place.data_dir.clone(),
            cluster_id: place.cluster_id.to_string(),
            kubeconfig: place.kubeconfig.clone(),
            supervised: false,
            network: String::new(),
            ranges: None,
            kept: crate::config::Settings::new(),
            made: None,
            settings: settings.map(|(flag, value)| (flag.to_owned(), value.to_owned())).into(),
        };
        let seen = Seen { answers: true, ready: true, failing: Vec::new(), node: NodeSeen::Ready };
        let mut status = Status {
            place,
            last: Some(last),
            runs: true,
            seen: Some(seen),
            forbidden: None,
            pods: Some(0),
            service: false,
        };
        let expected = "knarr:      agent runs, process 7\napi:        ready, of https://192.0.2.1:6443\nnode:       Ready\npods here:  0\ndata:       /var/lib/knarr\n";
        assert_eq!((status.to_string().as_str(), status.code()), (expected, 0));
        (status.seen, status.forbidden) = (None, Some("/etc/node.yaml".into()));
        let text = status.to_string();
        let told =
            "\napi:        not asked: /etc/node.yaml is not for this user to read (try again with sudo)\n";
        assert!(text.contains(told), "{text}");
        (status.runs, status.forbidden) = (false, None);
        let expected = "knarr:      agent stopped\npods here:  0\ndata:       /var/lib/knarr\nnext:       knarr agent --server https://192.0.2.1:6443 --token TOKEN\n";
        assert_eq!((status.to_string().as_str(), status.code()), (expected, 3));
    }
}
