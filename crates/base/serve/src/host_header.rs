//! What HTTP/1.1 wants of a request's `Host`, as Go's `net/http` judges it: one that says nothing, or nonsense, is refused before anybody looks at
//! what it asks for.

use http::header::{CONNECTION, CONTENT_TYPE, HOST};
use http::{Method, Request, Response, StatusCode, Version};
use hyper::ext::ReasonPhrase;

/// What is wrong with it, if something is.
pub(crate) fn fault<B>(request: &Request<B>) -> Option<&'static str> {
    if request.version() > Version::HTTP_11 {
        return None;
    }
    let mut hosts = request.headers().get_all(HOST).iter();
    match (hosts.next(), hosts.next()) {
        (None, _) if request.version() == Version::HTTP_11 && request.method() != Method::CONNECT => {
            Some("missing required Host header")
        }
        (Some(_), Some(_)) => Some("too many Host headers"),
        (Some(host), None) if !host.as_bytes().iter().all(|byte| is_allowed(*byte)) => {
            Some("malformed Host header")
        }
        _ => None,
    }
}

/// Whether a byte may be in a host's name with its port (`golang.org/x/net/http/httpguts`: `ValidHostHeader`).
fn is_allowed(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!$%&()*+,-.:;=@'_~[]".contains(&byte)
}

/// The answer to that, after which the connection ends.
pub(crate) fn refusal<B>(why: &str, body: impl FnOnce(String) -> B) -> Response<B> {
    let mut response = Response::new(body(format!("400 Bad Request: {why}")));
    *response.status_mut() = StatusCode::BAD_REQUEST;
    if let Ok(phrase) = ReasonPhrase::try_from(format!("Bad Request: {why}").into_bytes()) {
        response.extensions_mut().insert(phrase);
    }
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, http::HeaderValue::from_static("text/plain; charset=utf-8"));
    headers.insert(CONNECTION, http::HeaderValue::from_static("close"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_there_once_and_is_one() {
        let of = |version, hosts: &[&str]| {
            let mut request = Request::builder().version(version);
            for host in hosts {
                request = request.header(HOST, *host);
            }
            fault(&request.body(()).expect("a request"))
        };
        assert_eq!(of(Version::HTTP_11, &["localhost:6443"]), None);
        assert_eq!(of(Version::HTTP_11, &["[::1]:6443"]), None);
        assert_eq!(of(Version::HTTP_11, &[""]), None);
        assert_eq!(of(Version::HTTP_11, &[]), Some("missing required Host header"));
        assert_eq!(of(Version::HTTP_11, &["a", "a"]), Some("too many Host headers"));
        assert_eq!(of(Version::HTTP_11, &["a/b"]), Some("malformed Host header"));
        assert_eq!(of(Version::HTTP_10, &[]), None, "it had none then");
        assert_eq!(of(Version::HTTP_2, &[]), None, "it has a field of its own there");
    }
}
