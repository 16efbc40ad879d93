//! What went wrong with a request, worded for a pod's event: one line, as containerd words it.

use std::error::Error;
use std::io;

use reqwest::Response;
use serde::Deserialize;

use super::names::Unknown;
use crate::error::ImageError;
use crate::limits;

/// Why one endpoint did not answer with what was asked for.
#[derive(Debug)]
pub(super) enum Failure {
    /// There was no connection.
    Unreached(String),
    /// There was one, and nothing came back.
    Broken(String),
    /// It is not there.
    NotFound,
    /// Something else came back.
    Refused {
        status: u16,
        /// The registry's own name for it, if it gave one.
        code: String,
        message: String,
    },
    /// No token was to be had.
    Unauthorized(String),
}

/// A registry's error, as the distribution's specification has it.
#[derive(Deserialize)]
struct Envelope {
    #[serde(default)]
    errors: Vec<Told>,
}

#[derive(Deserialize)]
struct Told {
    #[serde(default)]
    code: String,
    #[serde(default)]
    message: String,
}

impl Failure {
    /// A request that was not answered.
    pub fn request(method: &str, error: &reqwest::Error) -> Failure {
        let url = error.url().map_or("", reqwest::Url::as_str);
        let doing = format!("failed to do request: {method} {url:?}");
        let message = format!("{doing}: {}", cause(error));
        if error.is_connect() || error.is_timeout() {
            Failure::Unreached(message)
        } else {
            Failure::Broken(message)
        }
    }

    /// What an answer that is no success says.
    pub async fn answer(mut response: Response) -> Failure {
        let status = response.status().as_u16();
        let body = read(&mut response, limits::SERVER_ANSWER_BYTES).await.unwrap_or_default();
        let envelope = serde_json::from_slice::<Envelope>(&body).ok();
        let told = envelope.and_then(|envelope| envelope.errors.into_iter().next());
        let (code, message) = match told {
            Some(told) => (told.code, told.message),
            None => (String::new(), String::from_utf8_lossy(&body).into_owned()),
        };
        let message = bounded(&message);
        match code.as_str() {
            "MANIFEST_UNKNOWN" | "NAME_UNKNOWN" | "NOT_FOUND" | "BLOB_UNKNOWN" | "MANIFEST_BLOB_UNKNOWN" => {
                Failure::NotFound
            }
            _ if status == 404 => Failure::NotFound,
            _ => Failure::Refused { status, code, message },
        }
    }

    /// How much it says: of several endpoints' failures the one that says most is told, as containerd has it.
    pub fn weight(&self) -> u8 {
        match self {
            Failure::Unreached(_) | Failure::Broken(_) => 0,
            Failure::NotFound => 1,
            Failure::Unauthorized(_) | Failure::Refused { .. } => 2,
        }
    }

    /// The error of a pull of `reference` from `registry`.
    pub fn into_error(self, reference: String, registry: String) -> ImageError {
        match self {
            Failure::Unreached(message) => ImageError::RegistryUnavailable { registry, message },
            Failure::Broken(message) => ImageError::Registry { reference, message },
            Failure::NotFound => ImageError::NotFound { reference },
            Failure::Unauthorized(message) => ImageError::Denied { reference, message },
            Failure::Refused { status, code, message } => match (status, code.as_str()) {
                (401 | 403, _) | (_, "UNAUTHORIZED" | "DENIED") => {
                    let message =
                        if message.is_empty() { "authorization failed".to_owned() } else { message };
                    ImageError::Denied { reference, message }
                }
                (429, _) | (_, "TOOMANYREQUESTS") => ImageError::TooManyRequests { reference, message },
                (500.., _) => {
                    let message = unexpected(status, &message);
                    ImageError::RegistryUnavailable { registry, message }
                }
                _ => ImageError::Registry { reference, message: unexpected(status, &message) },
            },
        }
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Failure::Unreached(message) | Failure::Broken(message) | Failure::Unauthorized(message) => {
                f.write_str(message)
            }
            Failure::NotFound => f.write_str("not found"),
            Failure::Refused { status, message, .. } => f.write_str(&unexpected(*status, message)),
        }
    }
}

fn unexpected(status: u16, message: &str) -> String {
    let status = format!("unexpected status {status}");
    if message.is_empty() { status } else { format!("{status}: {message}") }
}

/// A body, up to a limit.
pub(super) async fn read(response: &mut Response, limit: u64) -> Result<Vec<u8>, reqwest::Error> {
    let mut content = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        content.extend_from_slice(&chunk);
        if content.len() as u64 > limit {
            break;
        }
    }
    Ok(content)
}

/// The cause of all causes, as Go says it; the layers of the client in between say nothing to whoever reads a pod's events.
pub(super) fn cause(error: &reqwest::Error) -> String {
    let mut innermost: &(dyn Error + 'static) = error;
    while let Some(source) = below(innermost) {
        innermost = source;
        if let Some(unknown) = source.downcast_ref::<Unknown>() {
            return format!("dial tcp: {unknown}");
        }
        if let Some(tls) = source.downcast_ref::<rustls::Error>() {
            return format!("tls: {tls}");
        }
        if let Some(failed) = source.downcast_ref::<io::Error>().filter(|one| one.raw_os_error().is_some()) {
            let step = if error.is_connect() { dialled(error) } else { String::new() };
            return format!("{step}{}", system(failed));
        }
    }
    if error.is_timeout() { "i/o timeout".to_owned() } else { bounded(&innermost.to_string()) }
}

/// What an error wraps. An input or output error that was made of another is no more than its wrapping, and says that the
/// other's cause is its own.
fn below<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a (dyn Error + 'static)> {
    match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
        Some(wrapped) => Some(wrapped),
        None => error.source(),
    }
}

/// Where a connection was wanted.
fn dialled(error: &reqwest::Error) -> String {
    let place = error.url().and_then(|url| Some((url.host_str()?, url.port_or_known_default()?)));
    place.map_or_else(|| "dial tcp: ".to_owned(), |(host, port)| format!("dial tcp {host}:{port}: connect: "))
}

/// An error of the system, without its number.
fn system(error: &io::Error) -> String {
    let text = error.to_string();
    let text = text.split(" (os error").next().unwrap_or_default();
    let mut characters = text.chars();
    characters.next().map(|first| first.to_lowercase().chain(characters).collect()).unwrap_or_default()
}

/// A registry's own words on one line, as far as they fit an event.
pub(super) fn bounded(message: &str) -> String {
    let line = message.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut end = line.len().min(limits::SERVER_MESSAGE_BYTES);
    while !line.is_char_boundary(end) {
        end -= 1;
    }
    line[..end].trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_messages_are_cut_between_characters_and_kept_on_one_line() {
        assert_eq!(bounded(&"é".repeat(400)).len(), limits::SERVER_MESSAGE_BYTES);
        assert_eq!(bounded(" denied\n  by rule\n"), "denied by rule");
    }

    #[test]
    fn the_systems_errors_are_worded_as_go_words_them() {
        assert_eq!(system(&io::Error::from_raw_os_error(111)), "connection refused");
        assert_eq!(system(&io::Error::from_raw_os_error(113)), "no route to host");
    }
}
