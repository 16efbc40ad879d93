//! How a WebSocket is agreed on: pure functions from a request's headers to an answer's.
//!
//! Used by whoever serves one, and by whoever finds out who asks for it. What goes over it afterwards is not known here.
//! Follows `golang.org/x/net/websocket` and `k8s.io/streaming/pkg/httpstream/wsstream`, wording included.

use http::StatusCode;
use http::header::{
    CONNECTION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY,
    SEC_WEBSOCKET_PROTOCOL, SEC_WEBSOCKET_VERSION, UPGRADE, X_CONTENT_TYPE_OPTIONS,
};
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

/// An answer that refuses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// 400 or 403.
    pub status: StatusCode,
    /// The headers of the answer.
    pub headers: Box<HeaderMap>,
    /// Its text.
    pub body: String,
}

/// As Go's `http.Error` answers.
pub fn refuse(status: StatusCode, text: &str) -> Refused {
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    Refused { status, headers: Box::new(headers), body: format!("{text}\n") }
}

/// The values of a header that is a list, in order.
pub fn listed(headers: &HeaderMap, name: &HeaderName) -> Vec<String> {
    let values = headers.get_all(name).iter();
    let text = values.map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
    text.flat_map(|value| value.split(',').map(|part| part.trim().to_owned()).collect::<Vec<_>>())
        .filter(|part| !part.is_empty())
        .collect()
}

/// Whether a request asks for a WebSocket.
pub fn is_asked(request: &HeaderMap) -> bool {
    let has = |name, word: &str| listed(request, &name).iter().any(|part| part.eq_ignore_ascii_case(word));
    has(UPGRADE, "websocket") && has(CONNECTION, "upgrade")
}

/// The headers of the `101 Switching Protocols` that answers a request, with the protocol that was chosen, if any.
///
/// # Errors
/// With the answer to a request that is no proper handshake.
pub fn accept(request: &HeaderMap, protocol: &str) -> Result<HeaderMap, Refused> {
    let key = request.get(SEC_WEBSOCKET_KEY).filter(|key| !key.is_empty());
    let Some(key) = key else {
        return Err(refuse(StatusCode::BAD_REQUEST, "missing or bad Sec-WebSocket-Key"));
    };
    if request.get(SEC_WEBSOCKET_VERSION).is_none_or(|version| version != "13") {
        let mut refused = refuse(StatusCode::BAD_REQUEST, "missing or bad WebSocket Version");
        refused.headers.insert(SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
        return Err(refused);
    }
    let mut headers = HeaderMap::new();
    headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    if let Ok(accept) = HeaderValue::try_from(derive_accept_key(key.as_bytes())) {
        headers.insert(SEC_WEBSOCKET_ACCEPT, accept);
    }
    if let Ok(name) = HeaderValue::from_str(protocol)
        && !name.is_empty()
    {
        headers.insert(SEC_WEBSOCKET_PROTOCOL, name);
    }
    Ok(headers)
}

/// Chooses the first protocol that the request names and that is offered, the one without a name if it names none; answers it with
/// the headers of the `101 Switching Protocols`.
///
/// # Errors
/// With the answer, when there is none, or the request is no proper handshake.
pub fn agree<P: Copy>(request: &HeaderMap, offered: &[(&str, P)]) -> Result<(P, HeaderMap), Refused> {
    // What is no handshake at all is said first.
    accept(request, "")?;
    let mut wanted = listed(request, &SEC_WEBSOCKET_PROTOCOL);
    if wanted.is_empty() {
        wanted.push(String::new());
    }
    let chosen = wanted.iter().find_map(|name| offered.iter().find(|(own, _)| own == name));
    let Some((name, protocol)) = chosen else {
        let supported: Vec<&str> = offered.iter().map(|(name, _)| *name).collect();
        let body = format!(
            "requested protocol(s) are not supported: [{}]; supports [{}]",
            wanted.join(" "),
            supported.join(" ")
        );
        return Err(refuse(StatusCode::FORBIDDEN, &body));
    };
    Ok((*protocol, accept(request, name)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let pair = |(name, value): &(&'static str, &'static str)| {
            (HeaderName::from_static(name), HeaderValue::from_static(value))
        };
        pairs.iter().map(pair).collect()
    }

    #[test]
    fn who_asks_for_a_websocket() {
        for (pairs, asked) in [
            (&[("upgrade", "websocket"), ("connection", "Upgrade")][..], true),
            (&[("upgrade", "WebSocket"), ("connection", "keep-alive, Upgrade")], true),
            (&[("upgrade", "SPDY/3.1"), ("connection", "Upgrade")], false),
            (&[("upgrade", "websocket"), ("connection", "upgraded")], false),
            (&[("upgrade", "websocket")], false),
            (&[], false),
        ] {
            assert_eq!(is_asked(&headers(pairs)), asked, "{pairs:?}");
        }
    }

    #[test]
    fn the_first_protocol_that_both_speak_is_chosen() {
        let offered = [("", 0), ("a", 1), ("b", 2)];
        let shake = [("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="), ("sec-websocket-version", "13")];
        for (wanted, chosen) in
            [("b, a", Ok((2, "b"))), ("x,a", Ok((1, "a"))), ("", Ok((0, ""))), ("x", Err(403))]
        {
            let pairs = [&shake[..], &[("sec-websocket-protocol", wanted)]].concat();
            let agreed = agree(&headers(&pairs), &offered);
            let shown = agreed.as_ref().map(|(protocol, headers)| {
                assert_eq!(
                    headers[SEC_WEBSOCKET_ACCEPT], "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=",
                    "RFC 6455's example"
                );
                let name = headers.get(SEC_WEBSOCKET_PROTOCOL).and_then(|name| name.to_str().ok());
                (*protocol, name.unwrap_or_default())
            });
            assert_eq!(shown.map_err(|refused| refused.status.as_u16()), chosen, "{wanted}");
        }
        let refused = agree(&headers(&[]), &offered).expect_err("no key");
        assert_eq!(refused.body, "missing or bad Sec-WebSocket-Key\n");
        let refused = accept(&headers(&shake[..1]), "").expect_err("no version");
        assert_eq!((refused.body.as_str(), refused.headers.len()), ("missing or bad WebSocket Version\n", 3));
    }
}
