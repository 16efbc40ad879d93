//! JSON, as Go's `encoding/json` writes it and `sigs.k8s.io/json` reads it.

mod decode;
mod encode;
mod read;
mod text;
mod tree;

pub use decode::{TypeMeta, decode, type_meta};
pub use encode::{encode, show, show_line, tree as write_tree};
pub use read::compact;
pub(crate) use read::compacted;
pub use text::write_string;
pub(crate) use text::{go_quoted, write_float};
