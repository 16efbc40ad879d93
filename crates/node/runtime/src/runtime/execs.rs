//! More processes in a container, and listening in on its first: streams that go straight between agent and process, not through the shim.

use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::oneshot;

use super::pod::PodHandle;
use super::stdio::{Input, Output, Terminal, input, input_from, output};
use crate::error::RuntimeError;
use crate::protocol::{Answer, Call};
use crate::spec::ExecSpec;

/// A process running in a container. Dropping it closes its streams; the process itself goes on until it notices.
pub struct Exec {
    /// Its standard input, if it was asked for.
    pub stdin: Option<Input>,
    /// Its standard output; with a terminal all of its output.
    pub stdout: Option<Output>,
    /// Its standard error, without a terminal.
    pub stderr: Option<Output>,
    name: String,
    pod: PodHandle,
    exit: oneshot::Receiver<i32>,
    terminal: Option<Terminal>,
}

/// A container's streams from now on.
pub struct Attached {
    /// Its standard input, if it has one.
    pub stdin: Option<Input>,
    /// A copy of its standard output.
    pub stdout: Output,
    /// A copy of its standard error, without a terminal.
    pub stderr: Option<Output>,
}

/// The names of execs: unique on this node among all agents there have been.
static EXECS: AtomicU64 = AtomicU64::new(0);

impl PodHandle {
    /// Runs one more process in a running container. Returns once its program is executing.
    ///
    /// # Errors
    /// With [`RuntimeError::start_failure`] when it could not be started: 127 when the program is not there, 126 when it is not executable.
    pub async fn exec(&self, spec: ExecSpec) -> Result<Exec, RuntimeError> {
        let number = EXECS.fetch_add(1, Ordering::Relaxed);
        let now = self.pod.shared.config.clock.now().unix_nanos();
        let name = format!("{now:x}-{}-{number}", std::process::id());
        let (mut theirs, mut stdin, mut stdout, mut stderr) = (Vec::new(), None, None, None);
        if !spec.terminal {
            if spec.stdin {
                let (end, ours) = input()?;
                theirs.push(end);
                stdin = Some(ours);
            }
            for ours in [&mut stdout, &mut stderr] {
                let (end, reader) = output()?;
                theirs.push(end);
                *ours = Some(reader);
            }
        }
        let (wants_input, has_terminal) = (spec.stdin, spec.terminal);
        let (sender, exit) = oneshot::channel();
        // Before the call: the end may be told before the answer is looked at.
        self.pod.execs().insert(name.clone(), sender);
        let call = Call::Exec { exec: name.clone(), spec: Box::new(spec) };
        let answer = self.pod.call(call, theirs).await.and_then(|(answer, descriptors)| match answer {
            Answer::Executing { .. } => Ok(descriptors),
            _ => Err(self.pod.out_of_turn()),
        });
        let descriptors = match answer {
            Ok(descriptors) => descriptors,
            Err(error) => {
                self.pod.execs().remove(&name);
                return Err(error);
            }
        };
        let terminal =
            descriptors.into_iter().next().filter(|_| has_terminal).map(Terminal::new).transpose()?;
        if let Some(terminal) = &terminal {
            stdin = wants_input.then(|| Box::new(terminal.clone()) as Input);
            stdout = Some(Box::new(terminal.clone()));
        }
        Ok(Exec { stdin, stdout, stderr, name, pod: self.clone(), exit, terminal })
    }

    /// Listens in on a container's output, and writes to its input if it has one. May be asked for before the start.
    ///
    /// # Errors
    /// When the container has ended.
    pub async fn attach(&self, container: &str, terminal: bool) -> Result<Attached, RuntimeError> {
        let (their_output, stdout) = output()?;
        let mut theirs = vec![their_output];
        let mut stderr = None;
        if !terminal {
            let (end, reader) = output()?;
            theirs.push(end);
            stderr = Some(reader);
        }
        let call = Call::Attach { container: container.to_owned() };
        let (Answer::Attached { stdin }, descriptors) = self.pod.call(call, theirs).await? else {
            return Err(self.pod.out_of_turn());
        };
        let input = descriptors.into_iter().next().filter(|_| stdin);
        let stdin = match input {
            Some(master) if terminal => Some(Box::new(Terminal::new(master)?) as Input),
            Some(pipe) => Some(input_from(pipe)?),
            None => None,
        };
        Ok(Attached { stdin, stdout, stderr })
    }

    /// Lets a container's standard input end once no attached client holds it (`stdinOnce`).
    ///
    /// # Errors
    /// When there is no such container.
    pub async fn close_stdin(&self, container: &str) -> Result<(), RuntimeError> {
        match self.pod.call(Call::CloseStdin { container: container.to_owned() }, Vec::new()).await? {
            (Answer::Done, _) => Ok(()),
            _ => Err(self.pod.out_of_turn()),
        }
    }
}

impl Exec {
    /// Waits for the process's end and returns its exit code.
    ///
    /// # Errors
    /// When the shim died meanwhile: nobody will know the code.
    pub async fn wait(&mut self) -> Result<i32, RuntimeError> {
        let lost = || RuntimeError::ShimLost { uid: self.pod.sandbox().uid.clone() };
        (&mut self.exit).await.map_err(|_| lost())
    }

    /// Changes the size of its terminal; nothing without one.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn resize(&self, columns: u16, rows: u16) -> Result<(), RuntimeError> {
        self.terminal.as_ref().map_or(Ok(()), |terminal| terminal.resize(columns, rows))
    }

    /// Sends a signal to the process.
    ///
    /// # Errors
    /// When it has ended.
    pub async fn signal(&self, signal: i32) -> Result<(), RuntimeError> {
        let call = Call::SignalExec { exec: self.name.clone(), signal };
        self.pod.pod.call(call, Vec::new()).await.map(drop)
    }
}
