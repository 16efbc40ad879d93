//! What a run holds of this machine: directories, and what runs from them. It is given back when a value ends, and also when the run is
//! interrupted, by SIGINT or SIGTERM: then by a thread of its own, because the one that measures may be anywhere.

use std::path::Path;
use std::process::{Child, Command, ExitStatus};
use std::sync::{Mutex, MutexGuard, Once, PoisonError};

use anyhow::{Context as _, Result};
use tempfile::TempDir;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::cluster::binary;
use crate::network::Namespace;

static HELD: Mutex<Vec<Entry>> = Mutex::new(Vec::new());

fn held() -> MutexGuard<'static, Vec<Entry>> {
    HELD.lock().unwrap_or_else(PoisonError::into_inner)
}

struct Entry {
    directory: TempDir,
    node: Option<Node>,
}

/// What runs from a directory.
struct Node {
    namespace: Namespace,
    process: Option<Child>,
}

/// A temporary directory, and a server or agent that runs from `data` in it, if there is one.
pub struct Held {
    path: std::path::PathBuf,
}

impl Held {
    /// An empty directory.
    pub fn directory() -> Result<Held> {
        Held::new(None)
    }

    /// One for a server or agent in this network namespace.
    pub fn place(namespace: Namespace) -> Result<Held> {
        Held::new(Some(Node { namespace, process: None }))
    }

    fn new(node: Option<Node>) -> Result<Held> {
        watch()?;
        let mut held = held();
        let directory = TempDir::with_prefix("knarr-bench-")?;
        let path = directory.path().to_owned();
        held.push(Entry { directory, node });
        Ok(Held { path })
    }

    /// The directory.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Starts the server or agent of a place, and answers its process.
    pub fn start(&self, command: &mut Command) -> Result<u32> {
        self.node(|node| {
            let child = node.namespace.run(|| Ok(command.spawn()?))?;
            Ok(node.process.insert(child).id())
        })
    }

    /// How it ended, if it did.
    pub fn ended(&self) -> Result<Option<ExitStatus>> {
        self.node(|node| match &mut node.process {
            Some(process) => Ok(process.try_wait()?),
            None => Ok(None),
        })
    }

    fn node<T>(&self, work: impl FnOnce(&mut Node) -> Result<T>) -> Result<T> {
        let mut held = held();
        let entry = held.iter_mut().find(|entry| entry.directory.path() == self.path);
        work(entry.and_then(|entry| entry.node.as_mut()).context("nothing runs from this directory")?)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let mut held = held();
        if let Some(at) = held.iter().position(|entry| entry.directory.path() == self.path) {
            give_back(held.remove(at));
        }
    }
}

/// The process first, so that it makes nothing more; what `down` finds of it then it takes away, and the directory goes last.
fn give_back(Entry { directory, node }: Entry) {
    if let Some(Node { namespace, process }) = node {
        if let Some(mut process) = process {
            let _ = process.kill();
            let _ = process.wait();
        }
        let data = directory.path().join("data");
        let down =
            || Ok(Command::new(binary()?).args(["down", "--purge", "--data-dir"]).arg(&data).output()?);
        match namespace.run(down) {
            Ok(output) if output.status.success() => {}
            Ok(output) => eprintln!("knarr down: {}", String::from_utf8_lossy(&output.stderr).trim()),
            Err(error) => eprintln!("knarr down: {error:#}"),
        }
    }
    let path = directory.path().to_owned();
    if let Err(error) = directory.close() {
        eprintln!("{} is left: {error}", path.display());
    }
}

/// Listens for the signals from the first thing that is held on: until then there is nothing to give back.
fn watch() -> Result<()> {
    static WATCHED: Once = Once::new();
    let mut listening = Ok(());
    WATCHED.call_once(|| listening = listen());
    listening
}

fn listen() -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let (interrupted, terminated) = {
        let _entered = runtime.enter();
        (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?)
    };
    std::thread::Builder::new().name("signals".to_owned()).spawn(move || {
        let code = runtime.block_on(asked(interrupted, terminated));
        eprintln!("interrupted: giving back what was started");
        // Never released: whoever measures holds nothing more from here on.
        let mut held = held();
        while let Some(entry) = held.pop() {
            give_back(entry);
        }
        std::process::exit(code)
    })?;
    Ok(())
}

/// The exit code that a shell has for the signal.
async fn asked(mut interrupted: Signal, mut terminated: Signal) -> i32 {
    tokio::select! {
        _ = interrupted.recv() => 128 + SignalKind::interrupt().as_raw_value(),
        _ = terminated.recv() => 128 + SignalKind::terminate().as_raw_value(),
    }
}

#[cfg(test)]
mod tests {
    use std::process::Stdio;

    use super::*;

    #[test]
    fn what_is_held_is_given_back_with_the_value() {
        let held = Held::place(Namespace::current().expect("this thread is in one")).expect("a directory");
        std::fs::create_dir(held.path().join("data")).expect("a directory");
        let mut command = Command::new("cat");
        let pid = held.start(command.stdin(Stdio::piped()).stdout(Stdio::null())).expect("cat starts");
        assert!(held.ended().expect("it can be asked").is_none());
        let (path, process) = (held.path().to_owned(), format!("/proc/{pid}"));
        assert!(path.is_dir() && Path::new(&process).is_dir());
        drop(held);
        assert!(!path.exists() && !Path::new(&process).exists());
    }
}
