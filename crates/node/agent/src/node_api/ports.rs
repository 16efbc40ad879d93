//! Ports of pods, reached from within their network namespaces.
#![allow(clippy::disallowed_types, reason = "this reaches pods by the network")]

use std::io;
use std::net::TcpStream as Blocking;
use std::sync::Arc;
use std::time::Duration;

use base::time::{Clock, timeout};
use host::netlink::within;
use node_runtime::PodHandle;
use node_stream::negotiate::PortProtocol;
use node_stream::port_forward::{PortConnection, PortSession};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _, copy, split};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use super::Upgraded;

/// How long what a client still sends is taken after the port has ended, as containerd and socat do.
const LINGER: Duration = Duration::from_millis(500);

/// Serves connections to a pod's ports until the client is gone, or all that it may have are over.
pub(super) async fn forward(
    handle: PodHandle,
    uid: String,
    ports: Vec<u16>,
    io: Upgraded,
    protocol: PortProtocol,
    clock: Arc<dyn Clock>,
) {
    let mut session = PortSession::serve(io, protocol, &ports).await;
    let mut connections = JoinSet::new();
    while let Some(connection) = session.next(clock.as_ref()).await {
        connections.spawn(one(handle.clone(), uid.clone(), connection, Arc::clone(&clock)));
        while connections.try_join_next().is_some() {}
    }
    tokio::select! {
        () = session.ended() => {}
        () = async { while connections.join_next().await.is_some() {} } => {}
    }
    connections.shutdown().await;
    session.close(clock.as_ref()).await;
}

async fn one(handle: PodHandle, uid: String, connection: PortConnection, clock: Arc<dyn Clock>) {
    let PortConnection { port, data, error } = connection;
    let failed = match connect(&handle, port).await {
        Ok(stream) => carry(data, stream, clock.as_ref()).await.err(),
        Err(error) => Some(error),
    };
    if let Some(why) = failed {
        let message = format!("error forwarding port {port} to pod {uid}, uid {uid}: {why}");
        error.report(&message).await;
    }
}

/// Carries bytes both ways until the port has ended: a client need not say that it has, and some cannot.
async fn carry(
    client: impl AsyncRead + AsyncWrite,
    port: impl AsyncRead + AsyncWrite,
    clock: &dyn Clock,
) -> io::Result<()> {
    let (mut from_client, mut to_client) = split(client);
    let (mut from_port, mut to_port) = split(port);
    let asked = async {
        copy(&mut from_client, &mut to_port).await?;
        to_port.shutdown().await
    };
    let answered = async {
        copy(&mut from_port, &mut to_client).await?;
        to_client.shutdown().await
    };
    tokio::pin!(asked, answered);
    tokio::select! {
        result = &mut answered => {
            result?;
            // What comes of it interests nobody any more.
            let _ = timeout(clock, LINGER, asked).await;
            Ok(())
        }
        result = &mut asked => {
            result?;
            answered.await
        }
    }
}

async fn connect(handle: &PodHandle, port: u16) -> io::Result<TcpStream> {
    let Some(namespace) = handle.netns() else { return TcpStream::connect(("localhost", port)).await };
    let opened = tokio::task::spawn_blocking(move || {
        let open = || Blocking::connect(("127.0.0.1", port)).or_else(|_| Blocking::connect(("::1", port)));
        within(&namespace, open).map_err(io::Error::other)?
    });
    let stream = opened.await.map_err(io::Error::other)??;
    stream.set_nonblocking(true)?;
    TcpStream::from_std(stream)
}

#[cfg(test)]
mod tests {
    use base::time::SystemClock;
    use tokio::io::{AsyncReadExt as _, duplex};

    use super::*;

    #[tokio::test]
    async fn it_is_over_when_the_port_has_ended_whatever_the_client_says() {
        let ((mut client, inner), (port, mut server)) = (duplex(64), duplex(64));
        let carried = tokio::spawn(async move { carry(inner, port, &SystemClock).await });
        client.write_all(b"question").await.expect("sent");
        let mut asked = [0; 8];
        server.read_exact(&mut asked).await.expect("read");
        server.write_all(b"answer").await.expect("sent");
        drop(server);
        let mut answer = String::new();
        client.read_to_string(&mut answer).await.expect("read to its end");
        assert_eq!((&asked, answer.as_str()), (b"question", "answer"));
        carried.await.expect("it ends").expect("nothing went wrong");
    }

    #[tokio::test]
    async fn a_client_that_has_ended_gets_its_answer() {
        let ((mut client, inner), (port, mut server)) = (duplex(64), duplex(64));
        let carried = tokio::spawn(async move { carry(inner, port, &SystemClock).await });
        client.write_all(b"question").await.expect("sent");
        client.shutdown().await.expect("shut down");
        let mut asked = String::new();
        server.read_to_string(&mut asked).await.expect("read to its end");
        server.write_all(b"answer").await.expect("sent");
        drop(server);
        let mut answer = String::new();
        client.read_to_string(&mut answer).await.expect("read to its end");
        assert_eq!((asked.as_str(), answer.as_str()), ("question", "answer"));
        carried.await.expect("it ends").expect("nothing went wrong");
    }
}
