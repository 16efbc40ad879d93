//! A client and a server of every protocol, with a command between them.

use base::time::SystemClock;
use tokio::io::AsyncReadExt;

use super::*;

const ALL: Options = Options { stdin: true, stdout: true, stderr: true, tty: false };
const V5: ExecProtocol = ExecProtocol::WebSocket(Channels { version: 5, base64: false });

fn protocols() -> Vec<ExecProtocol> {
    let websocket = |version, base64| ExecProtocol::WebSocket(Channels { version, base64 });
    vec![
        websocket(5, false),
        websocket(4, false),
        websocket(4, true),
        websocket(1, false),
        websocket(1, true),
        ExecProtocol::Spdy(4),
        ExecProtocol::Spdy(3),
        ExecProtocol::Spdy(2),
        ExecProtocol::Spdy(1),
    ]
}

async fn pair(protocol: ExecProtocol, options: Options) -> (Client, Session) {
    let (a, b) = tokio::io::duplex(16 * 1024);
    let (client, session) =
        tokio::join!(Client::start(a, protocol, options), Session::serve(b, protocol, options, &SystemClock));
    (client.expect("a client"), session.expect("a session"))
}

/// A command that turns its input, up to a length, around, complains and ends with 3.
async fn run(session: Session, length: usize) {
    let mut input = vec![0; length];
    session.stdin.expect("stdin").read_exact(&mut input).await.expect("input");
    input.reverse();
    session.stdout.expect("stdout").write_all(&input).await.expect("output");
    session.stderr.expect("stderr").write_all(b"complaint").await.expect("output");
    session.done.finish(&Outcome::Exited(3), &SystemClock).await;
}

#[tokio::test]
async fn every_protocol_carries_a_command() {
    for protocol in protocols() {
        let (client, session) = pair(protocol, ALL).await;
        let input: Vec<u8> = (0..200_000_u32).map(|at| at as u8).collect();
        let command = tokio::spawn(run(session, input.len()));
        let mut stdin = client.stdin.expect("stdin");
        let mut want = input.clone();
        want.reverse();
        let typing = tokio::spawn(async move { stdin.write_all(&input).await });
        let (mut output, mut errors) = (Vec::new(), String::new());
        client.stdout.expect("stdout").read_to_end(&mut output).await.expect("output");
        client.stderr.expect("stderr").read_to_string(&mut errors).await.expect("errors");
        assert!(output == want && errors == "complaint", "{protocol:?}");
        let outcome = client.ending.outcome(&SystemClock).await;
        if protocol.has_status() {
            assert_eq!(outcome, Outcome::Exited(3), "{protocol:?}");
        } else {
            assert!(matches!(outcome, Outcome::Failed(_)), "{protocol:?}");
        }
        typing.await.expect("typed").expect("sent");
        command.await.expect("the command ends");
    }
}

#[tokio::test]
async fn input_ends_where_the_protocol_can_say_so() {
    for protocol in [V5, ExecProtocol::Spdy(4)] {
        let (client, session) = pair(protocol, ALL).await;
        let command = tokio::spawn(async move {
            let mut text = String::new();
            session.stdin.expect("stdin").read_to_string(&mut text).await.expect("input");
            session.stdout.expect("stdout").write_all(text.as_bytes()).await.expect("output");
            drop(session.stderr);
            session.done.finish(&Outcome::Exited(0), &SystemClock).await;
        });
        let mut stdin = client.stdin.expect("stdin");
        stdin.write_all(b"cat").await.expect("sent");
        drop(stdin);
        let mut text = String::new();
        client.stdout.expect("stdout").read_to_string(&mut text).await.expect("output");
        assert_eq!(text, "cat");
        assert_eq!(client.ending.outcome(&SystemClock).await, Outcome::Exited(0));
        command.await.expect("the command ends");
    }
}

#[tokio::test]
async fn terminals_have_sizes() {
    let options = Options { stdin: true, stdout: true, stderr: false, tty: true };
    for protocol in [V5, ExecProtocol::Spdy(4), ExecProtocol::Spdy(3)] {
        let (client, mut session) = pair(protocol, options).await;
        for size in [TerminalSize { width: 80, height: 24 }, TerminalSize { width: 132, height: 50 }] {
            client.resize.send(size).await.expect("sent");
            assert_eq!(session.resize.recv().await, Some(size), "{protocol:?}");
        }
    }
}

#[tokio::test]
async fn a_client_that_goes_away_is_noticed() {
    for protocol in [V5, ExecProtocol::Spdy(4)] {
        let (client, session) = pair(protocol, ALL).await;
        let abandoned = session.done.abandoned();
        drop(client);
        abandoned.await;
        let mut text = String::new();
        session.stdin.expect("stdin").read_to_string(&mut text).await.expect("ended");
        assert_eq!(text, "");
        drop((session.stdout, session.stderr));
        session.done.finish(&Outcome::Exited(0), &SystemClock).await;
    }
}

#[tokio::test]
async fn a_command_that_fails_says_why() {
    for protocol in [V5, ExecProtocol::Spdy(4)] {
        let (client, session) = pair(protocol, ALL).await;
        drop((session.stdin, session.stdout, session.stderr));
        let failed = Outcome::Failed("error executing command in container: no such file".to_owned());
        let (outcome, ()) =
            tokio::join!(client.ending.outcome(&SystemClock), session.done.finish(&failed, &SystemClock));
        assert_eq!(outcome, failed);
    }
}

/// kubectl takes any other close for an error.
#[tokio::test]
async fn a_session_ends_with_its_result_and_a_normal_close() {
    use futures_util::StreamExt;
    use tokio_tungstenite::tungstenite::Message;
    use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

    let (a, b) = tokio::io::duplex(16 * 1024);
    let options = Options { stdin: false, stdout: true, stderr: false, tty: false };
    let session = Session::serve(b, V5, options, &SystemClock).await.expect("a session");
    drop(session.stdout);
    let done = tokio::spawn(async move { session.done.finish(&Outcome::Exited(0), &SystemClock).await });
    let mut raw = websocket::upgraded(a, WebSocketRole::Client).await;
    let mut messages = Vec::new();
    while let Some(Ok(message)) = raw.next().await {
        messages.push(message);
    }
    done.await.expect("finished");
    assert_eq!(messages[0], Message::binary(vec![STDOUT]), "the greeting");
    assert_eq!(messages[1].clone().into_data(), &b"\x03{\"metadata\":{},\"status\":\"Success\"}"[..]);
    let Message::Close(Some(frame)) = &messages[2] else { panic!("unexpected {messages:?}") };
    assert_eq!((messages.len(), frame.code), (3, CloseCode::Normal));
}

#[tokio::test]
async fn a_lost_connection_is_a_failure() {
    let (client, session) = pair(V5, ALL).await;
    drop(session);
    assert!(matches!(client.ending.outcome(&SystemClock).await, Outcome::Failed(_)));
}

#[tokio::test]
async fn unknown_and_repeated_streams_are_refused() {
    let (a, b) = tokio::io::duplex(16 * 1024);
    let client = Connection::start(a, Role::Client);
    let options = Options { stdin: false, stdout: true, stderr: false, tty: false };
    let serving =
        tokio::spawn(async move { Session::serve(b, ExecProtocol::Spdy(4), options, &SystemClock).await });
    let open =
        async |kind: &str| client.open(crate::spdy::headers::Headers::new(&[("streamType", kind)])).await;
    let _error = open("error").await.expect("accepted");
    for kind in ["error", "stdin", "nonsense"] {
        assert!(matches!(open(kind).await, Err(StreamError::Refused(_))), "{kind}");
    }
    let _stdout = open("stdout").await.expect("accepted");
    serving.await.expect("served").expect("a session");
}

#[test]
fn options_ask_for_something() {
    assert_eq!(Options::new(true, true, true, true).map(|options| options.stderr), Ok(false));
    assert_eq!(
        Options::new(false, false, true, true),
        Err("you must specify at least 1 of stdin, stdout, stderr")
    );
}
