//! The `nft` program's form of [`Nft`].

use std::io::Write;
use std::path::PathBuf;
use std::process::{Command as Process, Output, Stdio};

use super::{Contents, Elements, Nft, NftError, Table, listing};
use crate::netlink;

/// nftables of this machine.
#[derive(Clone, Debug, Default)]
pub struct LinuxNft {
    home: Option<PathBuf>,
}

impl LinuxNft {
    /// Of the process's own network namespace.
    pub fn new() -> LinuxNft {
        LinuxNft { home: None }
    }

    /// Of the network namespace that is pinned at `path`.
    pub fn at(path: impl Into<PathBuf>) -> LinuxNft {
        LinuxNft { home: Some(path.into()) }
    }

    fn nft(&self, arguments: &[&str], input: &str) -> Result<Output, NftError> {
        match &self.home {
            None => run(arguments, input),
            // A child inherits the namespace of the thread that starts it.
            Some(path) => netlink::within(path, || run(arguments, input)).map_err(NftError::Namespace)?,
        }
    }
}

fn run(arguments: &[&str], input: &str) -> Result<Output, NftError> {
    let mut child = Process::new("nft")
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(NftError::Run)?;
    if let Some(mut stdin) = child.stdin.take() {
        // nft reads all of its input before it says a word, so neither side can block the other. If it died, its exit
        // status says more than the broken pipe.
        let _ = stdin.write_all(input.as_bytes());
    }
    child.wait_with_output().map_err(NftError::Run)
}

/// A missing table is a normal answer.
fn is_missing(output: &Output) -> bool {
    String::from_utf8_lossy(&output.stderr).contains("No such file or directory")
}

fn refused(output: &Output) -> NftError {
    NftError::Refused(String::from_utf8_lossy(&output.stderr).trim_end().to_owned())
}

impl Nft for LinuxNft {
    fn run(&self, script: &str) -> Result<(), NftError> {
        let output = self.nft(&["-f", "-"], script)?;
        if output.status.success() { Ok(()) } else { Err(refused(&output)) }
    }

    fn list(&self, table: &Table) -> Result<Option<Contents>, NftError> {
        let output = self.nft(&["-j", "list", "table", table.family.name(), &table.name], "")?;
        match output.status.success() {
            true => listing::decode(table, &output.stdout).map(Some),
            false if is_missing(&output) => Ok(None),
            false => Err(refused(&output)),
        }
    }

    fn elements(&self, table: &Table, set: &str) -> Result<Elements, NftError> {
        let output = self.nft(&["-j", "list", "map", table.family.name(), &table.name, set], "")?;
        match output.status.success() {
            true => Ok(listing::decode(table, &output.stdout)?.sets.remove(set).unwrap_or_default()),
            false if is_missing(&output) => Ok(Elements::new()),
            false => Err(refused(&output)),
        }
    }
}
