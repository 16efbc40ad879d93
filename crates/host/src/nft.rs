//! nftables tables behind one small trait: run a transaction, list a table. Used by `net-pod` and `net-service`.
//!
//! Planners hold a table's sets and maps as [`Elements`] in nft's own notation and change them by [`Command`]s, all of one
//! call in one transaction. Chains and rules are text that is loaded once. The forms are [`LinuxNft`], which feeds
//! `nft -f -` (1 to 2 ms a process; a change costs mostly the kernel's one commit), and [`SimNft`], which keeps elements in
//! memory and runs no rules.
#![allow(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    reason = "host is where the kernel is touched"
)]

mod linux;
mod listing;
mod sim;

pub use linux::LinuxNft;
pub use sim::SimNft;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io;

/// The elements of one set or map: key to value, in nft's notation with single spaces around dots, values empty for sets.
/// Marks are decimal, verdicts are `goto x`, `jump x` or `drop`, addresses are in canonical form.
pub type Elements = BTreeMap<String, String>;

/// An address family's tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Family {
    /// IPv4.
    Ip,
    /// IPv6.
    Ip6,
    /// Both.
    Inet,
}

impl Family {
    /// The name in nft's notation.
    pub fn name(self) -> &'static str {
        match self {
            Family::Ip => "ip",
            Family::Ip6 => "ip6",
            Family::Inet => "inet",
        }
    }
}

/// A table.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Table {
    /// Its family.
    pub family: Family,
    /// Its name.
    pub name: String,
}

/// One command of a transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Replaces a whole table: deletes it if it is there, then loads `text`, a complete `table … { … }` definition.
    Define(Table, String),
    /// Deletes a table, if it is there.
    Drop(Table),
    /// Adds a chain with its rules to a table, emptying it first if it is there.
    Chain(Table, String, Vec<String>),
    /// Deletes a chain that nothing refers to any more.
    DropChain(Table, String),
    /// Adds elements to a set or map (of this name), which must not hold the keys with other values.
    Add(Table, String, Elements),
    /// Deletes elements, which must be there, by their keys.
    Delete(Table, String, Vec<String>),
}

/// What a table holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Contents {
    /// Names of its chains.
    pub chains: Vec<String>,
    /// Its sets and maps by name.
    pub sets: BTreeMap<String, Elements>,
}

/// Why nftables could not be read or changed.
#[derive(Debug, thiserror::Error)]
pub enum NftError {
    /// The `nft` program could not be run; it is in Debian's package `nftables`.
    #[error("cannot run nft")]
    Run(#[source] io::Error),
    /// `nft` or the kernel refused it.
    #[error("nft refused a transaction: {0}")]
    Refused(String),
    /// A listing is not what this release expects.
    #[error("cannot read nft's listing of table {table}: {problem}")]
    Listing {
        /// The table.
        table: String,
        /// What is wrong.
        problem: String,
    },
    /// The namespace could not be entered.
    #[error("cannot enter the node's network namespace")]
    Namespace(#[source] crate::netlink::NetlinkError),
}

/// nftables of one node.
pub trait Nft: Send + Sync {
    /// Runs a script in nft's notation as one transaction: all of it happens, or nothing.
    fn run(&self, script: &str) -> Result<(), NftError>;

    /// Carries out commands as one transaction.
    fn apply(&self, commands: &[Command]) -> Result<(), NftError> {
        if commands.is_empty() { Ok(()) } else { self.run(&script(commands)) }
    }

    /// What a table holds; `None` if there is no such table.
    fn list(&self, table: &Table) -> Result<Option<Contents>, NftError>;

    /// The elements of one map; empty if there is no such one.
    fn elements(&self, table: &Table, map: &str) -> Result<Elements, NftError>;
}

/// How many elements stand in one statement. Bounds the length of a line, not of a transaction.
const ELEMENTS_PER_STATEMENT: usize = 512;

/// Commands in nft's notation.
pub fn script(commands: &[Command]) -> String {
    let mut out = String::new();
    for command in commands {
        // Writing to a String cannot fail.
        let _ = write_command(&mut out, command);
    }
    out
}

fn write_command(out: &mut String, command: &Command) -> std::fmt::Result {
    let place = |table: &Table| format!("{} {}", table.family.name(), table.name);
    match command {
        // Adding first makes the deletion succeed whether or not the table was there.
        Command::Define(table, text) => {
            writeln!(out, "add table {0}\ndelete table {0}\n{text}", place(table))
        }
        Command::Drop(table) => writeln!(out, "add table {0}\ndelete table {0}", place(table)),
        Command::Chain(table, name, rules) => {
            writeln!(out, "add chain {0} {name}\nflush chain {0} {name}", place(table))?;
            rules.iter().try_for_each(|rule| writeln!(out, "add rule {} {name} {rule}", place(table)))
        }
        Command::DropChain(table, name) => writeln!(out, "delete chain {} {name}", place(table)),
        Command::Add(table, set, elements) => {
            let all: Vec<(&String, &String)> = elements.iter().collect();
            all.chunks(ELEMENTS_PER_STATEMENT).try_for_each(|chunk| {
                write!(out, "add element {} {set} {{ ", place(table))?;
                for (at, (key, value)) in chunk.iter().enumerate() {
                    let comma = if at == 0 { "" } else { ", " };
                    let colon = if value.is_empty() { "" } else { " : " };
                    write!(out, "{comma}{key}{colon}{value}")?;
                }
                writeln!(out, " }}")
            })
        }
        Command::Delete(table, set, keys) => keys.chunks(ELEMENTS_PER_STATEMENT).try_for_each(|chunk| {
            writeln!(out, "delete element {} {set} {{ {} }}", place(table), chunk.join(", "))
        }),
    }
}

#[cfg(test)]
mod tests;
