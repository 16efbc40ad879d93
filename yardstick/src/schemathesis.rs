//! `cargo xtask schemathesis`: requests made at random of the published OpenAPI, of which none may be answered by a fault of the server's own,
//! or not at all.
//!
//! Schemathesis makes them, against a cluster that this starts and stops. Watches are asked for with an end.

use std::path::Path;

use anyhow::{Context as _, Result, bail};
use clap::Args;

use crate::cluster::{self, Cluster, Maker, Parts, Programs};
use crate::suites::python;
use crate::suites::workshop::Workshop;

/// The cluster's name.
pub const CLUSTER: &str = "schemathesis";

/// How long a request may take, in seconds: longer than the server lets any take.
const REQUEST_SECONDS: &str = "70";

/// Every watch ends: without, each would be waited for until it is cut.
const CONFIGURATION: &str = "[parameters]\n\"query.timeoutSeconds\" = 1\n";

/// The paths that are left out: the old watches, which have no end, and the proxies to services, since one without endpoints is rightly answered
/// with 503.
const LEFT_OUT: &str = "/watch/|/services/[^/]+/proxy";

/// Which requests.
#[derive(Args)]
pub struct Options {
    /// API groups, `core` for the one without a name; all without
    groups: Vec<String>,
    /// How many requests are made of each operation
    #[arg(long, short = 'n', default_value_t = 8, value_parser = clap::value_parser!(u32).range(1..))]
    examples: u32,
    /// The seed of another run, to make its requests again
    #[arg(long)]
    seed: Option<u64>,
}

/// Where the cluster's files lie.
pub fn place(directory: &Path) -> std::path::PathBuf {
    directory.join("schemathesis/cluster")
}

/// Starts a cluster, has the requests be made, and ends it.
///
/// # Errors
/// When one of them is answered with a code of 500 or more, or not in time, and when they cannot be made.
pub fn run(programs: &Programs<'_>, project: &Path, directory: &Path, options: &Options) -> Result<()> {
    let workshop = Workshop::new(project, &directory.join("schemathesis"), programs, None)?;
    let python = python::environment(&workshop, "schemathesis")?;
    let place = place(directory);
    let started = Cluster::up(programs, CLUSTER, &place, Parts::all(Maker::Knarr, 1));
    let outcome = started.and_then(|mut cluster| {
        let made = ask(&workshop, &cluster, &python, options);
        // A server that ended explains more than the requests that failed after it.
        cluster.check()?;
        made
    });
    cluster::both(outcome, cluster::down(CLUSTER, &place))
}

fn ask(workshop: &Workshop<'_>, cluster: &Cluster, python: &Path, options: &Options) -> Result<()> {
    let configuration = workshop.of("schemathesis").join("schemathesis.toml");
    std::fs::write(&configuration, CONFIGURATION)?;
    let (authority, certificate, key) = cluster.administrator();
    let mut command = cluster.hub.command(python.with_file_name("st"));
    command.arg("--no-color").arg("--config-file").arg(&configuration);
    command.arg("run").arg(format!("{}/openapi/v2", cluster.server()));
    command.arg("--tls-verify").arg(authority).arg("--request-cert").arg(certificate);
    command.arg("--request-cert-key").arg(key);
    command.args(["--phases", "fuzzing", "--checks", "not_a_server_error", "--no-shrink"]);
    command.args(["--max-examples", &options.examples.to_string()]);
    command.args(["--request-timeout", REQUEST_SECONDS, "--exclude-path-regex", LEFT_OUT]);
    if let Some(seed) = options.seed {
        command.args(["--seed", &seed.to_string()]);
    }
    if !options.groups.is_empty() {
        command.args(["--include-path-regex", &paths(&options.groups)]);
    }
    // What it remembers of one run is of no use to the next.
    command.current_dir(workshop.of("schemathesis"));
    let status = command.status().with_context(|| format!("running {}", python.display()))?;
    if !status.success() {
        bail!(
            "schemathesis ended with {status}: what it found is above, each with the request that shows it"
        );
    }
    Ok(())
}

/// The paths of groups.
fn paths(groups: &[String]) -> String {
    let of = |group: &String| match group.as_str() {
        "core" => "/api/".to_owned(),
        group => format!("/apis/{}/", group.replace('.', "\\.")),
    };
    format!("^({})", groups.iter().map(of).collect::<Vec<_>>().join("|"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_are_paths() {
        let groups = ["core", "apps", "rbac.authorization.k8s.io"].map(str::to_owned);
        assert_eq!(paths(&groups), r"^(/api/|/apis/apps/|/apis/rbac\.authorization\.k8s\.io/)");
    }
}
