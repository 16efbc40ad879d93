//! SPDY/3.1 as Kubernetes uses it: many streams with headers over one connection, in both directions.
//!
//! Only what `moby/spdystream` (kubectl, kubelet, client-go) sends and understands: no requests, no pushes. That
//! implementation has no flow control: it neither sends nor heeds windows. So a window is kept only with a peer that
//! announces one in SETTINGS, as ours does; any other peer's data is held back by not reading from the connection.

pub mod connection;
mod dictionary;
pub mod frame;
pub mod headers;
mod pump;
