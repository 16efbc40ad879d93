//! A cluster on machines of one link, each part of it Knarr's or Kubernetes' own.
//!
//! `node1` holds the control plane. Knarr keeps its authorities under the same names as kubeadm does, so identities are issued in
//! one way, whoever made them.

mod dns;
mod knarr;
mod node;
mod stock;

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, anyhow, bail};

use crate::go::Go;
use crate::images::{Image, Images};
use crate::machine::{self, Daemon, HUB, Link, Machine, wait_until};
use crate::pki::Authority;

/// The addresses of pods and services, which the machine's owner is unlikely to have.
const POD_RANGE: &str = "10.242.0.0/16";
const SERVICE_RANGE: &str = "10.243.0.0/16";
const FIRST_SERVICE: &str = "10.243.0.1";
/// Where pods ask for names.
pub const DNS: &str = "10.243.0.10";
const PORT: u16 = 6443;

/// Whose part it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Maker {
    /// Ours.
    Knarr,
    /// Kubernetes' own.
    Stock,
}

/// Whose each part of a cluster is. What is nobody's, whoever starts the cluster plays.
#[derive(Clone, Copy, Debug)]
pub struct Parts {
    /// The API server with its store.
    pub api: Maker,
    /// The controllers.
    pub controllers: Maker,
    /// The scheduler.
    pub scheduler: Option<Maker>,
    /// The node agent with its runtime and its pods' network.
    pub node: Option<Maker>,
    /// Machines, with a node each unless that is nobody's; from one.
    pub nodes: u8,
}

impl Parts {
    /// All of one maker.
    pub fn all(maker: Maker, nodes: u8) -> Parts {
        Parts { api: maker, controllers: maker, scheduler: Some(maker), node: Some(maker), nodes }
    }

    /// Whether names are told by one of the cluster's own: Knarr's nodes answer themselves.
    fn has_name_server(self) -> bool {
        self.api == Maker::Stock && self.node == Some(Maker::Stock)
    }
}

/// What programs a cluster is made of.
pub struct Programs<'a> {
    /// Builds those of Kubernetes.
    pub go: &'a Go,
    /// Knarr's binary.
    pub knarr: PathBuf,
}

impl Programs<'_> {
    /// Builds all that a cluster of these parts is made of, before anything of it is.
    fn make(&self, parts: Parts) -> Result<()> {
        let stock: [(Option<Maker>, &[&str]); 4] = [
            (Some(parts.api), &["etcd", "kube-apiserver"]),
            (Some(parts.controllers), &["kube-controller-manager"]),
            (parts.scheduler, &["kube-scheduler"]),
            (parts.node, &["kubelet", "kube-proxy"]),
        ];
        for name in
            stock.iter().filter(|(maker, _)| *maker == Some(Maker::Stock)).flat_map(|(_, names)| *names)
        {
            self.go.program(name)?;
        }
        if parts.has_name_server() {
            self.go.name_server()?;
        }
        Ok(())
    }

    /// Kubernetes' own kubectl if it has been built, or the machine's.
    fn kubectl(&self) -> Result<PathBuf> {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let installed = std::env::split_paths(&path).map(|directory| directory.join("kubectl"));
        let found = self.go.built("kubectl").into_iter().chain(installed).find(|path| path.is_file());
        found.context("kubectl is missing: https://kubernetes.io/docs/tasks/tools/ says how to get it")
    }
}

/// A running cluster. It runs on when this value ends; [`down`] ends it.
pub struct Cluster {
    /// Where everything of it lies.
    pub directory: PathBuf,
    /// The bridge's machine.
    pub hub: Machine,
    /// The machines; the control plane is on the first.
    pub machines: Vec<Machine>,
    /// The administrator's kubeconfig.
    pub kubeconfig: PathBuf,
    /// The kubectl that speaks with it.
    pub kubectl: PathBuf,
    knarr: String,
    data: String,
    parts: Parts,
    authority: Authority,
    daemons: Vec<Daemon>,
}

impl Cluster {
    /// Starts one, and waits until its API and its nodes are ready.
    ///
    /// # Errors
    /// When a program cannot be built or started, or does not become ready.
    pub fn up(programs: &Programs<'_>, name: &str, directory: &Path, parts: Parts) -> Result<Cluster> {
        Cluster::up_with(programs, name, directory, parts, |_, _| Ok(None))
    }

    /// The same, with something done first to the hub and the machines, which may start a program.
    ///
    /// # Errors
    /// When a program cannot be built or started, or does not become ready.
    pub fn up_with(
        programs: &Programs<'_>,
        name: &str,
        directory: &Path,
        parts: Parts,
        prepare: impl FnOnce(&Machine, &[Machine]) -> Result<Option<Daemon>>,
    ) -> Result<Cluster> {
        programs.make(parts)?;
        let kubectl = programs.kubectl()?;
        down(name, directory)?;
        let link = Link::new(name, directory)?;
        let directory = directory.canonicalize()?;
        let hub = link.hub()?;
        let machines =
            (1..=parts.nodes).map(|number| link.machine(&hub, number)).collect::<Result<Vec<_>>>()?;
        let mut daemons = Vec::from_iter(prepare(&hub, &machines)?);
        let first = &machines[0];
        let data = knarr::data(link.name());
        let keys = match parts.api {
            Maker::Knarr => knarr::server(programs, first, &data, parts, &mut daemons)?,
            Maker::Stock => stock::api_server(programs.go, first, &directory.join("tls"), &mut daemons)?,
        };
        let authority = Authority::open(&keys, "ca")?;
        let kubeconfig = directory.join("admin.kubeconfig");
        let server = format!("https://{}:{PORT}", first.address);
        let admin = authority.kubeconfig(&server, "yardstick", "kubernetes-admin", &["system:masters"])?;
        std::fs::copy(admin, &kubeconfig)?;
        let knarr = programs.knarr.display().to_string();
        let mut cluster =
            Cluster { directory, hub, machines, kubeconfig, knarr, kubectl, data, parts, authority, daemons };
        cluster.is_ready()?;
        if parts.api == Maker::Stock {
            knarr::permissions(&cluster)?;
        }
        cluster.control(programs, &keys)?;
        cluster.nodes(programs)?;
        if parts.has_name_server() {
            dns::name_server(&mut cluster, programs.go)?;
        }
        Ok(cluster)
    }

    /// Waits until the API server says so.
    fn is_ready(&mut self) -> Result<()> {
        let mut last = String::new();
        let ready = wait_until("the API server is ready", || {
            self.check()?;
            let said = self.kubectl(&["get", "--raw", "/readyz"]);
            Ok(said.map_err(|error| last = format!("{error:#}")).is_ok())
        });
        ready.map_err(|error| if last.is_empty() { error } else { anyhow!("{error:#}: {last}") })
    }

    fn control(&mut self, programs: &Programs<'_>, keys: &Path) -> Result<()> {
        match (self.parts.controllers, self.parts.api) {
            // The server has them in it.
            (Maker::Knarr, Maker::Knarr) => {}
            (Maker::Knarr, Maker::Stock) => knarr::controllers(self, programs, keys)?,
            (Maker::Stock, _) => stock::controllers(self, programs.go, keys)?,
        }
        match (self.parts.scheduler, self.parts.api) {
            (None, _) | (Some(Maker::Knarr), Maker::Knarr) => {}
            (Some(Maker::Knarr), Maker::Stock) => knarr::scheduler(self, programs)?,
            (Some(Maker::Stock), _) => stock::scheduler(self, programs.go)?,
        }
        Ok(())
    }

    fn nodes(&mut self, programs: &Programs<'_>) -> Result<()> {
        for index in 0..self.machines.len() {
            match self.parts.node {
                None => return Ok(()),
                Some(Maker::Knarr) => knarr::node(self, programs, index)?,
                Some(Maker::Stock) => {
                    node::kubelet(self, programs.go, index)?;
                    node::proxy(self, programs.go, index)?;
                }
            }
        }
        for machine in self.machines.clone() {
            wait_until(&format!("{} is Ready", machine.name), || {
                self.check()?;
                let path = "jsonpath={.status.conditions[?(@.type=='Ready')].status}";
                let ready =
                    self.kubectl(&["get", "node", &machine.name, "--ignore-not-found", "-o", path])?;
                Ok(ready == "True")
            })?;
        }
        Ok(())
    }

    /// Puts images onto a node.
    ///
    /// # Errors
    /// When it does not take them.
    pub fn load(&self, machine: &Machine, images: &Images, wanted: &[Image]) -> Result<()> {
        for image in wanted {
            let archive = images.archive(image).display().to_string();
            match self.parts.node {
                None => bail!("{} is no node, and takes no images", machine.name),
                Some(Maker::Knarr) => {
                    machine.run(&self.knarr, &["image", "import", "--data-dir", &self.data, &archive])?
                }
                Some(Maker::Stock) => machine.run("ctr", &["-n", "k8s.io", "images", "import", &archive])?,
            };
        }
        Ok(())
    }

    /// Where the API is.
    pub fn server(&self) -> String {
        format!("https://{}:{PORT}", self.machines[0].address)
    }

    /// The files of who vouches for the API, of the administrator's certificate and of its key.
    pub fn administrator(&self) -> (PathBuf, PathBuf, PathBuf) {
        let file = |name| self.authority.file(name);
        (file("ca.crt"), file("yardstick.crt"), file("yardstick.key"))
    }

    /// A kubeconfig for a component.
    fn identity(&self, file: &str, user: &str, groups: &[&str]) -> Result<PathBuf> {
        self.authority.kubeconfig(&self.server(), file, user, groups)
    }

    fn start(&mut self, machine: &Machine, name: &str, command: &mut std::process::Command) -> Result<()> {
        self.daemons.push(machine.start(name, command)?);
        Ok(())
    }

    /// Runs kubectl as the administrator, on the link.
    ///
    /// # Errors
    /// With what it complains of.
    pub fn kubectl(&self, arguments: &[&str]) -> Result<String> {
        machine::run(
            self.hub.command(&self.kubectl).arg("--kubeconfig").arg(&self.kubeconfig).args(arguments),
        )
    }

    /// Fails when a part has ended.
    ///
    /// # Errors
    /// Then.
    pub fn check(&mut self) -> Result<()> {
        self.daemons.iter_mut().try_for_each(Daemon::check)
    }
}

/// Ends the cluster of this name whose files lie there, also one that was being made when whoever made it was killed.
///
/// # Errors
/// When something of it stays.
pub fn down(name: &str, directory: &Path) -> Result<()> {
    let groups = knarr::groups(directory);
    Link::new(name, directory)?.remove()?;
    groups.iter().try_for_each(|group| machine::remove_groups(group))
}

/// What came of a run, and of ending its cluster after it: the run's error comes first.
///
/// # Errors
/// When either failed.
pub fn both<T>(run: Result<T>, ending: Result<()>) -> Result<T> {
    match (run, ending) {
        (Ok(done), ending) => ending.map(|()| done),
        (Err(error), Ok(())) => Err(error),
        (Err(error), Err(ending)) => bail!("{error:#}; and its cluster cannot be ended: {ending:#}"),
    }
}

/// The hub of the cluster whose files lie there.
///
/// # Errors
/// When none runs.
pub fn hub(directory: &Path) -> Result<Machine> {
    Machine::find(&directory.join("hub"), HUB).context("no cluster runs there")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_error_of_a_run_comes_before_that_of_its_ending() {
        let (run, ending) = (|| bail!("it broke"), || bail!("it stays"));
        let said = |run: Result<u8>, ending| both(run, ending).map_err(|error| error.to_string());
        assert_eq!(said(Ok(1), Ok(())), Ok(1));
        assert_eq!(said(Ok(1), ending()), Err("it stays".to_owned()));
        assert_eq!(said(run(), Ok(())), Err("it broke".to_owned()));
        let both = "it broke; and its cluster cannot be ended: it stays";
        assert_eq!(said(run(), ending()), Err(both.to_owned()));
    }
}
