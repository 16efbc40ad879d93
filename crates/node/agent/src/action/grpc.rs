//! gRPC probes: the service of `grpc.health.v1` is asked over HTTP/2, in the clear or over TLS, within the probe's time.
//!
//! As with kubelet's library, a connection is there once the server has spoken; until then it is tried again and again, so that a port at
//! which nobody listens is told of as a timeout.

use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use api_types::core::v1::GRPCAction;
use base::error::Chain;
use base::time::{Clock, timeout};
use bytes::Bytes;
use http::header::{CONTENT_TYPE, TE, USER_AGENT};
use http::{HeaderMap, Request};
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use node_pod::backoff::go_seconds;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use super::{Outcome, tls};
use crate::limits;

mod health;

use health::{Failed, UNAVAILABLE};

/// Asks a server by gRPC whether one of its services is well; the empty name means the server as a whole.
pub(crate) async fn grpc(
    action: &GRPCAction,
    host: &str,
    port: u16,
    clock: &dyn Clock,
    patience: Duration,
) -> Outcome {
    let at = if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") };
    let call = Call {
        host,
        port,
        uri: format!("http://{at}{}", health::METHOD),
        over_tls: action.mode.as_deref() == Some("TLS"),
        service: action.service.as_deref().unwrap_or_default(),
        heard: Arc::default(),
    };
    let within = go_seconds(patience);
    match timeout(clock, patience, call.until_heard(clock)).await {
        Ok(Ok(body)) => health::verdict(&body),
        Ok(Err(failed)) => Err(failed.said(&within)),
        Err(_) if call.heard.load(Ordering::Relaxed) => {
            Err(format!("timeout: health rpc did not complete within {within}"))
        }
        Err(_) => Err(format!(
            "timeout: failed to connect service {at:?} within {within}: context deadline exceeded"
        )),
    }
}

struct Call<'a> {
    host: &'a str,
    port: u16,
    uri: String,
    over_tls: bool,
    service: &'a str,
    /// Whether the server has begun to speak HTTP/2.
    heard: Arc<AtomicBool>,
}

/// What came of one connection.
enum Attempt {
    Answered(Bytes),
    Failed(Failed),
    /// Nobody there speaks HTTP/2.
    Unheard,
}

impl Call<'_> {
    async fn until_heard(&self, clock: &dyn Clock) -> Result<Bytes, Failed> {
        let mut wait = limits::GRPC_RETRY_FIRST;
        loop {
            match self.attempt().await {
                Attempt::Answered(body) => return Ok(body),
                Attempt::Failed(failed) => return Err(failed),
                Attempt::Unheard => clock.sleep(wait).await,
            }
            wait = wait.mul_f64(limits::GRPC_RETRY_FACTOR).min(limits::GRPC_RETRY_MAX);
        }
    }

    async fn attempt(&self) -> Attempt {
        let Ok(stream) = TcpStream::connect((self.host, self.port)).await else { return Attempt::Unheard };
        if !self.over_tls {
            return self.talk(stream).await;
        }
        match tls::connect_http2(self.host, stream).await {
            Ok(stream) => self.talk(stream).await,
            Err(_) => Attempt::Unheard,
        }
    }

    async fn talk(&self, stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static) -> Attempt {
        let stream = Heard { stream, read: 0, heard: Arc::clone(&self.heard) };
        let called = async {
            let handshake = http2::handshake::<_, _, Full<Bytes>>(TokioExecutor::new(), TokioIo::new(stream));
            let (sender, connection) = handshake.await.map_err(unavailable)?;
            let mut connection = pin!(connection);
            let mut answered = pin!(self.ask(sender));
            tokio::select! {
                biased;
                answer = &mut answered => answer,
                // What ends a connection ends the calls on it, which say more.
                _ = &mut connection => answered.await,
            }
        };
        match called.await {
            Ok(body) => Attempt::Answered(body),
            Err(failed) if self.heard.load(Ordering::Relaxed) => Attempt::Failed(failed),
            Err(_) => Attempt::Unheard,
        }
    }

    async fn ask(&self, mut sender: http2::SendRequest<Full<Bytes>>) -> Result<Bytes, Failed> {
        let request = Request::post(&self.uri)
            .header(CONTENT_TYPE, "application/grpc")
            .header(TE, "trailers")
            .header(USER_AGENT, "kube-probe/1.37")
            .body(Full::new(Bytes::from(health::request(self.service))))
            .map_err(unavailable)?;
        let answer = sender.send_request(request).await.map_err(unavailable)?;
        let (head, body) = answer.into_parts();
        health::accepted(head.status, &head.headers)?;
        let most = usize::try_from(limits::ACTION_OUTPUT_BYTES).unwrap_or(usize::MAX);
        let body = Limited::new(body, most).collect().await;
        let body = body.map_err(|error| Failed { code: UNAVAILABLE, message: Chain(&*error).to_string() })?;
        let trailers: Option<&HeaderMap> = body.trailers();
        health::ended(trailers.unwrap_or(&head.headers))?;
        Ok(body.to_bytes())
    }
}

fn unavailable(error: impl std::error::Error) -> Failed {
    Failed { code: UNAVAILABLE, message: Chain(&error).to_string() }
}

/// Where the first frame says what it is, and what a server's first frame always is: its settings.
const KIND_AT: usize = 3;
const SETTINGS: u8 = 4;

/// A connection that notes when the other side has begun to speak HTTP/2.
struct Heard<S> {
    stream: S,
    read: usize,
    heard: Arc<AtomicBool>,
}

impl<S: AsyncRead + Unpin> AsyncRead for Heard<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let polled = Pin::new(&mut self.stream).poll_read(cx, buffer);
        let new = &buffer.filled()[before..];
        let kind = KIND_AT.checked_sub(self.read).and_then(|index| new.get(index));
        if kind == Some(&SETTINGS) {
            self.heard.store(true, Ordering::Relaxed);
        }
        self.read = self.read.saturating_add(new.len());
        polled
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Heard<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests;
