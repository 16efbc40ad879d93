//! The commands, each done with the parts that it needs.

pub mod ask;
pub mod image;
pub mod machine;
pub mod node;
pub mod output;
pub mod plan;
pub mod probe;
pub mod server;
pub mod why;

use std::io;
use std::process::ExitCode;

use anyhow::Context as _;
use base::time::{Clock as _, SystemClock};
use cli::instance::Role;
use cli::invocation::Invocation;
use cli::surroundings::ProcessSurroundings;
use cli::up::{Outcome, Up};
use cli::{check, completion, down, instance, kubeconfig, kubectl, logs, service, status, up};

use crate::dns;
use machine::Own;
use output::{Out, print};
use probe::{Look, Wanted};
use tokio::signal::unix::{SignalKind, signal};

/// What an interrupted command exits with: 128 and SIGINT.
const INTERRUPTED: u8 = 130;

/// Does what a command line says.
pub fn carry_out(invocation: Invocation) -> anyhow::Result<ExitCode> {
    let around = ProcessSurroundings;
    let program = || std::env::current_exe().context("finding this program's file");
    match invocation {
        Invocation::Server(config) => server::run(*config)?,
        Invocation::Up(config, words) => return start(&config, &words),
        Invocation::Down(place, purge) => {
            down::down(&place, purge, &Own::new(&place), &around, &mut io::stdout())?;
        }
        Invocation::Image(place, command) => image::run(&place, *command)?,
        Invocation::ServiceInstall(config, words) => {
            service::install(&config.place, &program()?, &words, &mut Out)?;
        }
        Invocation::ServiceRemove(place) => {
            if service::remove(&place)? {
                let (unit, file, flag) = (place.unit(), service::unit_file(&place), place.flag());
                print(format_args!("Stopped the service {unit}, and deleted its unit {}\n", file.display()))?;
                print(format_args!(
                    "Pods go on: knarr up{flag} takes care of them, knarr down{flag} stops them\n"
                ))?;
            } else {
                print("There is no service to remove\n")?;
            }
        }
        Invocation::Status(place) => {
            let status = blocking(shown(place))?;
            print(&status)?;
            return Ok(ExitCode::from(status.code()));
        }
        Invocation::Logs(place, want) if service::is_installed(&place) => {
            return Err(service::journal::exec(&place, want).into());
        }
        Invocation::Logs(place, want) => {
            blocking(async {
                Ok(logs::logs(&place, want, &SystemClock, interrupt()?, &mut io::stdout()).await?)
            })?;
        }
        Invocation::Check(config) => {
            let own = instance::find(&config.place);
            let report = check::judge(&check::facts::Facts::gather(&config, own.as_ref()), &config);
            print(&report)?;
            return Ok(ExitCode::from(report.code()));
        }
        Invocation::Ps(place, want) => blocking(node::ps(&place, want))?,
        Invocation::Inspect(place, what) => blocking(node::inspect(&place, &what))?,
        Invocation::Kubectl(place, words) => return Err(kubectl::exec(&place, &words).into()),
        Invocation::Kubeconfig(place, false) => kubeconfig::show::print(&place, &mut Out)?,
        Invocation::Kubeconfig(place, true) => kubeconfig::show::merge(&place, &around, &mut Out)?,
        Invocation::Why(want) => blocking(why::run(&want))?,
        Invocation::Plan(want) => return blocking(plan::run(&want)),
        Invocation::Completion(shell) => completion::write(shell, &mut Out)?,
        Invocation::Agent(config) => crate::agent::run(*config)?,
        Invocation::ControllerManager(flags) => crate::component::controllers(&flags)?,
        Invocation::Scheduler(flags) => crate::component::scheduler(&flags)?,
        Invocation::Dns(words) => dns::serve::run(&words)?,
        Invocation::Shim(_) => anyhow::bail!("this is started by knarr itself, not by hand"),
    }
    Ok(ExitCode::SUCCESS)
}

fn blocking<T>(work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("starting threads")?
        .block_on(work)
}

/// Completes at Ctrl-C. Listening begins with the call, not with the first poll: what comes between is not lost, nor fatal.
fn interrupt() -> anyhow::Result<impl Future<Output = ()>> {
    let mut interrupted = signal(SignalKind::interrupt()).context("listening for Ctrl-C")?;
    Ok(async move {
        if interrupted.recv().await.is_none() {
            std::future::pending::<()>().await;
        }
    })
}

fn start(
    config: &cli::config::ServerConfig,
    words: &cli::invocation::ServerWords,
) -> anyhow::Result<ExitCode> {
    let starts = instance::find(&config.place).is_none();
    // Its ports may be held by one that another call has started since.
    if starts
        && let Err(unfit) = check::require(config)
        && instance::find(&config.place).is_none()
    {
        return Err(unfit.into());
    }
    let node =
        if config.disable_agent { Wanted::Nobody } else { Wanted::Named(config.node.name.to_string()) };
    let (mut probe, machine) = (Look::new(&config.place, node), Own::new(&config.place));
    if starts {
        probe = probe.since(SystemClock.now());
    }
    let program = std::env::current_exe().context("finding this program's file")?;
    let up = Up {
        config,
        words,
        program: &program,
        probe: &probe,
        machine: &machine,
        clock: &SystemClock,
        around: &ProcessSurroundings,
    };
    let outcome = blocking(async { Ok(up::up(&up, interrupt()?, &mut io::stdout()).await?) })?;
    Ok(match outcome {
        Outcome::Ready => ExitCode::SUCCESS,
        Outcome::Undone => ExitCode::from(INTERRUPTED),
    })
}

async fn shown(place: cli::config::Place) -> anyhow::Result<status::Status> {
    use cli::machine::{Machine as _, Probe as _};
    let last = instance::last(&place);
    let running = last.as_ref().filter(|last| last.is_alive());
    let forbidden = running.and_then(|running| probe::forbidden(&place, running));
    let seen = match running {
        _ if forbidden.is_some() => None,
        Some(agent) if agent.role == Role::Agent => probe::of_agent(&place, agent).await,
        Some(_) => Some(Look::new(&place, Wanted::Only).look().await),
        None => None,
    };
    let runs = running.is_some();
    let machine = Own::new(&place);
    let pods = tokio::task::block_in_place(|| machine.pods()).ok().map(|pods| pods.len());
    let service = service::is_installed(&place);
    Ok(status::Status { place, last, runs, seen, forbidden, pods, service })
}
