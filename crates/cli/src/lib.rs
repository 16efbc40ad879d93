//! `knarr`'s commands: what the words of a command line mean, and all of their doing that needs no part of the cluster.
//!
//! Layer: below `knarr`, which wires it to the parts; above `host` and `base`.
//!
//! Entry points: [`invocation::read`] (a command line made whole: flags, environment, file), [`up::up`] and [`down::down`] (the
//! life cycle, over the traits of [`machine`] that the binary implements). Each other command is a module of its name.
//!
//! Invariants:
//! - An option is defined once, as a flag; environment variables and keys of the configuration file are other ways to give it. An
//!   unknown name is an error that suggests the near one, and a value that is taken is one that the cluster can use.
//! - What decides is pure: [`config`], [`kubeconfig`], [`check::judge`], [`up::progress`], the unit's text. Files, processes and
//!   sockets are touched by the modules that say so at their top.
//! - No process is signalled by a bare id: records name it by start time and boot too ([`instance`], [`stop`]).
//! - Nothing of a user's is lost: foreign entries of a kubeconfig stay, a directory that is not ours or holds a mount is not deleted.
//!
//! State: `server/knarr.pid` (or `agent/`), `lock` and `server/log/knarr.log` in the data directory survive a restart; a note of the
//! cluster in `/run/knarr/clusters` lasts while it runs and, where it has a node, until `down`. The kubeconfig and the systemd unit last until they are removed.
//!
//! Failure: every error says what is wrong and what to do. Nothing here tries again; `up` and `down` are safe to run again. A crash of
//! `up` leaves a server that runs on.
//!
//! Limits: see [`limits`].
//!
//! Upstream behaviour answered to: names of flags, variables, keys and drop-ins as K3s has them; kubectl's order of kubeconfigs and its
//! lock; sd_notify(3).
//!
//! How to test: `cargo test -p cli`, as any user. Nothing of the machine is changed.

mod nearest;

pub mod arguments;
pub mod check;
pub mod completion;
pub mod config;
pub mod down;
pub mod instance;
pub mod invocation;
pub mod kubeconfig;
pub mod kubectl;
pub mod limits;
pub mod logs;
pub mod machine;
pub mod notify;
pub mod privilege;
pub mod service;
pub mod status;
pub mod stop;
pub mod surroundings;
pub mod table;
pub mod up;
pub mod version;
