//! How a command ended, and the texts on the error channel that say so.
//!
//! From the fourth version of the protocol on it is a `v1.Status`; before, a bare message, and nothing at all when the
//! command succeeded.

use serde::{Deserialize, Serialize};

/// How a command ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It ran and ended with this code.
    Exited(i32),
    /// It did not run, or was lost.
    Failed(String),
}

#[derive(Default, Serialize, Deserialize)]
struct Status {
    #[serde(default)]
    metadata: Empty,
    #[serde(default)]
    status: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    message: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    reason: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    details: Option<Details>,
    #[serde(default, skip_serializing_if = "is_zero")]
    code: i32,
}

#[derive(Default, Serialize, Deserialize)]
struct Empty {}

#[derive(Default, Serialize, Deserialize)]
struct Details {
    #[serde(default)]
    causes: Vec<Cause>,
}

#[derive(Default, Serialize, Deserialize)]
struct Cause {
    #[serde(default, skip_serializing_if = "String::is_empty")]
    reason: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    message: String,
}

fn is_zero(code: &i32) -> bool {
    *code == 0
}

impl Outcome {
    /// The text of the error channel: a `v1.Status`, or before version 4 a message.
    pub fn encode(&self, as_status: bool) -> Vec<u8> {
        let status = self.status();
        if as_status {
            // It holds nothing that could fail to be written.
            serde_json::to_vec(&status).unwrap_or_default()
        } else {
            status.message.into_bytes()
        }
    }

    fn status(&self) -> Status {
        let cause = |reason: &str, message: String| {
            Some(Details { causes: vec![Cause { reason: reason.to_owned(), message }] })
        };
        match self {
            Outcome::Exited(0) => Status { status: "Success".to_owned(), ..Status::default() },
            Outcome::Exited(code) => Status {
                status: "Failure".to_owned(),
                message: format!("command terminated with non-zero exit code: exit code {code}"),
                reason: "NonZeroExitCode".to_owned(),
                details: cause("ExitCode", code.to_string()),
                ..Status::default()
            },
            Outcome::Failed(message) => Status {
                status: "Failure".to_owned(),
                message: format!("Internal error occurred: {message}"),
                reason: "InternalError".to_owned(),
                details: cause("", message.clone()),
                code: 500,
                ..Status::default()
            },
        }
    }

    /// Reads the text of the error channel, as client-go does.
    pub fn decode(text: &[u8], as_status: bool) -> Outcome {
        let message = || String::from_utf8_lossy(text).into_owned();
        if !as_status {
            return if text.is_empty() { Outcome::Exited(0) } else { Outcome::Failed(message()) };
        }
        let Ok(status) = serde_json::from_slice::<Status>(text) else {
            return Outcome::Failed(format!(
                "error stream protocol error: {} in {:?}",
                "no status",
                message()
            ));
        };
        let code = || {
            let causes = &status.details.as_ref()?.causes;
            causes.iter().find(|cause| cause.reason == "ExitCode")?.message.parse().ok()
        };
        match (status.status.as_str(), status.reason.as_str()) {
            ("Success", _) => Outcome::Exited(0),
            (_, "NonZeroExitCode") => code().map_or_else(
                || Outcome::Failed("error stream protocol error: no exit code".to_owned()),
                Outcome::Exited,
            ),
            _ => Outcome::Failed(
                status
                    .message
                    .strip_prefix("Internal error occurred: ")
                    .unwrap_or(&status.message)
                    .to_owned(),
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outcomes_have_upstream_s_texts_and_are_read_back() {
        for (outcome, json, text) in [
            (Outcome::Exited(0), r#"{"metadata":{},"status":"Success"}"#, ""),
            (
                Outcome::Exited(3),
                r#"{"metadata":{},"status":"Failure","message":"command terminated with non-zero exit code: exit code 3","reason":"NonZeroExitCode","details":{"causes":[{"reason":"ExitCode","message":"3"}]}}"#,
                "command terminated with non-zero exit code: exit code 3",
            ),
            (
                Outcome::Failed("gone".to_owned()),
                r#"{"metadata":{},"status":"Failure","message":"Internal error occurred: gone","reason":"InternalError","details":{"causes":[{"message":"gone"}]},"code":500}"#,
                "Internal error occurred: gone",
            ),
        ] {
            assert_eq!(String::from_utf8(outcome.encode(true)).expect("text"), json);
            assert_eq!(String::from_utf8(outcome.encode(false)).expect("text"), text);
            assert_eq!(Outcome::decode(json.as_bytes(), true), outcome);
        }
        assert_eq!(Outcome::decode(b"", false), Outcome::Exited(0));
        assert_eq!(Outcome::decode(b"no", false), Outcome::Failed("no".to_owned()));
        assert!(matches!(Outcome::decode(b"no", true), Outcome::Failed(_)));
    }
}
