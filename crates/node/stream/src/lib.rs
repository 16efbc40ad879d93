//! The stream protocols of exec, attach and port-forward: WebSocket channels, SPDY/3.1, and SPDY inside WebSocket.
//!
//! Purpose: from an upgraded connection to plain byte streams, and back, whatever protocol the two sides agreed on.
//!
//! Layer: `node`; depends on `base` and `base-serve` only, which knows how WebSockets are agreed on. Used by the node's agent (which runs commands and reaches ports), by the API
//! server's proxy, and by clients of either. What is run or reached is not known here, nor are HTTP and TLS: the caller
//! upgrades the connection and hands in anything that is `AsyncRead + AsyncWrite`.
//!
//! Entry points: [`negotiate`] (pure: headers to headers), [`session::Session`], [`port_forward::PortSession`]; their
//! other sides are [`session::Client`] and [`port_forward::PortClient`].
//!
//! Invariants: nothing a peer sends panics; what it may not send ends its connection. Every stream has a bounded buffer
//! each way and is held back by it. A result is sent after all output, and the connection closed after the result.
//! Dropping a session or connection ends it at once.
//!
//! State: none that survives a restart; a session dies with its connection, the command it ran does not.
//!
//! Failure: nothing is retried. A peer that is gone ends the input and is told by `abandoned()`; whoever runs the
//! command decides what becomes of it.
//!
//! Limits: [`limits`].
//!
//! Upstream: `k8s.io/streaming`, `k8s.io/cri-streaming` and client-go's `remotecommand` and `portforward` of 1.37, and
//! `moby/spdystream`. Different: the first version of exec over SPDY treats its streams as the second does, instead of
//! closing the input at once; SPDY windows are kept with peers that announce them.
//!
//! To test: `cargo test -p node-stream`: both sides of every protocol in memory, and bytes made by hand.

pub mod error;
pub mod limits;
pub mod negotiate;
pub mod outcome;
pub mod port_forward;
pub mod session;
pub mod spdy;
pub mod websocket;
