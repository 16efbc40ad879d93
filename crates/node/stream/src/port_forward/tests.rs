//! Ports over every protocol, with an echoing port behind them.

use base::time::SystemClock;

use super::*;

/// Echoes every connection; says what port it was.
async fn echo(mut session: PortSession) -> usize {
    let mut served = Vec::new();
    while let Some(connection) = session.next(&SystemClock).await {
        served.push(tokio::spawn(async move {
            if connection.port == 1 {
                let why = "error forwarding port 1 to pod p, uid u: refused";
                return connection.error.report(why).await;
            }
            let (mut read, mut write) = tokio::io::split(connection.data);
            write.write_all(&connection.port.to_be_bytes()).await.expect("sent");
            let _ = tokio::io::copy(&mut read, &mut write).await;
            let _ = write.shutdown().await;
        }));
    }
    let count = served.len();
    for task in served {
        task.await.expect("echoed");
    }
    count
}

async fn start(protocol: PortProtocol) -> (PortClient, tokio::task::JoinHandle<usize>) {
    let (a, b) = tokio::io::duplex(16 * 1024);
    let server = tokio::spawn(async move { echo(PortSession::serve(b, protocol, &[]).await).await });
    (PortClient::start(a, protocol == PortProtocol::Tunnel).await, server)
}

#[tokio::test]
async fn many_connections_at_once_each_get_their_own_bytes() {
    for protocol in [PortProtocol::Spdy, PortProtocol::Tunnel] {
        let (mut client, server) = start(protocol).await;
        let mut running = Vec::new();
        for port in 1000..1050_u16 {
            let forwarded = client.open(port).await.expect("opened");
            running.push(tokio::spawn(async move {
                let input = vec![port as u8; 30_000];
                let (mut read, mut write) = tokio::io::split(forwarded.data);
                let send = async {
                    write.write_all(&input).await.expect("sent");
                    write.shutdown().await.expect("ended");
                };
                let mut output = Vec::new();
                let (_, read) = tokio::join!(send, read.read_to_end(&mut output));
                read.expect("read");
                assert_eq!(output[..2], port.to_be_bytes());
                assert_eq!(output[2..], input);
                assert_eq!(forwarded.error.message().await, None);
            }));
        }
        for task in running {
            task.await.expect("forwarded");
        }
        client.close(&SystemClock).await;
        assert_eq!(server.await.expect("served"), 50, "{protocol:?}");
    }
}

#[tokio::test]
async fn a_port_that_cannot_be_reached_says_why_and_the_others_go_on() {
    for protocol in [PortProtocol::Spdy, PortProtocol::Tunnel] {
        let (mut client, _server) = start(protocol).await;
        let failed = client.open(1).await.expect("opened");
        let message = failed.error.message().await.expect("a message");
        assert_eq!(message, "error forwarding port 1 to pod p, uid u: refused");
        let mut good = client.open(80).await.expect("opened");
        let mut port = [0; 2];
        good.data.read_exact(&mut port).await.expect("read");
        assert_eq!(u16::from_be_bytes(port), 80);
    }
}

#[tokio::test]
async fn streams_without_sense_are_refused_and_old_clients_understood() {
    let (a, b) = tokio::io::duplex(16 * 1024);
    let client = Connection::start(a, Role::Client);
    let mut session = PortSession::serve(b, PortProtocol::Spdy, &[]).await;
    let next = tokio::spawn(async move { (session.next(&SystemClock).await, session) });
    let open = async |pairs: &[(&str, &str)]| client.open(Headers::new(pairs)).await;
    for pairs in [
        &[("streamType", "data")][..],
        &[("streamType", "data"), ("port", "0")],
        &[("streamType", "data"), ("port", "x")],
        &[("streamType", "other"), ("port", "80")],
        &[("port", "80")],
    ] {
        assert!(matches!(open(pairs).await, Err(StreamError::Refused(_))), "{pairs:?}");
    }
    let _error = open(&[("streamType", "error"), ("port", "80")]).await.expect("accepted");
    let _data = open(&[("streamType", "data"), ("port", "80")]).await.expect("accepted");
    let (connection, _session) = next.await.expect("paired");
    assert_eq!(connection.expect("a connection").port, 80);
}

#[tokio::test]
async fn channels_begin_with_their_port() {
    let (a, b) = tokio::io::duplex(16 * 1024);
    let codec = Channels { version: 4, base64: false };
    let server = tokio::spawn(async move {
        echo(PortSession::serve(b, PortProtocol::Channels(codec), &[1, 8080]).await).await
    });
    let websocket = upgraded(a, WebSocketRole::Client).await;
    let ways = [(0, Way::Both), (1, Way::In), (2, Way::Both), (3, Way::In)];
    let mut mux = Mux::start(websocket, codec, &ways, true);
    let mut text = vec![0; 2 + 48];
    let mut error = mux.channels.remove(&1).expect("the first error").data;
    error.read_exact(&mut text).await.expect("read");
    assert_eq!(
        (&text[..2], &text[2..]),
        (&[1, 0][..], &b"error forwarding port 1 to pod p, uid u: refused"[..])
    );
    let mut data = mux.channels.remove(&2).expect("the second port").data;
    data.write_all(b"hello").await.expect("sent");
    let mut text = [0; 9];
    data.read_exact(&mut text).await.expect("read");
    assert_eq!(&text, b"\x90\x1f\x1f\x90hello");
    drop((data, error));
    mux.close(&SystemClock).await;
    assert_eq!(server.await.expect("served"), 2);
}

#[tokio::test]
async fn a_client_of_channels_learns_that_the_port_has_ended() {
    let (a, b) = tokio::io::duplex(16 * 1024);
    let codec = Channels { version: 4, base64: false };
    let server = tokio::spawn(async move {
        let mut session = PortSession::serve(b, PortProtocol::Channels(codec), &[80]).await;
        let mut connection = session.next(&SystemClock).await.expect("the port of the query");
        assert!(session.next(&SystemClock).await.is_none(), "there are no others");
        connection.data.write_all(b"all of it").await.expect("sent");
        drop(connection);
        session.close(&SystemClock).await;
    });
    let websocket = upgraded(a, WebSocketRole::Client).await;
    let mut mux = Mux::start(websocket, codec, &[(0, Way::Both), (1, Way::In)], true);
    let mut data = mux.channels.remove(&0).expect("the port").data;
    let mut text = Vec::new();
    data.read_to_end(&mut text).await.expect("read to its end");
    assert_eq!(text, b"\x50\x00all of it");
    server.await.expect("served");
}

#[test]
fn half_a_connection_is_forgotten_after_a_while() {
    let mut pending = BTreeMap::from([
        ("old".to_owned(), Pending::default()),
        ("new".to_owned(), Pending { since: Time::from_unix_seconds(31), ..Pending::default() }),
    ]);
    forget_overdue(&mut pending, Time::from_unix_seconds(31));
    assert_eq!(pending.keys().collect::<Vec<_>>(), ["new"]);
}
