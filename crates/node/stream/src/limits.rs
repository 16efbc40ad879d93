//! Every bound of this crate, named.

use std::time::Duration;

/// How much of one stream waits in memory in each direction for a slow reader; also SPDY's window.
pub const STREAM_BUFFER_BYTES: usize = 64 * 1024;

/// Largest piece of a stream that is sent in one frame or message.
pub const CHUNK_BYTES: usize = 16 * 1024;

/// Largest WebSocket message that is accepted; kubectl's are of 32 KiB.
pub const MESSAGE_MAX_BYTES: usize = 4 * 1024 * 1024;

/// Largest SPDY data frame that is accepted.
pub const DATA_FRAME_MAX_BYTES: usize = 4 * 1024 * 1024;

/// Largest SPDY control frame that is accepted.
pub const CONTROL_FRAME_MAX_BYTES: usize = 64 * 1024;

/// Largest header block of a SPDY stream, unpacked.
pub const HEADERS_MAX_BYTES: usize = 64 * 1024;

/// Most headers of a SPDY stream.
pub const HEADERS_MAX_COUNT: usize = 256;

/// Most streams that a peer may have open on one connection.
pub const STREAMS_MAX: usize = 1024;

/// Most control frames that wait for a peer that does not read; more end the connection.
pub const CONTROL_QUEUE_FRAMES: usize = 4096;

/// Most data frames (of [`CHUNK_BYTES`]) of a connection that wait for the network.
pub const DATA_QUEUE_FRAMES: usize = 4;

/// Most terminal sizes that wait for whoever resizes the terminal.
pub const RESIZE_QUEUE: usize = 16;

/// Longest text of one terminal size.
pub const RESIZE_MAX_BYTES: usize = 1024;

/// Longest text of a result or error that is kept.
pub const RESULT_MAX_BYTES: usize = 64 * 1024;

/// Most ports in the query of a port-forward, each of which takes two channels of one byte's numbers.
pub const PORTS_MAX: usize = 64;

/// How long a client may take to open the streams that it announced (upstream's `DefaultStreamCreationTimeout`).
pub const STREAM_CREATION_TIMEOUT: Duration = Duration::from_secs(30);

/// How long a peer may take to read what is left and close in turn.
pub const CLOSE_TIMEOUT: Duration = Duration::from_secs(10);
