//! What a request says besides what it asks for: what the other end must not know, and what it must.

use base_serve::Peer;
use http::header::{AUTHORIZATION, CACHE_CONTROL, HeaderName, SEC_WEBSOCKET_PROTOCOL};
use http::{HeaderMap, HeaderValue};
use server_authn::authenticator::PROTOCOL_PREFIX;
use server_authn::front_proxy::FrontProxyHeaders;

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// Takes out what proves or says who asks. Upstream's filters do that once they have read it (`authentication.go`, `impersonation.go`).
pub(crate) fn forget_caller(headers: &mut HeaderMap) {
    headers.remove(AUTHORIZATION);
    FrontProxyHeaders::default().clear(headers);
    let impersonation: Vec<HeaderName> =
        headers.keys().filter(|name| name.as_str().starts_with("impersonate-")).cloned().collect();
    for name in impersonation {
        headers.remove(name);
    }
    forget_protocol_token(headers);
}

/// Takes the token out of a WebSocket's protocols.
fn forget_protocol_token(headers: &mut HeaderMap) {
    let values = headers.get_all(SEC_WEBSOCKET_PROTOCOL).into_iter().filter_map(|value| value.to_str().ok());
    let all: Vec<String> =
        values.flat_map(|value| value.split(',')).map(|name| name.trim().to_owned()).collect();
    let others: Vec<&str> =
        all.iter().map(String::as_str).filter(|name| !name.starts_with(PROTOCOL_PREFIX)).collect();
    if others.len() == all.len() {
        return;
    }
    headers.remove(SEC_WEBSOCKET_PROTOCOL);
    if let Ok(value) = HeaderValue::from_str(&others.join(","))
        && !others.is_empty()
    {
        headers.insert(SEC_WEBSOCKET_PROTOCOL, value);
    }
}

/// Says for whom it is asked: after those that said so before, whoever is connected here.
pub(crate) fn forwarded_for(headers: &mut HeaderMap, peer: &Peer) {
    let Some(address) = peer.address else { return };
    let before = headers.get_all(&FORWARDED_FOR).into_iter().filter_map(|value| value.to_str().ok());
    let mut all: Vec<String> = before.map(str::to_owned).collect();
    all.push(address.ip().to_canonical().to_string());
    if let Ok(value) = HeaderValue::from_str(&all.join(", ")) {
        headers.insert(FORWARDED_FOR, value);
    }
}

/// Takes out what would let pages from elsewhere ask the API server.
pub(crate) fn forget_origins(headers: &mut HeaderMap) {
    for name in ["credentials", "headers", "methods", "origin"] {
        headers.remove(format!("access-control-allow-{name}"));
    }
}

/// Says that the answer is for this client and this time, as of all answers of the API, before what the other end says of it.
pub(crate) fn not_to_be_kept(headers: &mut HeaderMap) {
    let theirs: Vec<HeaderValue> = headers.get_all(CACHE_CONTROL).into_iter().cloned().collect();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache, private"));
    for value in theirs {
        headers.append(CACHE_CONTROL, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&str, &str)]) -> HeaderMap {
        let pair = |(name, value): &(&str, &str)| {
            (name.parse::<HeaderName>().expect("a name"), HeaderValue::from_str(value).expect("a value"))
        };
        pairs.iter().map(pair).collect()
    }

    #[test]
    fn nothing_of_the_caller_goes_on() {
        let mut given = headers(&[
            ("authorization", "Bearer x"),
            ("x-remote-user", "root"),
            ("x-remote-uid", "0"),
            ("x-remote-group", "system:masters"),
            ("x-remote-extra-scopes", "all"),
            ("impersonate-user", "ada"),
            ("impersonate-group", "b"),
            ("impersonate-extra-scopes", "all"),
            ("sec-websocket-protocol", "base64url.bearer.authorization.k8s.io.eA, chat"),
            ("cookie", "own=1"),
        ]);
        forget_caller(&mut given);
        assert_eq!(given, headers(&[("sec-websocket-protocol", "chat"), ("cookie", "own=1")]));
        let mut plain = headers(&[("sec-websocket-protocol", "a, b"), ("sec-websocket-protocol", "c")]);
        forget_caller(&mut plain);
        assert_eq!(plain.get_all("sec-websocket-protocol").iter().count(), 2);
    }

    #[test]
    fn who_asks_is_added_to_those_before() {
        let peer =
            Peer { address: Some("[::ffff:192.0.2.1]:5".parse().expect("an address")), ..Peer::default() };
        let mut given = headers(&[("x-forwarded-for", "10.0.0.1"), ("x-forwarded-for", "10.0.0.2")]);
        forwarded_for(&mut given, &peer);
        assert_eq!(given, headers(&[("x-forwarded-for", "10.0.0.1, 10.0.0.2, 192.0.2.1")]));
        let mut none = HeaderMap::new();
        forwarded_for(&mut none, &Peer::default());
        assert!(none.is_empty());
    }

    #[test]
    fn the_others_cache_control_comes_second() {
        let mut given = headers(&[("cache-control", "max-age=1"), ("access-control-allow-origin", "*")]);
        not_to_be_kept(&mut given);
        forget_origins(&mut given);
        let values: Vec<&[u8]> = given.get_all(CACHE_CONTROL).iter().map(HeaderValue::as_bytes).collect();
        assert_eq!((values, given.len()), (vec![&b"no-cache, private"[..], b"max-age=1"], 2));
    }
}
