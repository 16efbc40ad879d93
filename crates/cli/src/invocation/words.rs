//! The words that start the same server again: what `up` gives its child, and what stands in a systemd unit.
//!
//! They are what was given by flag and environment, with absolute paths; the configuration file is read anew by the server itself.
//! The token is kept out of them, for everyone on the machine can read a command line.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::path::Path;

use clap::ArgMatches;
use clap::parser::ValueSource;

use crate::config::{Defaults, Secret, absolute};

/// Flags whose values are paths.
const PATHS: [&str; 6] =
    ["config", "data-dir", "private-registry", "resolv-conf", "token-file", "write-kubeconfig"];

/// The words after `knarr server`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServerWords {
    /// Flags, each with its value after `=`.
    pub words: Vec<OsString>,
    /// The token, to be handed over in `KNARR_TOKEN`.
    pub token: Option<Secret>,
    /// The long names of all flags that were given, in whatever way.
    pub given: BTreeSet<String>,
}

pub(super) fn given(
    command: &clap::Command,
    matches: &ArgMatches,
    from_environment: &[String],
    from_file: &[String],
    defaults: &Defaults,
) -> ServerWords {
    let mut given = ServerWords::default();
    for argument in command.get_arguments().filter(|argument| !argument.is_hide_set()) {
        let id = argument.get_id().as_str();
        let from_line = matches.value_source(id) == Some(ValueSource::CommandLine);
        if let (Some(long), true, Some(values)) = (argument.get_long(), from_line, matches.get_raw(id)) {
            values.for_each(|value| given.add(long, value, defaults));
        }
    }
    let split = |word: &'_ String| -> Option<(String, String)> {
        let (long, value) = word.strip_prefix("--")?.split_once('=')?;
        Some((long.to_owned(), value.to_owned()))
    };
    for (long, value) in from_environment.iter().filter_map(split) {
        given.add(&long, OsStr::new(&value), defaults);
    }
    given.given.extend(from_file.iter().filter_map(split).map(|(long, _)| long));
    given
}

impl ServerWords {
    fn add(&mut self, long: &str, value: &OsStr, defaults: &Defaults) {
        self.given.insert(long.to_owned());
        if long == "token" {
            self.token = Some(Secret::new(value.to_string_lossy().trim().to_owned()));
            return;
        }
        let mut word = OsString::from(format!("--{long}="));
        if PATHS.contains(&long) {
            word.push(absolute(Path::new(value), defaults));
        } else {
            word.push(value);
        }
        self.words.push(word);
    }
}
