//! `knarr`'s commands: what the words of a command line mean, and all of their doing that needs no part of the cluster.
//!
//! Layer: below `knarr`, which wires it to the parts; above `host` and `base`.
//!
//! Entry points: [`invocation::read`] (a command line made whole), [`up::up`] and [`down::down`] (the life cycle).
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
pub mod up;
pub mod version;
