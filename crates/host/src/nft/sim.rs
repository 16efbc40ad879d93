//! Tables in memory, for planners' tests and the simulator: elements are kept, rules are not run.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use super::{Command, Contents, Elements, Nft, NftError, Table};

/// nftables in memory.
#[derive(Debug, Default)]
pub struct SimNft {
    tables: Mutex<BTreeMap<Table, Contents>>,
}

impl Nft for SimNft {
    /// Scripts are not understood here; planners use [`Nft::apply`].
    fn run(&self, _script: &str) -> Result<(), NftError> {
        Ok(())
    }

    /// Strict where the kernel is: a failing command undoes the whole transaction.
    fn apply(&self, commands: &[Command]) -> Result<(), NftError> {
        let mut tables = self.tables.lock().unwrap_or_else(PoisonError::into_inner);
        let mut next = tables.clone();
        commands.iter().try_for_each(|command| change(&mut next, command))?;
        *tables = next;
        Ok(())
    }

    fn list(&self, table: &Table) -> Result<Option<Contents>, NftError> {
        Ok(self.tables.lock().unwrap_or_else(PoisonError::into_inner).get(table).cloned())
    }

    fn elements(&self, table: &Table, set: &str) -> Result<Elements, NftError> {
        Ok(self.list(table)?.and_then(|mut contents| contents.sets.remove(set)).unwrap_or_default())
    }
}

fn change(tables: &mut BTreeMap<Table, Contents>, command: &Command) -> Result<(), NftError> {
    let missing = |what: &str| NftError::Refused(format!("{what}: No such file or directory"));
    match command {
        Command::Define(table, text) => {
            tables.insert(table.clone(), declared(text));
        }
        Command::Drop(table) => drop(tables.remove(table)),
        Command::Chain(table, name, _) => {
            let chains = &mut tables.get_mut(table).ok_or_else(|| missing(&table.name))?.chains;
            if !chains.contains(name) {
                chains.push(name.clone());
            }
        }
        Command::DropChain(table, name) => {
            let contents = tables.get_mut(table).ok_or_else(|| missing(&table.name))?;
            let used = |value: &String| value.split(' ').nth(1) == Some(name);
            if contents.sets.values().any(|elements| elements.values().any(used)) {
                return Err(NftError::Refused(format!("{name}: Device or resource busy")));
            }
            contents.chains.retain(|chain| chain != name);
        }
        Command::Add(table, set, elements) => {
            let held = set_of(tables, table, set).ok_or_else(|| missing(set))?;
            for (key, value) in elements {
                let old = held.insert(key.clone(), value.clone());
                if old.is_some_and(|old| old != *value) {
                    return Err(NftError::Refused(format!("{key} of {set}: File exists")));
                }
            }
        }
        Command::Delete(table, set, keys) => {
            let held = set_of(tables, table, set).ok_or_else(|| missing(set))?;
            keys.iter().try_for_each(|key| held.remove(key).map(drop).ok_or_else(|| missing(key)))?;
        }
    }
    Ok(())
}

fn set_of<'a>(
    tables: &'a mut BTreeMap<Table, Contents>,
    table: &Table,
    set: &str,
) -> Option<&'a mut Elements> {
    tables.get_mut(table)?.sets.get_mut(set)
}

/// The names of chains, sets and maps that a table's text declares, one declaration a line.
fn declared(text: &str) -> Contents {
    let mut contents = Contents::default();
    for line in text.lines() {
        let mut words = line.split_whitespace();
        match (words.next(), words.next()) {
            (Some("chain"), Some(name)) => contents.chains.push(name.to_owned()),
            (Some("set" | "map"), Some(name)) => {
                contents.sets.insert(name.to_owned(), Elements::new());
            }
            _ => {}
        }
    }
    contents
}
