//! What a service's server writes: systemd's journal has it.
#![allow(clippy::disallowed_methods, reason = "the shell that calls journalctl")]

use std::os::unix::process::CommandExt as _;
use std::process::{Command, Stdio};

use super::ServiceError;
use crate::config::Place;
use crate::limits;
use crate::logs::Want;

/// Becomes journalctl, which shows the log. Returns only when that fails.
pub fn exec(place: &Place, want: Want) -> ServiceError {
    ServiceError::Journal(Command::new("journalctl").args(words(place, want)).exec())
}

/// The last lines of the log.
pub fn last_lines(place: &Place) -> Vec<String> {
    // A server's last words may still be on their way.
    let _ = Command::new("journalctl").arg("--sync").stderr(Stdio::null()).status();
    let want = Want { follow: false, tail: Some(limits::LOG_LINES) };
    let output = Command::new("journalctl").args(words(place, want)).arg("--quiet").output();
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

/// As `knarr logs` shows a file: the lines as they were written, and of a log that grows also the earlier ones.
fn words(place: &Place, want: Want) -> Vec<String> {
    let mut words: Vec<String> =
        ["--no-pager", "--output=cat", "--unit"].into_iter().map(str::to_owned).collect();
    words.push(place.unit());
    if want.follow {
        words.push("--follow".to_owned());
    }
    match want.tail {
        Some(lines) => words.push(format!("--lines={lines}")),
        None if want.follow => words.push("--no-tail".to_owned()),
        None => {}
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_show_what_a_file_would() {
        let place = Place::new(crate::config::DATA_DIR.into(), None);
        let words = |follow, tail| words(&place, Want { follow, tail }).join(" ");
        assert_eq!(words(false, None), "--no-pager --output=cat --unit knarr");
        assert_eq!(words(true, None), "--no-pager --output=cat --unit knarr --follow --no-tail");
        assert_eq!(words(true, Some(5)), "--no-pager --output=cat --unit knarr --follow --lines=5");
    }
}
