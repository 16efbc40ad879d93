//! Which protocol a request and a server agree on: pure functions from request headers to an answer's.
//!
//! Follows `k8s.io/streaming/pkg/httpstream` and `k8s.io/cri-streaming`, wording included.

pub use base_serve::websocket::Refused;
use base_serve::websocket::{agree, is_asked, listed, refuse};
use http::StatusCode;
use http::header::{
    CONNECTION, HeaderMap, HeaderName, HeaderValue, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL,
    SEC_WEBSOCKET_VERSION, UPGRADE,
};

use crate::limits::PORTS_MAX;

const SPDY: &str = "SPDY/3.1";
const TUNNEL_PREFIX: &str = "SPDY/3.1+";
const PORT_FORWARD: &str = "portforward.k8s.io";

/// The header in which SPDY's clients name the protocols they speak.
pub static PROTOCOL_VERSION: HeaderName = HeaderName::from_static("x-stream-protocol-version");
static ACCEPTED_VERSIONS: HeaderName = HeaderName::from_static("x-accepted-stream-protocol-versions");

/// A protocol of exec and attach, over WebSocket or SPDY.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExecProtocol {
    /// Channels in WebSocket messages.
    WebSocket(Channels),
    /// Streams of SPDY, of this version of the protocol (1 to 4).
    Spdy(u8),
}

impl ExecProtocol {
    /// Whether results are a `v1.Status`.
    pub(crate) fn has_status(self) -> bool {
        match self {
            ExecProtocol::WebSocket(channels) => channels.version >= 4,
            ExecProtocol::Spdy(version) => version >= 4,
        }
    }
}

/// How channels are put into WebSocket messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Channels {
    /// The version of the protocol: 1, 4 or 5.
    pub version: u8,
    /// Whether messages are text in base64.
    pub base64: bool,
}

impl Channels {
    /// Whether one channel can be closed while the others go on.
    pub(crate) fn can_close(self) -> bool {
        self.version >= 5
    }
}

/// A protocol of port-forward.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PortProtocol {
    /// Streams of SPDY.
    Spdy,
    /// The same, its bytes in WebSocket messages (kubectl from 1.31 on).
    Tunnel,
    /// Two channels for each port named in the query.
    Channels(Channels),
}

/// What was agreed on, and the headers of the `101 Switching Protocols` that says so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Agreed<P> {
    /// The protocol.
    pub protocol: P,
    /// The headers of the answer.
    pub headers: HeaderMap,
}

const EXEC_CHANNELS: &[(&str, Channels)] = &[
    ("", Channels { version: 1, base64: false }),
    ("channel.k8s.io", Channels { version: 1, base64: false }),
    ("base64.channel.k8s.io", Channels { version: 1, base64: true }),
    ("v4.channel.k8s.io", Channels { version: 4, base64: false }),
    ("v4.base64.channel.k8s.io", Channels { version: 4, base64: true }),
    ("v5.channel.k8s.io", Channels { version: 5, base64: false }),
];

const EXEC_VERSIONS: &[&str] =
    &["v4.channel.k8s.io", "v3.channel.k8s.io", "v2.channel.k8s.io", "channel.k8s.io"];

/// Agrees on a protocol for exec or attach.
///
/// # Errors
/// With the answer, when there is none.
pub fn exec(request: &HeaderMap) -> Result<Agreed<ExecProtocol>, Refused> {
    if is_asked(request) {
        let (channels, headers) = agree(request, EXEC_CHANNELS)?;
        return Ok(Agreed { protocol: ExecProtocol::WebSocket(channels), headers });
    }
    let (name, headers) = spdy(request, EXEC_VERSIONS)?;
    let version = EXEC_VERSIONS.iter().position(|own| *own == name).map_or(1, |at| 4 - at as u8);
    Ok(Agreed { protocol: ExecProtocol::Spdy(version), headers })
}

/// Agrees on a protocol for port-forward.
///
/// # Errors
/// With the answer, when there is none.
pub fn port_forward(request: &HeaderMap) -> Result<Agreed<PortProtocol>, Refused> {
    if !is_asked(request) {
        let (_, headers) = spdy(request, &[PORT_FORWARD])?;
        return Ok(Agreed { protocol: PortProtocol::Spdy, headers });
    }
    let channels = |base64| PortProtocol::Channels(Channels { version: 4, base64 });
    let offered = [
        ("SPDY/3.1+portforward.k8s.io", PortProtocol::Tunnel),
        ("", channels(false)),
        ("v4.channel.k8s.io", channels(false)),
        ("v4.base64.channel.k8s.io", channels(true)),
    ];
    let tunnels = listed(request, &SEC_WEBSOCKET_PROTOCOL).iter().any(|name| name.starts_with(TUNNEL_PREFIX));
    let offered = if tunnels { &offered[..1] } else { &offered[1..] };
    let (protocol, headers) = agree(request, offered)?;
    Ok(Agreed { protocol, headers })
}

/// The ports of a query's `port` parameters, for [`PortProtocol::Channels`].
///
/// # Errors
/// With the text of a 400.
pub fn ports<S: AsRef<str>>(values: &[S]) -> Result<Vec<u16>, String> {
    if values.is_empty() {
        return Err("query parameter \"port\" is required".to_owned());
    }
    let mut ports = Vec::new();
    for value in values.iter().map(AsRef::as_ref) {
        if value.is_empty() {
            return Err("query parameter \"port\" cannot be empty".to_owned());
        }
        for part in value.split(',') {
            ports.push(port(part, value)?);
        }
    }
    if ports.len() > PORTS_MAX {
        return Err(format!("at most {PORTS_MAX} ports can be forwarded at once"));
    }
    Ok(ports)
}

/// A port, with upstream's complaints.
pub(crate) fn port(part: &str, whole: &str) -> Result<u16, String> {
    let digits = !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    match part.parse::<u16>().ok().filter(|_| digits) {
        None => Err(format!("unable to parse {whole:?} as a port")),
        Some(0) => Err(format!("port {whole:?} must be > 0")),
        Some(port) => Ok(port),
    }
}

/// The headers of a request that asks for SPDY, offering `protocols` in order of preference.
pub fn spdy_request(protocols: &[&'static str]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(UPGRADE, HeaderValue::from_static(SPDY));
    for protocol in protocols {
        headers.append(PROTOCOL_VERSION.clone(), HeaderValue::from_static(protocol));
    }
    headers
}

/// The headers of a request that asks for a WebSocket, with 16 random bytes as its key.
pub fn websocket_request(protocols: &[&str], key: [u8; 16]) -> HeaderMap {
    use base64::Engine as _;
    let key = base64::engine::general_purpose::STANDARD.encode(key);
    let mut headers = HeaderMap::new();
    headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
    for (name, value) in [(SEC_WEBSOCKET_KEY, key), (SEC_WEBSOCKET_PROTOCOL, protocols.join(", "))] {
        if let Ok(value) = HeaderValue::try_from(value) {
            headers.insert(name, value);
        }
    }
    headers
}

fn is_upgrade(request: &HeaderMap) -> bool {
    request
        .get_all(CONNECTION)
        .iter()
        .any(|value| String::from_utf8_lossy(value.as_bytes()).to_ascii_lowercase().contains("upgrade"))
}

fn spdy(request: &HeaderMap, offered: &[&'static str]) -> Result<(&'static str, HeaderMap), Refused> {
    let title = "X-Stream-Protocol-Version";
    if !request.contains_key(&PROTOCOL_VERSION) {
        let body = format!(
            "unable to upgrade: header {title} does not exist in request with {} headers",
            request.keys_len()
        );
        return Err(refuse(StatusCode::BAD_REQUEST, &body));
    }
    let wanted = listed(request, &PROTOCOL_VERSION);
    if wanted.is_empty() {
        let body = format!("unable to upgrade: header {title} contains [], but no valid protocols");
        return Err(refuse(StatusCode::BAD_REQUEST, &body));
    }
    let chosen = wanted.iter().find_map(|name| offered.iter().find(|own| *own == name));
    let Some(name) = chosen else {
        let body = format!(
            "unable to upgrade: unable to negotiate protocol: client supports [{}], server accepts [{}]",
            wanted.join(" "),
            offered.join(" ")
        );
        let mut refused = refuse(StatusCode::FORBIDDEN, &body);
        for own in offered {
            refused.headers.append(ACCEPTED_VERSIONS.clone(), HeaderValue::from_static(own));
        }
        return Err(refused);
    };
    let upgrade =
        request.get(UPGRADE).map(|value| String::from_utf8_lossy(value.as_bytes()).to_ascii_lowercase());
    if !is_upgrade(request) || !upgrade.is_some_and(|value| value.contains("spdy/3.1")) {
        let names: Vec<&str> = request.keys().map(HeaderName::as_str).collect();
        let body = format!("unable to upgrade: missing upgrade headers in request: {}", names.join(" "));
        return Err(refuse(StatusCode::BAD_REQUEST, &body));
    }
    let mut headers = HeaderMap::new();
    headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(UPGRADE, HeaderValue::from_static(SPDY));
    headers.insert(PROTOCOL_VERSION.clone(), HeaderValue::from_static(name));
    Ok((*name, headers))
}

#[cfg(test)]
mod tests;
