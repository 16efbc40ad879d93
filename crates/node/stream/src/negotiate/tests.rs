//! What requests ask for, and what they get.

use http::header::SEC_WEBSOCKET_ACCEPT;

use super::*;
use proptest::prelude::*;

fn spdy_headers(protocols: &[&'static str]) -> HeaderMap {
    spdy_request(protocols)
}

fn websocket_headers(protocols: &[&str]) -> HeaderMap {
    websocket_request(protocols, *b"the sample nonce")
}

#[test]
fn exec_takes_the_client_s_first_known_protocol() {
    let ws = |version, base64| ExecProtocol::WebSocket(Channels { version, base64 });
    for (headers, want, echoed) in [
        (websocket_headers(&["v5.channel.k8s.io"]), ws(5, false), Some("v5.channel.k8s.io")),
        (
            websocket_headers(&["v6.x", "v4.channel.k8s.io", "v5.channel.k8s.io"]),
            ws(4, false),
            Some("v4.channel.k8s.io"),
        ),
        (websocket_headers(&["v4.base64.channel.k8s.io"]), ws(4, true), Some("v4.base64.channel.k8s.io")),
        (websocket_headers(&["base64.channel.k8s.io"]), ws(1, true), Some("base64.channel.k8s.io")),
        (websocket_headers(&["channel.k8s.io"]), ws(1, false), Some("channel.k8s.io")),
        (websocket_headers(&[]), ws(1, false), None),
    ] {
        let agreed = exec(&headers).expect("agreed");
        assert_eq!(agreed.protocol, want);
        let name = agreed.headers.get(SEC_WEBSOCKET_PROTOCOL).map(|value| value.to_str().expect("text"));
        assert_eq!(name, echoed);
    }
    for (protocols, want) in [
        (&["v5.channel.k8s.io", "v4.channel.k8s.io"][..], 4),
        (&["v3.channel.k8s.io"], 3),
        (&["v2.channel.k8s.io", "channel.k8s.io"], 2),
        (&["channel.k8s.io"], 1),
    ] {
        let agreed = exec(&spdy_headers(protocols)).expect("agreed");
        assert_eq!(agreed.protocol, ExecProtocol::Spdy(want));
        assert_eq!(agreed.headers[UPGRADE], "SPDY/3.1");
    }
}

#[test]
fn the_websocket_key_is_answered_as_rfc_6455_says() {
    let mut headers = websocket_headers(&["v5.channel.k8s.io"]);
    assert_eq!(headers[SEC_WEBSOCKET_KEY], "dGhlIHNhbXBsZSBub25jZQ==");
    let agreed = exec(&headers).expect("agreed");
    assert_eq!(agreed.headers[SEC_WEBSOCKET_ACCEPT], "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    headers.insert(SEC_WEBSOCKET_VERSION, HeaderValue::from_static("8"));
    let refused = exec(&headers).expect_err("an old version");
    assert_eq!(
        (refused.status, &refused.headers[SEC_WEBSOCKET_VERSION]),
        (StatusCode::BAD_REQUEST, &HeaderValue::from_static("13"))
    );
    headers.remove(SEC_WEBSOCKET_KEY);
    assert_eq!(exec(&headers).expect_err("no key").status, StatusCode::BAD_REQUEST);
}

#[test]
fn what_cannot_be_agreed_on_is_refused_with_upstream_s_words() {
    let mut no_upgrade = spdy_headers(&["v4.channel.k8s.io"]);
    no_upgrade.remove(UPGRADE);
    let mut empty = spdy_headers(&[]);
    empty.insert(PROTOCOL_VERSION.clone(), HeaderValue::from_static(" , "));
    for (headers, status, body) in [
        (
            HeaderMap::new(),
            400,
            "unable to upgrade: header X-Stream-Protocol-Version does not exist in request with 0 headers\n",
        ),
        (
            empty,
            400,
            "unable to upgrade: header X-Stream-Protocol-Version contains [], but no valid protocols\n",
        ),
        (
            spdy_headers(&["v9.channel.k8s.io"]),
            403,
            "unable to upgrade: unable to negotiate protocol: client supports [v9.channel.k8s.io], server accepts [v4.channel.k8s.io v3.channel.k8s.io v2.channel.k8s.io channel.k8s.io]\n",
        ),
        (
            no_upgrade,
            400,
            "unable to upgrade: missing upgrade headers in request: connection x-stream-protocol-version\n",
        ),
        (
            websocket_headers(&["v9.channel.k8s.io"]),
            403,
            "requested protocol(s) are not supported: [v9.channel.k8s.io]; supports [ channel.k8s.io base64.channel.k8s.io v4.channel.k8s.io v4.base64.channel.k8s.io v5.channel.k8s.io]\n",
        ),
    ] {
        let refused = exec(&headers).expect_err("refused");
        assert_eq!((refused.status.as_u16(), refused.body.as_str()), (status, body));
    }
    let refused = exec(&spdy_headers(&["v9.channel.k8s.io"])).expect_err("refused");
    assert_eq!(refused.headers.get_all(&ACCEPTED_VERSIONS).iter().count(), 4);
}

#[test]
fn port_forward_is_tunnelled_plain_or_in_channels() {
    let tunnel = port_forward(&websocket_headers(&["SPDY/3.1+portforward.k8s.io"])).expect("agreed");
    assert_eq!(tunnel.protocol, PortProtocol::Tunnel);
    assert_eq!(tunnel.headers[SEC_WEBSOCKET_PROTOCOL], "SPDY/3.1+portforward.k8s.io");
    assert_eq!(
        port_forward(&spdy_headers(&["portforward.k8s.io"])).expect("agreed").protocol,
        PortProtocol::Spdy
    );
    let channels = port_forward(&websocket_headers(&["v4.base64.channel.k8s.io"])).expect("agreed");
    assert_eq!(channels.protocol, PortProtocol::Channels(Channels { version: 4, base64: true }));
    let refused = port_forward(&websocket_headers(&["SPDY/3.1+other.k8s.io"])).expect_err("refused");
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
}

#[test]
fn ports_are_checked() {
    assert_eq!(ports(&["80,443", "8080"]), Ok(vec![80, 443, 8080]));
    for (values, want) in [
        (&[][..], "query parameter \"port\" is required"),
        (&[""], "query parameter \"port\" cannot be empty"),
        (&["0"], "port \"0\" must be > 0"),
        (&["+80"], "unable to parse \"+80\" as a port"),
        (&["80,65536"], "unable to parse \"80,65536\" as a port"),
    ] {
        assert_eq!(ports(values), Err(want.to_owned()));
    }
}

proptest! {
    #[test]
    fn garbage_never_panics(value in "[ -~]{0,60}") {
        for name in [CONNECTION, UPGRADE, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL, PROTOCOL_VERSION.clone()] {
            let mut headers = websocket_headers(&["v5.channel.k8s.io"]);
            headers.insert(name, HeaderValue::from_str(&value).expect("a value"));
            let _ = (exec(&headers), port_forward(&headers));
        }
        let _ = ports(&[value]);
    }
}
