//! Server-side apply and managed fields: who owns which fields of an object, and what becomes of it when a manager applies what
//! it wants.
//!
//! Writes other than applies go through [`track`], on the records themselves. [`apply`] works on trees, where an explicit null
//! and a field that is left out stay apart. Neither defaults, validates or stores.
//! Upstream: `sigs.k8s.io/structured-merge-diff/v6`, `k8s.io/apimachinery/pkg/util/managedfields`, both as of 1.37.

mod applied;
pub mod atom;
mod check;
mod compare;
mod config;
mod conflict;
mod data;
mod element;
mod fields_v1;
mod kind;
mod managers;
mod mentioned;
mod merge;
mod prune;
mod remove;
mod request;
mod reset;
pub mod scale;
mod set;
#[cfg(test)]
mod tests;
mod track;
mod unowned;
mod written;

pub use applied::apply;
pub use config::Config;
pub use element::{Element, Name, Scalar};
pub use fields_v1::FieldsError;
pub use managers::{Managers, ManagersError, empties, reset};
pub use request::{Request, Versions};
pub use reset::Reset;
pub use set::{Pattern, Set};
pub use track::{differs_in_times, track};
pub use unowned::merged;

use crate::Tree;
