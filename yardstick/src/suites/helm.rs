//! helm, built from its Go module: the life of a release of the charts in `tests/suites/helm`, step by step.

use std::process::Command;
use std::time::Instant;

use anyhow::{Context as _, Result, bail, ensure};

use super::workshop::Workshop;
use crate::cluster::Cluster;
use crate::machine;
use crate::record::{Outcome, Test, first_line};

const MODULE: &str = "helm.sh/helm/v4@v4.3.1";
const SUM: &str = "h1:UndCoLe9UPmNoL7IvWzaUXveL7T5t/ijoorEmgJdI9g=";
const NAMESPACE: &str = "helm";

/// How helm sends objects: as it did before its fourth version, or by server-side apply, which is its default since.
const CLIENT_SIDE: &str = "--server-side=false";
const SERVER_SIDE: &str = "--server-side=true";

/// A step's name, and what it does. Each goes on with what those before it left.
type Step = (&'static str, fn(&Helm<'_>) -> Result<()>);

const STEPS: [Step; 15] = [
    ("install", |helm| install(helm, "web", CLIENT_SIDE)),
    ("what the cluster says to a template", looked_up),
    ("list, status and history", told),
    ("values that the schema refuses", |helm| {
        refused(
            helm.run(&["upgrade", "web", "HARBOUR", "--reuse-values", "--set", "replicas=-1"]),
            "replicas",
        )
    }),
    ("upgrade", upgrade),
    ("upgrade that drops an object", |helm| {
        helm.upgrade("web", &["--set", "extra=false"])?;
        helm.is_gone("configmap/web-extra")
    }),
    ("dry run on the server", dry_run),
    ("test", |helm| {
        let said = helm.run(&["test", "web", "--logs", "--timeout=2m"])?;
        ensure!(said.contains("served"), "its log is missing: {said}");
        Ok(())
    }),
    ("upgrade that fails and is rolled back", failing_upgrade),
    ("rollback", rollback),
    ("get", got),
    ("uninstall", |helm| uninstall(helm, "web")),
    ("install, upgrade and uninstall by server-side apply", |helm| {
        install(helm, "applied", SERVER_SIDE)?;
        helm.run(&["upgrade", "applied", "HARBOUR", "--reuse-values", "--set", "extra=false", "--wait"])?;
        helm.is_gone("configmap/applied-extra")?;
        uninstall(helm, "applied")
    }),
    ("install with a Job as a hook", |helm| {
        let image = format!("image={}", super::shell_image());
        let words = ["install", "hooked", "HARBOUR", "--set", &image, "--set", "prepare=true", CLIENT_SIDE];
        helm.run(&[&words[..], &["--timeout=30s"]].concat())?;
        helm.is_gone("job/hooked-before")?;
        uninstall(helm, "hooked")
    }),
    ("install of a chart with a custom resource", |helm| {
        helm.run(&["install", "boat", "BOATS", CLIENT_SIDE, "--wait", "--timeout=1m"])?;
        helm.kubectl(&["get", "boats.helm.example.com", "boat"])?;
        helm.run(&["uninstall", "boat", "--wait"]).map(drop)
    }),
];

pub fn build(workshop: &Workshop<'_>) -> Result<()> {
    let program = workshop.of("helm").join("helm");
    if program.exists() {
        return Ok(());
    }
    let module = workshop.programs.go.module(MODULE, SUM)?;
    std::fs::create_dir_all(workshop.of("helm"))?;
    let mut build = Command::new("go");
    build.args(["build", "-trimpath", "-ldflags=-s -w", "-o"]).arg(&program).arg("./cmd/helm");
    workshop.make("helm", build.current_dir(&module).env("CGO_ENABLED", "0")).map(drop)
}

pub fn run(workshop: &Workshop<'_>, cluster: &Cluster) -> Result<Vec<Test>> {
    cluster.kubectl(&["create", "namespace", NAMESPACE])?;
    let helm = Helm { workshop, cluster };
    let mut tests = Vec::new();
    for (name, step) in
        STEPS.into_iter().filter(|(name, _)| workshop.only.is_none_or(|only| name.contains(only)))
    {
        let begun = Instant::now();
        let outcome = step(&helm);
        let failure = outcome.as_ref().err().map(|error| format!("{error:#}")).unwrap_or_default();
        tests.push(Test {
            name: name.to_owned(),
            area: "helm".to_owned(),
            result: if outcome.is_ok() { Outcome::Passed } else { Outcome::Failed },
            seconds: begun.elapsed().as_secs(),
            class: String::new(),
            failure: first_line(&failure.replace('\n', " / ")),
        });
    }
    Ok(tests)
}

struct Helm<'a> {
    workshop: &'a Workshop<'a>,
    cluster: &'a Cluster,
}

impl Helm<'_> {
    /// Runs helm with these words, in which `HARBOUR` and `BOATS` stand for the charts.
    fn run(&self, words: &[&str]) -> Result<String> {
        let directory = self.workshop.of("helm");
        let mut command = self.cluster.hub.command(directory.join("helm"));
        for word in words {
            match *word {
                "HARBOUR" => command.arg(self.workshop.source("helm/harbour").canonicalize()?),
                "BOATS" => command.arg(self.workshop.source("helm/boats").canonicalize()?),
                word => command.arg(word),
            };
        }
        command.arg("--namespace").arg(NAMESPACE).arg("--kubeconfig").arg(&self.cluster.kubeconfig);
        for (variable, place) in
            [("HELM_CACHE_HOME", "cache"), ("HELM_CONFIG_HOME", "config"), ("HELM_DATA_HOME", "data")]
        {
            command.env(variable, directory.join(place));
        }
        let output = machine::output(&mut command)?;
        if !output.status.success() {
            bail!("helm {}: {}", words.join(" "), String::from_utf8_lossy(&output.stderr).trim());
        }
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    fn upgrade(&self, release: &str, words: &[&str]) -> Result<()> {
        let begin = ["upgrade", release, "HARBOUR", CLIENT_SIDE, "--reuse-values", "--wait", "--timeout=90s"];
        self.run(&[&begin[..], words].concat()).map(drop)
    }

    fn kubectl(&self, words: &[&str]) -> Result<String> {
        self.cluster.kubectl(&[&["--namespace", NAMESPACE], words].concat())
    }

    fn field(&self, object: &str, path: &str) -> Result<String> {
        self.kubectl(&["get", object, "-o", &format!("jsonpath={{{path}}}")])
    }

    fn is_gone(&self, object: &str) -> Result<()> {
        let found = self.kubectl(&["get", object, "--ignore-not-found", "-o", "name"])?;
        ensure!(found.is_empty(), "{object} is there");
        Ok(())
    }

    /// Waits until the release's page is this one.
    fn serves(&self, release: &str, page: &str) -> Result<()> {
        machine::wait_until(&format!("{release} says {page:?}"), || {
            let deployment = format!("deployment/{release}");
            let words = ["exec", &deployment, "--", "wget", "-q", "-O", "-", "http://127.0.0.1:8080/"];
            Ok(self.kubectl(&words).is_ok_and(|said| said == page))
        })
    }
}

fn install(helm: &Helm<'_>, release: &str, way: &str) -> Result<()> {
    let image = format!("image={}", super::shell_image());
    let said = helm.run(&["install", release, "HARBOUR", "--set", &image, way, "--wait", "--timeout=90s"])?;
    ensure!(said.contains("serves \"version one\""), "its notes are missing: {said}");
    helm.serves(release, "version one")
}

fn looked_up(helm: &Helm<'_>) -> Result<()> {
    let namespace = helm.kubectl(&["get", "namespace", NAMESPACE, "-o", "jsonpath={.metadata.uid}"])?;
    let said = helm.field("configmap/web-extra", ".data")?;
    for (key, value) in [("namespace", namespace.as_str()), ("autoscaling", "true"), ("version", "37")] {
        ensure!(said.contains(&format!("\"{key}\":\"{value}\"")), "{key} is not {value}: {said}");
    }
    Ok(())
}

fn told(helm: &Helm<'_>) -> Result<()> {
    let list: serde_json::Value = serde_json::from_str(&helm.run(&["list", "-o", "json"])?)?;
    let release = &list[0];
    ensure!(release["name"] == "web" && release["status"] == "deployed", "the list is {list}");
    let status = helm.run(&["status", "web"])?;
    ensure!(status.contains("STATUS: deployed"), "the status is {status}");
    let history = helm.run(&["history", "web", "-o", "json"])?;
    ensure!(history.contains("\"revision\":1"), "the history is {history}");
    // The release itself is a Secret of a type of helm's own.
    let kind = helm.field("secret/sh.helm.release.v1.web.v1", ".type")?;
    ensure!(kind == "helm.sh/release.v1", "the Secret's type is {kind}");
    Ok(())
}

fn upgrade(helm: &Helm<'_>) -> Result<()> {
    helm.upgrade("web", &["--set", "replicas=2", "--set", "page=version two"])?;
    let ready = helm.field("deployment/web", ".status.readyReplicas")?;
    ensure!(ready == "2", "{ready} pods are ready, not 2");
    helm.serves("web", "version two")
}

fn dry_run(helm: &Helm<'_>) -> Result<()> {
    let before = helm.field("deployment/web", ".metadata.resourceVersion")?;
    let words = ["upgrade", "web", "HARBOUR", CLIENT_SIDE, "--reuse-values", "--set", "replicas=5"];
    let said = helm.run(&[&words[..], &["--dry-run=server"]].concat())?;
    ensure!(said.contains("replicas: 5"), "the manifest is missing: {said}");
    let after = helm.field("deployment/web", ".metadata.resourceVersion")?;
    ensure!(before == after, "the deployment has changed");
    Ok(())
}

fn failing_upgrade(helm: &Helm<'_>) -> Result<()> {
    let words = ["--set", "break=exit 1", "--rollback-on-failure", "--timeout=15s"];
    let begin = ["upgrade", "web", "HARBOUR", CLIENT_SIDE, "--reuse-values"];
    refused(helm.run(&[&begin[..], &words].concat()), "rolled back")?;
    let status = helm.run(&["status", "web"])?;
    ensure!(status.contains("STATUS: deployed"), "the status is {status}");
    helm.serves("web", "version two")
}

fn rollback(helm: &Helm<'_>) -> Result<()> {
    helm.run(&["rollback", "web", "1", "--wait", "--timeout=90s"])?;
    helm.serves("web", "version one")?;
    let replicas = helm.field("deployment/web", ".spec.replicas")?;
    ensure!(replicas == "1", "{replicas} replicas, not 1");
    // What an upgrade dropped is there again.
    helm.kubectl(&["get", "configmap/web-extra"]).map(drop)
}

fn got(helm: &Helm<'_>) -> Result<()> {
    let manifest = helm.run(&["get", "manifest", "web"])?;
    let file = helm.cluster.directory.join("manifest.yaml");
    std::fs::write(&file, manifest)?;
    helm.kubectl(&["get", "-f", &file.display().to_string()]).context("what the manifest says is there")?;
    let values = helm.run(&["get", "values", "web", "-o", "json"])?;
    ensure!(values.contains("\"image\""), "the values are {values}");
    Ok(())
}

fn uninstall(helm: &Helm<'_>, release: &str) -> Result<()> {
    helm.run(&["uninstall", release, "--wait", "--timeout=90s"])?;
    for object in ["deployment", "service", "serviceaccount", "configmap"] {
        helm.is_gone(&format!("{object}/{release}"))?;
    }
    let releases =
        helm.kubectl(&["get", "secrets", "-l", &format!("owner=helm,name={release}"), "-o", "name"])?;
    ensure!(releases.is_empty(), "releases are left: {releases}");
    Ok(())
}

/// What must not succeed, and say this.
fn refused(outcome: Result<String>, word: &str) -> Result<()> {
    match outcome {
        Ok(said) => bail!("it is not refused: {said}"),
        Err(error) => {
            let said = format!("{error:#}");
            ensure!(said.contains(word), "it does not say {word:?}: {said}");
            Ok(())
        }
    }
}
