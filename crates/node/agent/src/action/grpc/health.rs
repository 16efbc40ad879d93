//! What `grpc.health.v1` says on the wire, and what an answer amounts to in kubelet's words: pure.

use http::{HeaderMap, StatusCode};
use percent_encoding::percent_decode_str;

use crate::action::Outcome;

/// The method that is called.
pub(super) const METHOD: &str = "/grpc.health.v1.Health/Check";

/// What a message is preceded by: whether it is compressed, and its length.
const PREFIX_BYTES: usize = 5;

/// Field 1 of both messages, as a string and as a number.
const SERVICE: u8 = (1 << 3) | 2;
const STATUS: u64 = 1 << 3;

/// The one status of a service that is well.
const SERVING: u64 = 1;

const CODES: [&str; 17] = [
    "OK",
    "Canceled",
    "Unknown",
    "InvalidArgument",
    "DeadlineExceeded",
    "NotFound",
    "AlreadyExists",
    "PermissionDenied",
    "ResourceExhausted",
    "FailedPrecondition",
    "Aborted",
    "OutOfRange",
    "Unimplemented",
    "Internal",
    "Unavailable",
    "DataLoss",
    "Unauthenticated",
];
const OK: u32 = 0;
const UNKNOWN: u32 = 2;
const DEADLINE_EXCEEDED: u32 = 4;
const UNIMPLEMENTED: u32 = 12;
const INTERNAL: u32 = 13;
pub(super) const UNAVAILABLE: u32 = 14;
const UNAUTHENTICATED: u32 = 16;
const PERMISSION_DENIED: u32 = 7;

/// How a call ended that did not end well.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Failed {
    pub(super) code: u32,
    pub(super) message: String,
}

impl Failed {
    /// What the event of the probe says; `patience` as Go prints it.
    pub(super) fn said(&self, patience: &str) -> String {
        let message = &self.message;
        match self.code {
            UNIMPLEMENTED => format!(
                "error: this server does not implement the grpc health protocol (grpc.health.v1.Health): {message}"
            ),
            DEADLINE_EXCEEDED => format!("timeout: health rpc did not complete within {patience}"),
            code => {
                let code = usize::try_from(code).ok().and_then(|code| CODES.get(code).copied());
                let name = code.map_or_else(|| format!("Code({})", self.code), str::to_owned);
                format!("error: health rpc probe failed: rpc error: code = {name} desc = {message}")
            }
        }
    }
}

/// A `HealthCheckRequest` for a service, as it travels.
pub(super) fn request(service: &str) -> Vec<u8> {
    let mut message = Vec::new();
    if !service.is_empty() {
        message.push(SERVICE);
        varint(&mut message, service.len());
        message.extend_from_slice(service.as_bytes());
    }
    let mut framed = vec![0];
    // A service's name comes from the API, whose objects are far smaller than what 32 bits count.
    framed.extend_from_slice(&u32::try_from(message.len()).unwrap_or(u32::MAX).to_be_bytes());
    framed.append(&mut message);
    framed
}

fn varint(out: &mut Vec<u8>, mut number: usize) {
    while number >= 0x80 {
        out.push((number & 0x7f) as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

fn take_varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let (first, rest) = bytes.split_first()?;
        *bytes = rest;
        number |= u64::from(first & 0x7f) << shift;
        if first & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

fn skip(bytes: &mut &[u8], length: u64) -> Option<()> {
    *bytes = bytes.get(usize::try_from(length).ok()?..)?;
    Some(())
}

/// The status within a `HealthCheckResponse`; fields that are newer than this are passed over.
fn status(mut bytes: &[u8]) -> Option<u64> {
    let mut found = 0;
    while !bytes.is_empty() {
        let tag = take_varint(&mut bytes)?;
        match (tag, tag & 7) {
            (STATUS, _) => found = take_varint(&mut bytes)?,
            (_, 0) => drop(take_varint(&mut bytes)?),
            (_, 1) => skip(&mut bytes, 8)?,
            (_, 2) => {
                let length = take_varint(&mut bytes)?;
                skip(&mut bytes, length)?;
            }
            (_, 5) => skip(&mut bytes, 4)?,
            _ => return None,
        }
    }
    Some(found)
}

fn status_name(status: u64) -> String {
    match status {
        0 => "UNKNOWN".to_owned(),
        SERVING => "SERVING".to_owned(),
        2 => "NOT_SERVING".to_owned(),
        3 => "SERVICE_UNKNOWN".to_owned(),
        other => other.to_string(),
    }
}

/// Whether an answer's headers are those of an answer by gRPC at all.
pub(super) fn accepted(status: StatusCode, headers: &HeaderMap) -> Result<(), Failed> {
    let type_ = headers.get("content-type").and_then(|value| value.to_str().ok()).unwrap_or_default();
    let is_grpc = type_ == "application/grpc"
        || type_.starts_with("application/grpc+")
        || type_.starts_with("application/grpc;");
    if status == StatusCode::OK && is_grpc || headers.contains_key("grpc-status") {
        return Ok(());
    }
    let mut said = Vec::new();
    if status != StatusCode::OK {
        let reason = status.canonical_reason().unwrap_or_default();
        said.push(format!(
            "unexpected HTTP status code received from server: {} ({reason})",
            status.as_u16()
        ));
    }
    if !is_grpc {
        said.push(match type_ {
            "" => "malformed header: missing HTTP content-type".to_owned(),
            _ => format!("transport: received unexpected content-type {type_:?}"),
        });
    }
    let code = match status.as_u16() {
        400 => INTERNAL,
        401 => UNAUTHENTICATED,
        403 => PERMISSION_DENIED,
        404 => UNIMPLEMENTED,
        429 | 502 | 503 | 504 => UNAVAILABLE,
        _ => UNKNOWN,
    };
    Err(Failed { code, message: said.join("; ") })
}

/// How the call ended by its trailers, which are its headers when there is nothing else.
pub(super) fn ended(trailers: &HeaderMap) -> Result<(), Failed> {
    let text = |name: &str| trailers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let Ok(code) = text("grpc-status").parse() else {
        let message = "server closed the stream without sending trailers".to_owned();
        return Err(Failed { code: INTERNAL, message });
    };
    match code {
        OK => Ok(()),
        code => {
            let message = percent_decode_str(text("grpc-message")).decode_utf8_lossy().into_owned();
            Err(Failed { code, message })
        }
    }
}

/// What a body says of the service, after a call that ended well.
pub(super) fn verdict(body: &[u8]) -> Outcome {
    let malformed = |what: &str| {
        let failed = Failed {
            code: INTERNAL,
            message: format!("grpc: failed to unmarshal the received message: {what}"),
        };
        Err(failed.said(""))
    };
    let Some((prefix, message)) = body.split_at_checked(PREFIX_BYTES) else {
        return malformed("it is cut short");
    };
    if prefix[0] != 0 {
        return malformed("it is compressed, and that was not asked for");
    }
    let length = u32::from_be_bytes([prefix[1], prefix[2], prefix[3], prefix[4]]);
    if usize::try_from(length) != Ok(message.len()) {
        return malformed("its length is not what its prefix says");
    }
    match status(message) {
        Some(SERVING) => Ok("service healthy".to_owned()),
        Some(other) => Err(format!("service unhealthy (responded with {:?})", status_name(other))),
        None => malformed("proto: cannot parse invalid wire-format data"),
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn requests_name_their_service() {
        assert_eq!(request(""), [0, 0, 0, 0, 0]);
        assert_eq!(request("db"), [0, 0, 0, 0, 4, 0x0a, 2, b'd', b'b']);
        let long = request(&"a".repeat(300));
        assert_eq!(long[..8], [0, 0, 0, 1, 47, 0x0a, 0xac, 2]);
    }

    #[test]
    fn only_a_service_that_serves_is_well() {
        let unhealthy = |name: &str| Err(format!("service unhealthy (responded with {name:?})"));
        for (message, expected) in [
            (vec![8, 1], Ok("service healthy".to_owned())),
            // A string and a fixed number of a newer protocol stand before it.
            (vec![0x12, 1, b'x', 0x1d, 0, 0, 0, 0, 8, 1], Ok("service healthy".to_owned())),
            (vec![8, 2], unhealthy("NOT_SERVING")),
            (vec![8, 3], unhealthy("SERVICE_UNKNOWN")),
            (vec![8, 9], unhealthy("9")),
            (vec![], unhealthy("UNKNOWN")),
        ] {
            let mut body = vec![0, 0, 0, 0, u8::try_from(message.len()).unwrap()];
            body.extend(&message);
            assert_eq!(verdict(&body), expected, "{message:?}");
        }
        for broken in [&[][..], &[0, 0, 0, 0, 9, 8, 1], &[1, 0, 0, 0, 2, 8, 1], &[0, 0, 0, 0, 2, 8, 0x81]] {
            let said = verdict(broken).unwrap_err();
            assert!(said.starts_with("error: health rpc probe failed: rpc error: code = Internal"), "{said}");
        }
    }

    #[test]
    fn a_call_that_fails_is_told_as_go_tells_it() {
        let failed = |code, message: &str| Failed { code, message: message.to_owned() }.said("3s");
        assert_eq!(
            failed(5, "unknown service"),
            "error: health rpc probe failed: rpc error: code = NotFound desc = unknown service"
        );
        assert_eq!(
            failed(12, "unknown method"),
            "error: this server does not implement the grpc health protocol (grpc.health.v1.Health): unknown method"
        );
        assert_eq!(failed(4, ""), "timeout: health rpc did not complete within 3s");
        assert_eq!(failed(77, "x"), "error: health rpc probe failed: rpc error: code = Code(77) desc = x");
    }

    #[test]
    fn what_is_no_answer_by_grpc_is_none() {
        let headers = |list: &[(&'static str, &'static str)]| -> HeaderMap {
            list.iter()
                .map(|(name, value)| (name.parse().unwrap(), HeaderValue::from_static(value)))
                .collect()
        };
        assert_eq!(accepted(StatusCode::OK, &headers(&[("content-type", "application/grpc+proto")])), Ok(()));
        let html = accepted(StatusCode::NOT_FOUND, &headers(&[("content-type", "text/html")])).unwrap_err();
        assert_eq!(html.code, UNIMPLEMENTED);
        assert_eq!(
            html.message,
            "unexpected HTTP status code received from server: 404 (Not Found); transport: received unexpected content-type \"text/html\""
        );
        assert_eq!(accepted(StatusCode::OK, &headers(&[])).unwrap_err().code, UNKNOWN);
        assert_eq!(ended(&headers(&[("grpc-status", "0")])), Ok(()));
        let not = ended(&headers(&[("grpc-status", "5"), ("grpc-message", "no%20such")])).unwrap_err();
        assert_eq!((not.code, not.message.as_str()), (5, "no such"));
        assert_eq!(ended(&headers(&[])).unwrap_err().code, INTERNAL);
    }
}
