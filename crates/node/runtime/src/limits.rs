//! Every bound of this crate, by name.

use std::time::Duration;

/// The longest frame of the protocol: a container's description with all its environment.
pub const FRAME_BYTES_MAX: usize = 16 << 20;
/// The most descriptors that one frame may carry: as many as the kernel takes in one message. Of the processes and terminals of a pod that
/// has more, the rest are not held by the agent.
pub const FRAME_DESCRIPTORS_MAX: usize = 253;
/// The most connections that a shim serves at once: its agent's, and one that is replacing it.
pub const CLIENTS_MAX: usize = 16;
/// How much a shim keeps for a client that does not read before it hangs up on it.
pub const CLIENT_BACKLOG_BYTES_MAX: usize = 32 << 20;
/// The longest log line; what is longer is written in parts (tag `P`), as containerd does.
pub const LOG_LINE_BYTES_MAX: usize = 16 << 10;
/// How much of a container's output one read takes.
pub const OUTPUT_READ_BYTES: usize = 64 << 10;
/// The default size at which a log file is rotated: kubelet's `containerLogMaxSize`.
pub const LOG_FILE_BYTES_DEFAULT: u64 = 10 << 20;
/// The default number of log files of a container: kubelet's `containerLogMaxFiles`.
pub const LOG_FILES_DEFAULT: u32 = 5;
/// How many attached clients' pipes a container's output goes to.
pub const ATTACHED_MAX: usize = 32;
/// How much an attached client may lag behind before it is cut off, so that it never holds up the container.
pub const ATTACHED_PIPE_BYTES: usize = 1 << 20;
/// The default size of a pod's /dev/shm: containerd's.
pub const SHM_BYTES_DEFAULT: u64 = 64 << 20;
/// How long a shim waits for killed processes to be gone before it answers that they are not.
pub const KILL_WAIT: Duration = Duration::from_secs(10);
/// How long the agent waits for a shim to say that it is ready.
pub const SHIM_READY: Duration = Duration::from_secs(30);
/// How long the agent waits for the answer to a call that starts something.
pub const CALL: Duration = Duration::from_secs(120);
/// How many events a slow listener may lag behind.
pub const EVENTS_MAX: usize = 1024;
/// The longest message of a failed start that is kept: kubelet's bound of a termination message.
pub const MESSAGE_BYTES_MAX: usize = 4096;
/// How long to wait for a gone process's exit code when another process has to reap it. An init system does so at once; some only now and
/// then.
pub const EXIT_INFO_WAIT: Duration = Duration::from_secs(10);
/// The most bytes of /etc/passwd and /etc/group that are read from an image.
pub const IDENTITY_FILE_BYTES_MAX: u64 = 1 << 20;
