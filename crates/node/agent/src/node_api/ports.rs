//! Ports of pods, reached from within their network namespaces.
#![allow(clippy::disallowed_types, reason = "this reaches pods by the network")]

use std::io;
use std::net::TcpStream as Blocking;
use std::sync::Arc;

use base::time::Clock;
use host::netlink::within;
use node_runtime::PodHandle;
use node_stream::negotiate::PortProtocol;
use node_stream::port_forward::{PortConnection, PortSession};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use super::Upgraded;

/// Serves connections to a pod's ports until the client is gone.
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
        connections.spawn(one(handle.clone(), uid.clone(), connection));
        while connections.try_join_next().is_some() {}
    }
}

async fn one(handle: PodHandle, uid: String, connection: PortConnection) {
    let PortConnection { port, mut data, error } = connection;
    let failed = match connect(&handle, port).await {
        Ok(mut stream) => tokio::io::copy_bidirectional(&mut data, &mut stream).await.err(),
        Err(error) => Some(error),
    };
    if let Some(why) = failed {
        let message = format!("error forwarding port {port} to pod {uid}, uid {uid}: {why}");
        error.report(&message).await;
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
