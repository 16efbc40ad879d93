//! gRPC probes against a small server of HTTP/2.

use std::sync::Mutex;

use api_types::core::v1::GRPCAction;
use base::time::{Sleep, SystemClock, Time};
use http::{HeaderValue, Response, StatusCode};
use hyper::body::Incoming;
use hyper::server::conn::http2 as server;
use hyper::service::service_fn;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;
use tokio::sync::Notify;

use super::*;

const LONG: Duration = Duration::from_secs(60);

/// What a server of the test is asked, and answers.
#[derive(Clone)]
struct Answer {
    status: StatusCode,
    headers: Vec<(&'static str, &'static str)>,
    body: &'static [u8],
    trailers: Vec<(&'static str, &'static str)>,
}

fn map(list: &[(&'static str, &'static str)]) -> HeaderMap {
    list.iter().map(|(name, value)| (name.parse().unwrap(), HeaderValue::from_static(value))).collect()
}

/// Answers by gRPC with this message and these trailers.
fn answer(body: &'static [u8], trailers: &[(&'static str, &'static str)]) -> Answer {
    Answer {
        status: StatusCode::OK,
        headers: vec![("content-type", "application/grpc")],
        body,
        trailers: trailers.to_vec(),
    }
}

/// Answers one call, and tells what it was asked.
async fn serve(listener: TcpListener, answer: Answer) -> (String, Vec<u8>) {
    let (stream, _) = listener.accept().await.unwrap();
    let asked = Arc::new(Mutex::new(Default::default()));
    let told = Arc::clone(&asked);
    let service = service_fn(move |request: http::Request<Incoming>| {
        let (answer, told) = (answer.clone(), Arc::clone(&told));
        async move {
            let path = request.uri().path().to_owned();
            let body = request.into_body().collect().await.unwrap().to_bytes().to_vec();
            *told.lock().unwrap() = (path, body);
            let trailers = map(&answer.trailers);
            let body =
                Full::new(Bytes::from_static(answer.body)).with_trailers(async move { Some(Ok(trailers)) });
            let mut response = Response::new(body);
            *response.status_mut() = answer.status;
            response.headers_mut().extend(map(&answer.headers));
            Ok::<_, std::convert::Infallible>(response)
        }
    });
    // However the client ends it.
    let _ = server::Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(stream), service).await;
    let asked = asked.lock().unwrap();
    asked.clone()
}

async fn bound() -> (TcpListener, u16) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    (listener, port)
}

/// The probe's time in tests that let it run out.
const PATIENCE: Duration = Duration::from_secs(90);

/// A clock by which the probe's time is over when the test says so, and other waits are at once.
#[derive(Default)]
struct Patience(Arc<Notify>);

impl Clock for Patience {
    fn now(&self) -> Time {
        Time::EPOCH
    }

    fn sleep(&self, duration: Duration) -> Sleep {
        let over = Arc::clone(&self.0);
        Box::pin(async move {
            match duration {
                PATIENCE => over.notified().await,
                _ => tokio::task::yield_now().await,
            }
        })
    }
}

#[tokio::test]
async fn a_service_is_asked_for_its_health() {
    let serving = &[0, 0, 0, 0, 2, 8, 1];
    for (answer, expected) in [
        (answer(serving, &[("grpc-status", "0")]), Ok("service healthy".to_owned())),
        (
            answer(&[0, 0, 0, 0, 2, 8, 2], &[("grpc-status", "0")]),
            Err("service unhealthy (responded with \"NOT_SERVING\")".to_owned()),
        ),
        (
            answer(&[], &[("grpc-status", "5"), ("grpc-message", "unknown%20service")]),
            Err("error: health rpc probe failed: rpc error: code = NotFound desc = unknown service"
                .to_owned()),
        ),
        (
            Answer { status: StatusCode::NOT_FOUND, headers: vec![], body: b"", trailers: vec![] },
            Err("error: this server does not implement the grpc health protocol (grpc.health.v1.Health): \
                 unexpected HTTP status code received from server: 404 (Not Found); \
                 malformed header: missing HTTP content-type"
                .to_owned()),
        ),
    ] {
        let (listener, port) = bound().await;
        let action = GRPCAction { service: Some("db".to_owned()), ..GRPCAction::default() };
        let (said, (path, body)) =
            tokio::join!(grpc(&action, "127.0.0.1", port, &SystemClock, LONG), serve(listener, answer));
        assert_eq!(said, expected);
        assert_eq!((path.as_str(), body.as_slice()), (health::METHOD, &b"\0\0\0\0\x04\x0a\x02db"[..]));
    }
}

#[tokio::test]
async fn a_server_that_hangs_has_not_completed_the_call() {
    let (listener, port) = bound().await;
    let clock = Patience::default();
    let silent = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        // Empty settings, and nothing more, until the client has taken them for its own.
        stream.write_all(&[0, 0, 0, 4, 0, 0, 0, 0, 0]).await.unwrap();
        let acknowledged = [0, 0, 0, 4, 1, 0, 0, 0, 0];
        let mut read = Vec::new();
        while !read.windows(9).any(|part| part == acknowledged) {
            tokio::io::AsyncReadExt::read_buf(&mut stream, &mut read).await.unwrap();
        }
        clock.0.notify_one();
        stream
    };
    let action = GRPCAction::default();
    let (said, _stream) = tokio::join!(grpc(&action, "127.0.0.1", port, &clock, PATIENCE), silent);
    assert_eq!(said, Err("timeout: health rpc did not complete within 1m30s".to_owned()));
}

#[tokio::test]
async fn a_port_where_nobody_speaks_http2_is_a_timeout() {
    let (listener, port) = bound().await;
    let clock = Patience::default();
    let other = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        stream.write_all(b"SSH-2.0-test\r\n").await.unwrap();
        drop(stream);
        // The second attempt comes to nothing either, and those after it are refused until time is up.
        let (second, _) = listener.accept().await.unwrap();
        drop((second, listener));
        clock.0.notify_one();
    };
    let action = GRPCAction::default();
    let probed = grpc(&action, "127.0.0.1", port, &clock, PATIENCE);
    let (said, ()) = tokio::join!(probed, other);
    let expected = format!(
        "timeout: failed to connect service \"127.0.0.1:{port}\" within 1m30s: context deadline exceeded"
    );
    assert_eq!(said, Err(expected));
}
