//! The text of the systemd unit of a server. Pure.
//!
//! `KillMode=process` lets what the server started live on while it restarts: systemd ends the server's process alone. The pods are in
//! control groups beside the unit's, which systemd does not know of; `Delegate=yes` has it leave the controllers on that they need.

use std::ffi::OsString;
use std::path::Path;

use super::{ServiceError, environment_file};
use crate::config::Place;
use crate::invocation::{self, ServerWords};

/// The text of the unit that runs `program` as this place's server.
///
/// # Errors
/// When a word cannot be written in a unit.
pub fn text(place: &Place, program: &Path, words: &ServerWords) -> Result<String, ServiceError> {
    let data_dir = OsString::from(format!("--data-dir={}", place.data_dir.display()));
    let rest = words.words.iter().filter(|word| !word.to_string_lossy().starts_with("--data-dir="));
    let all = [program.as_os_str().to_owned(), "server".into(), data_dir];
    let command = all.iter().chain(rest).map(quoted).collect::<Result<Vec<_>, _>>()?.join(" ");
    let environment = path_setting(&environment_file(place))?;
    // Trying again does not mend a configuration file.
    let misused = invocation::MISUSED;
    Ok(format!(
        "# Written by knarr service install; knarr service remove deletes it.\n\
         [Unit]\n\
         Description=Knarr, Kubernetes in one binary\n\
         Wants=network-online.target\n\
         After=network-online.target\n\
         \n\
         [Service]\n\
         Type=notify\n\
         EnvironmentFile=-{environment}\n\
         ExecStart={command}\n\
         KillMode=process\n\
         Delegate=yes\n\
         Restart=always\n\
         RestartSec=5s\n\
         RestartPreventExitStatus={misused}\n\
         TimeoutStartSec=0\n\
         LimitNOFILE=1048576\n\
         LimitNPROC=infinity\n\
         LimitCORE=infinity\n\
         TasksMax=infinity\n\
         \n\
         [Install]\n\
         WantedBy=multi-user.target\n"
    ))
}

/// The flags that a unit's text starts its server with, whatever the program.
pub fn flags(text: &str) -> Option<&str> {
    let command = text.lines().find_map(|line| line.strip_prefix("ExecStart="))?;
    Some(command.split_once(" server ")?.1)
}

/// A word of `ExecStart=`: systemd splits at spaces and replaces `%` and `$`.
fn quoted(word: &OsString) -> Result<String, ServiceError> {
    let text = plain_text(word)?;
    let text = text.replace('\\', "\\\\").replace('"', "\\\"").replace('%', "%%").replace('$', "$$");
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_=./:,%+@[]$".contains(c);
    Ok(if text.chars().all(plain) { text } else { format!("\"{text}\"") })
}

/// A path after `=`, where quotes would be part of it.
fn path_setting(path: &Path) -> Result<String, ServiceError> {
    Ok(plain_text(&path.as_os_str().to_owned())?.replace('%', "%%"))
}

fn plain_text(word: &OsString) -> Result<&str, ServiceError> {
    match word.to_str() {
        Some(text) if !text.contains(['\n', '\0']) => Ok(text),
        _ => Err(ServiceError::Word(word.clone())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Secret;

    #[test]
    fn the_unit_is_as_written_here() {
        let place = Place::new("/srv/my cluster".into(), None);
        let words = ServerWords {
            words: ["--data-dir=/srv/my cluster", "--cluster-domain=50%.example", "--node-label=a=$b"]
                .map(OsString::from)
                .into(),
            token: Some(Secret::new("secret".to_owned())),
            ..ServerWords::default()
        };
        let expected = r#"# Written by knarr service install; knarr service remove deletes it.
[Unit]
Description=Knarr, Kubernetes in one binary
Wants=network-online.target
After=network-online.target

[Service]
Type=notify
EnvironmentFile=-/etc/systemd/system/UNIT.service.env
ExecStart=/usr/local/bin/knarr server "--data-dir=/srv/my cluster" --cluster-domain=50%%.example --node-label=a=$$b
KillMode=process
Delegate=yes
Restart=always
RestartSec=5s
RestartPreventExitStatus=2
TimeoutStartSec=0
LimitNOFILE=1048576
LimitNPROC=infinity
LimitCORE=infinity
TasksMax=infinity

[Install]
WantedBy=multi-user.target
"#;
        let got = text(&place, Path::new("/usr/local/bin/knarr"), &words).unwrap();
        assert_eq!(got, expected.replace("UNIT", &place.unit()));
        let flags = "\"--data-dir=/srv/my cluster\" --cluster-domain=50%%.example --node-label=a=$$b";
        assert_eq!(super::flags(&got), Some(flags));
    }

    #[test]
    fn a_word_with_a_line_end_is_refused() {
        let place = Place::new("/srv/a".into(), None);
        let words = ServerWords {
            words: vec!["--node-name=a\nExecStartPre=/bin/evil".into()],
            ..ServerWords::default()
        };
        assert!(matches!(text(&place, Path::new("/k"), &words), Err(ServiceError::Word(_))));
    }
}
