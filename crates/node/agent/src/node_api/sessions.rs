//! Commands and attachments over upgraded connections.

use std::sync::Arc;

use base::error::Chain;
use base::time::{Clock, timeout};
use node_runtime::PodHandle;
use node_runtime::spec::ExecSpec;
use node_stream::negotiate::ExecProtocol;
use node_stream::outcome::Outcome;
use node_stream::session::{Options, Session};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, DuplexStream};
use tokio::task::JoinHandle;

use super::Upgraded;
use crate::limits;

/// Copies until the end, and then ends the other side.
fn copy(
    from: Option<impl AsyncRead + Send + Unpin + 'static>,
    to: Option<impl AsyncWrite + Send + Unpin + 'static>,
) -> JoinHandle<()> {
    tokio::spawn(async move {
        if let (Some(mut from), Some(mut to)) = (from, to) {
            // Either side may be gone; what could be sent was.
            let _ = tokio::io::copy(&mut from, &mut to).await;
            let _ = to.shutdown().await;
        }
    })
}

async fn session(
    io: Upgraded,
    protocol: ExecProtocol,
    options: Options,
    clock: &dyn Clock,
) -> Option<Session> {
    match Session::serve(io, protocol, options, clock).await {
        Ok(session) => Some(session),
        Err(error) => {
            tracing::debug!(error = %Chain(&error), "a session came to nothing");
            None
        }
    }
}

pub(super) async fn exec(
    handle: PodHandle,
    id: String,
    command: Vec<String>,
    options: Options,
    io: Upgraded,
    protocol: ExecProtocol,
    clock: Arc<dyn Clock>,
) {
    let Some(session) = session(io, protocol, options, clock.as_ref()).await else { return };
    let Session { stdin, stdout, stderr, mut resize, done } = session;
    let spec = ExecSpec {
        container: id,
        args: command,
        env: Vec::new(),
        terminal: options.tty,
        stdin: options.stdin,
    };
    let mut exec = match handle.exec(spec).await {
        Ok(exec) => exec,
        Err(error) => {
            let text = format!("error executing command in container: {}", Chain(&error));
            drop((stdin, stdout, stderr));
            done.finish(&Outcome::Failed(text), clock.as_ref()).await;
            return;
        }
    };
    let input = copy(stdin, exec.stdin.take());
    let outputs = [copy(exec.stdout.take(), stdout), copy(exec.stderr.take(), stderr)];
    let abandoned = done.abandoned();
    tokio::pin!(abandoned);
    let outcome = loop {
        tokio::select! {
            code = exec.wait() => break match code {
                Ok(code) => Outcome::Exited(code),
                Err(error) => Outcome::Failed(Chain(&error).to_string()),
            },
            Some(size) = resize.recv() => {
                if let Err(error) = exec.resize(size.width, size.height) {
                    tracing::debug!(error = %Chain(&error), "a terminal kept its size");
                }
            }
            () = &mut abandoned => {
                input.abort();
                outputs.iter().for_each(JoinHandle::abort);
                return;
            }
        }
    };
    input.abort();
    // A process that the command left behind may hold its output open.
    for output in outputs {
        let abort = output.abort_handle();
        if timeout(clock.as_ref(), limits::OUTPUT_DRAIN, output).await.is_err() {
            abort.abort();
        }
    }
    done.finish(&outcome, clock.as_ref()).await;
}

pub(super) async fn attach(
    handle: PodHandle,
    (id, once): (String, bool),
    options: Options,
    io: Upgraded,
    protocol: ExecProtocol,
    clock: Arc<dyn Clock>,
) {
    let Some(session) = session(io, protocol, options, clock.as_ref()).await else { return };
    let Session { stdin, stdout, stderr, mut resize, done } = session;
    let attached = match handle.attach(&id, options.tty).await {
        Ok(attached) => attached,
        Err(error) => {
            let text = Chain(&error).to_string();
            drop((stdin, stdout, stderr));
            done.finish(&Outcome::Failed(text), clock.as_ref()).await;
            return;
        }
    };
    let copied = copy(stdin, attached.stdin.filter(|_| options.stdin));
    let (closer, of) = (handle.clone(), id.clone());
    // It ends by itself when the client is gone, and then the container's input does too, if it is to be attached to once.
    let input = tokio::spawn(async move {
        if copied.await.is_ok()
            && once
            && let Err(error) = closer.close_stdin(&of).await
        {
            tracing::debug!(error = %Chain(&error), "a container's input stays open");
        }
    });
    let outputs = [copy_all(attached.stdout, stdout), copy_maybe(attached.stderr, stderr)];
    let abandoned = done.abandoned();
    tokio::pin!(abandoned);
    loop {
        tokio::select! {
            _ = handle.wait(&id) => break,
            Some(size) = resize.recv() => {
                if let Err(error) = handle.resize(&id, size.width, size.height).await {
                    tracing::debug!(error = %Chain(&error), "a terminal kept its size");
                }
            }
            () = &mut abandoned => {
                outputs.iter().for_each(JoinHandle::abort);
                return;
            }
        }
    }
    input.abort();
    for output in outputs {
        let abort = output.abort_handle();
        if timeout(clock.as_ref(), limits::OUTPUT_DRAIN, output).await.is_err() {
            abort.abort();
        }
    }
    done.finish(&Outcome::Exited(0), clock.as_ref()).await;
}

fn copy_all(from: node_runtime::Output, to: Option<DuplexStream>) -> JoinHandle<()> {
    copy(Some(from), to)
}

fn copy_maybe(from: Option<node_runtime::Output>, to: Option<DuplexStream>) -> JoinHandle<()> {
    copy(from, to)
}
