//! A part of the control plane that runs alone, on a kubeconfig, against any API server.

mod accounts;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::Context as _;
use base::drain;
use base::random::SystemRandom;
use base::task::Tasks;
use base::time::{Clock, SystemClock};
use cli::arguments::flags::{ComponentFlags, ControllerManagerFlags, SchedulerFlags};
use cli::config::Verbosity;
use cli::surroundings::{ProcessSurroundings, Surroundings as _};
use client::{Caller, election};
use client_remote::{Access, Remote, kubeconfig};
use control::cluster::TokenSigner;
use scheduler_config::Extender;
use scheduler_shell::{Company, Extenders};

use accounts::Accounts;

use crate::server::signing::AccountKey;

/// The namespace of the components' leases.
const LEASES: &str = "kube-system";

/// Runs the controllers. Those that have a service account act as it, as upstream's do with
/// `--use-service-account-credentials`.
pub fn controllers(flags: &ControllerManagerFlags) -> anyhow::Result<()> {
    let access = kubeconfig::read(&flags.kubeconfig)?;
    let root_ca = match &flags.root_ca_file {
        Some(path) => {
            std::fs::read_to_string(path).with_context(|| format!("--root-ca-file {}", path.display()))?
        }
        None => access.authority_pem.clone(),
    };
    let tokens = flags.service_account_private_key_file.as_deref().map(account_key).transpose()?;
    let config = control::Config {
        served: control::resources::built_in(),
        root_ca,
        tokens,
        pod_range: flags.cluster_cidr.and_then(|cidr| control::cluster::Range::parse(&cidr.to_string())),
        ..control::Config::default()
    };
    let tokens_from = access.clone();
    alone(&flags.component, &access, "kube-controller-manager", |api, clock, drain| async move {
        let api = Arc::new(Accounts::new(api, tokens_from, Arc::clone(&clock)));
        let config = control::Config { meters: Some(api.clone()), ..config };
        control::run(api, clock, config, drain).await;
    })
}

/// What fills the Secrets of service accounts, with the private key that is in a file.
fn account_key(path: &Path) -> anyhow::Result<Arc<dyn TokenSigner>> {
    let wrong = || format!("--service-account-private-key-file {}", path.display());
    let pem = std::fs::read(path).with_context(wrong)?;
    Ok(Arc::new(AccountKey::from_pem(&pem).with_context(wrong)?))
}

/// Runs the scheduler, by its configuration if it is given one.
pub fn scheduler(flags: &SchedulerFlags) -> anyhow::Result<()> {
    let mut component = flags.component.clone();
    let mut kubeconfig = flags.kubeconfig.clone();
    let mut config = scheduler::Config::default();
    let mut company = Company::default();
    if let Some(path) = &flags.config {
        let wrong = || format!("--config {}", path.display());
        let text = std::fs::read(path).with_context(wrong)?;
        let read = scheduler_config::read(&text).with_context(wrong)?;
        component.leader_elect &= read.leader_elect.unwrap_or(true);
        config = read.scheduler;
        company.extenders = extenders(read.extenders).with_context(wrong)?;
        if !read.kubeconfig.is_empty() {
            kubeconfig = Some(read.kubeconfig.into());
        }
    }
    let kubeconfig = kubeconfig.context(
        "nothing says where the API is: --kubeconfig FILE does, or clientConnection.kubeconfig in the file of --config",
    )?;
    let access = kubeconfig::read(&kubeconfig)?;
    alone(&component, &access, "kube-scheduler", |api, clock, drain| async move {
        scheduler_shell::run_with(Arc::new(api), clock, Tasks::default(), config, company, drain).await;
    })
}

/// Who asks the extenders, if there are any.
fn extenders(mut all: Vec<Extender>) -> anyhow::Result<Option<Arc<dyn Extenders>>> {
    if all.is_empty() {
        return Ok(None);
    }
    for tls in all.iter_mut().map(|extender| &mut extender.tls) {
        for of in [&mut tls.authority, &mut tls.certificate, &mut tls.key] {
            if of.data.is_empty() && !of.file.is_empty() {
                let data = std::fs::read(&of.file).with_context(|| format!("reading {}", of.file))?;
                of.data = data.into();
            }
        }
    }
    let client = scheduler_extender::Client::new(&all, Arc::new(SystemClock)).map_err(anyhow::Error::msg)?;
    Ok(Some(Arc::new(client)))
}

/// Runs work while it leads, until asked to stop.
fn alone<W: Future<Output = ()>>(
    flags: &ComponentFlags,
    access: &Access,
    name: &'static str,
    work: impl FnOnce(Remote, Arc<dyn Clock>, drain::Watch) -> W,
) -> anyhow::Result<()> {
    let filter = Verbosity(flags.verbosity).filter();
    base::telemetry::init(filter).map_err(|error| anyhow::anyhow!("logging: {error}"))?;
    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().build().context("starting threads")?;
    runtime.block_on(async {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let asked = crate::commands::server::stop_asked()?;
        let api = Remote::new(access, Arc::clone(&clock))?;
        let version = api.raw("/version").await;
        version.map_err(|status| anyhow::anyhow!("the API at {} cannot be used: {status}", access.server))?;
        let (signal, watch) = drain::channel();
        let at_work = AtomicBool::new(false);
        let work = work(api.clone(), Arc::clone(&clock), watch.clone());
        let work = async {
            at_work.store(true, Ordering::Relaxed);
            work.await;
        };
        let leading = async {
            if !flags.leader_elect {
                work.await;
                return Ok(());
            }
            let identity =
                format!("{}_{}", ProcessSurroundings.host_name(), base::random::uuid(&SystemRandom));
            let nobody = Caller::default();
            let led = election::lead(&api, &nobody, &*clock, (LEASES, name), &identity, work).await;
            led.with_context(|| format!("the lease {LEASES}/{name} was lost: another leads now"))
        };
        let mut leading = std::pin::pin!(leading);
        tracing::info!(server = access.server, "component.started");
        tokio::select! {
            ended = leading.as_mut() => return ended,
            () = asked => {}
        }
        tracing::info!("component.stopping");
        // Whoever only waits to lead has nothing to finish.
        if !at_work.load(Ordering::Relaxed) {
            return Ok(());
        }
        drop(watch);
        let (ended, ()) = tokio::join!(leading, signal.drain());
        ended
    })
}
