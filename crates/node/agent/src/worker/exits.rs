//! How containers ended, with what they left behind to say: their termination message, or the end of their log.

use std::path::Path;

use node_pod::container::{find, log_directory, log_file};
use node_pod::record::Exit;
use node_runtime::state::ExitRecord;

use super::Worker;
use super::spec::message_file;
use crate::core::blocking;
use crate::limits;
use crate::records::read_text;

impl Worker {
    /// A container's end as the record keeps it.
    pub(super) async fn exit(&self, name: &str, exit: &ExitRecord) -> Exit {
        let known = self.record.containers.get(name).cloned().unwrap_or_default();
        let mut message = exit.message.clone();
        let spec =
            self.pod.as_deref().and_then(|pod| find(pod, name)).map(|(container, _)| container.into_owned());
        if message.is_empty() {
            let file = message_file(&self.core.records.directory(&self.record.uid), name, known.attempt);
            let directory = log_directory(&self.record.namespace, &self.record.name, &self.record.uid);
            let log = self.core.config.log_dir.join(directory).join(log_file(name, known.attempt));
            let from_log = exit.exit_code != 0
                && spec.is_some_and(|one| one.termination_message_policy == "FallbackToLogsOnError");
            let said = blocking(move || Ok(said(&file, from_log.then_some(log.as_path())))).await;
            message = said.unwrap_or_default();
        }
        Exit {
            code: exit.exit_code,
            signal: 0,
            reason: exit.reason.as_str().to_owned(),
            message,
            started_nanos: exit.started_at_nanos,
            finished_nanos: exit.finished_at_nanos,
            id: known.id,
        }
    }

    /// The end of a container that nobody saw end.
    pub(super) fn lost(&self, name: &str) -> Exit {
        let id = self.record.containers.get(name).map(|known| known.id.clone()).unwrap_or_default();
        Exit {
            code: 137,
            reason: "ContainerStatusUnknown".to_owned(),
            message: "The container could not be located when the pod was terminated".to_owned(),
            finished_nanos: self.core.clock.now().unix_nanos(),
            id,
            ..Exit::default()
        }
    }
}

fn said(file: &Path, log: Option<&Path>) -> String {
    let mut text = read_text(file);
    if text.is_empty() {
        return log.map(|log| tail(&read_text(log))).unwrap_or_default();
    }
    let limit = usize::try_from(limits::TERMINATION_MESSAGE_BYTES).unwrap_or(usize::MAX);
    let end = (0..=limit.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    text.truncate(end);
    text
}

/// The last lines of a log in the format of the container runtime interface, without their times; parts of a line are put together.
fn tail(text: &str) -> String {
    let line = |line: &str| -> Option<String> {
        let mut words = line.splitn(4, ' ').skip(2);
        let end = if words.next()?.starts_with('P') { "" } else { "\n" };
        Some(format!("{}{end}", words.next()?))
    };
    let lines: Vec<String> = text.lines().filter_map(line).collect();
    let first = lines.len().saturating_sub(limits::TERMINATION_LOG_LINES);
    let mut kept = lines[first..].concat();
    let cut = kept.len().saturating_sub(limits::TERMINATION_LOG_BYTES);
    let cut = (cut..kept.len()).find(|at| kept.is_char_boundary(*at)).unwrap_or(0);
    kept.split_off(cut)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_log_is_what_it_said() {
        let line = |text: &str| format!("2026-11-21T10:00:00.000000000Z stderr F {text}\n");
        assert_eq!(tail(&(line("one") + &line("two words"))), "one\ntwo words\n");
        let part = "2026-11-21T10:00:00.000000000Z stdout P said no end\n";
        assert_eq!(tail(&(line("one") + part)), "one\nsaid no end");
        let many: String = (0..100).map(|number| line(&number.to_string())).collect();
        assert!(tail(&many).starts_with("20\n"));
        assert_eq!(tail(&line(&"x".repeat(5000))).len(), limits::TERMINATION_LOG_BYTES);
    }
}
