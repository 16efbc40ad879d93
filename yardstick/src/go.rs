//! Programs of Kubernetes' own release, built from the Go module in `tests/conformance`.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};

use crate::machine::run;

/// The release that is compared with; `go.mod` requires it.
const RELEASE: &str = "v1.37.1";

/// CoreDNS, which is no dependency of Kubernetes': it is built as it was released.
const COREDNS: &str = "github.com/coredns/coredns@v1.15.0";

/// The packages that hold them, by the programs' names.
const PACKAGES: [(&str, &str); 13] = [
    ("etcd", "go.etcd.io/etcd/server/v3"),
    ("etcdctl", "go.etcd.io/etcd/etcdctl/v3"),
    ("ginkgo", "github.com/onsi/ginkgo/v2/ginkgo"),
    ("kube-apiserver", "k8s.io/kubernetes/cmd/kube-apiserver"),
    ("kube-controller-manager", "k8s.io/kubernetes/cmd/kube-controller-manager"),
    ("kube-proxy", "k8s.io/kubernetes/cmd/kube-proxy"),
    ("kube-scheduler", "k8s.io/kubernetes/cmd/kube-scheduler"),
    ("kubectl", "k8s.io/kubernetes/cmd/kubectl"),
    ("kubelet", "k8s.io/kubernetes/cmd/kubelet"),
    ("agnhost", "k8s.io/kubernetes/test/images/agnhost"),
    ("nonewprivs", "k8s.io/kubernetes/test/images/nonewprivs"),
    ("resource-consumer", "k8s.io/kubernetes/test/images/resource-consumer"),
    ("sample-apiserver", "k8s.io/sample-apiserver"),
];

/// Where they are built.
pub struct Go {
    module: PathBuf,
    directory: PathBuf,
}

impl Go {
    /// Of this project; what is built lies below `directory`.
    pub fn new(project: &Path, directory: &Path) -> Go {
        Go { module: project.join("tests/conformance"), directory: directory.to_owned() }
    }

    /// A program, which is built unless it is there.
    ///
    /// # Errors
    /// When there is no Go, or it cannot build.
    pub fn program(&self, name: &str) -> Result<PathBuf> {
        let package = PACKAGES.iter().find(|(known, _)| *known == name);
        let (_, package) = package.with_context(|| format!("{name} is no program of the module"))?;
        self.build(name, &["build"], package)
    }

    /// Where a program lies if it was built before.
    pub fn built(&self, name: &str) -> Option<PathBuf> {
        Some(self.directory.join(name)).filter(|path| path.is_file())
    }

    /// The name server of stock clusters.
    ///
    /// # Errors
    /// When there is no Go, or it cannot build.
    pub fn name_server(&self) -> Result<PathBuf> {
        let path = self.directory.join("coredns");
        if !path.exists() {
            println!("==> building coredns (minutes, the first time)");
            let mut command = Command::new("go");
            command.args(["install", "-trimpath", "-ldflags", "-s -w", COREDNS]);
            command.env("GOBIN", &self.directory).env("CGO_ENABLED", "0");
            succeed(&mut command, COREDNS)?;
        }
        Ok(path)
    }

    /// The conformance suite as one program.
    ///
    /// # Errors
    /// When there is no Go, or it cannot build.
    pub fn suite(&self) -> Result<PathBuf> {
        self.build("e2e.test", &["test", "-c", "-vet=off"], ".")
    }

    /// A package of tests in the module, as one program.
    ///
    /// # Errors
    /// When there is no Go, or it cannot build.
    pub fn tests(&self, package: &str) -> Result<PathBuf> {
        let name = format!("{package}.test");
        self.build(&name, &["test", "-c", "-vet=off"], &format!("./{package}"))
    }

    /// Where a module of this version lies, once it is brought: `helm.sh/helm/v4@v4.3.1`. Its sum must be this one.
    ///
    /// # Errors
    /// When it cannot be had, or is another.
    pub fn module(&self, version: &str, sum: &str) -> Result<PathBuf> {
        let mut command = Command::new("go");
        command.args(["mod", "download", "-json", version]).current_dir(&self.module);
        let said: serde_json::Value = serde_json::from_str(&run(&mut command)?)?;
        if said["Sum"] != sum {
            bail!("the sum of {version} is {}, not {sum}", said["Sum"]);
        }
        Ok(PathBuf::from(said["Dir"].as_str().context("go says no directory")?))
    }

    /// The program that says what Kubernetes makes of objects.
    ///
    /// # Errors
    /// When there is no Go, or it cannot build.
    pub fn oracle(&self) -> Result<PathBuf> {
        self.build("oracle", &["build"], "./oracle")
    }

    /// A file of Kubernetes' sources.
    ///
    /// # Errors
    /// When there is no Go, or the module cannot be had.
    pub fn source(&self, path: &str) -> Result<PathBuf> {
        let mut command = Command::new("go");
        command.args(["list", "-m", "-f", "{{.Dir}}", "k8s.io/kubernetes"]).current_dir(&self.module);
        Ok(Path::new(run(&mut command)?.trim()).join(path))
    }

    fn build(&self, name: &str, verb: &[&str], package: &str) -> Result<PathBuf> {
        let path = self.directory.join(name);
        if self.is_fresh(&path, package) {
            return Ok(path);
        }
        println!("==> building {name} (minutes, the first time)");
        let version =
            |of: &str| format!("-X {of}.gitVersion={RELEASE} -X {of}.gitMajor=1 -X {of}.gitMinor=37");
        let stamps = format!(
            "-s -w {} {}",
            version("k8s.io/component-base/version"),
            version("k8s.io/client-go/pkg/version")
        );
        // What is not whole never has the name.
        let partial = self.directory.join(format!("{name}.part"));
        let mut command = Command::new("go");
        command.args(verb).args(["-trimpath", "-ldflags", &stamps, "-o"]).arg(&partial).arg(package);
        // Static, so that they run in an image of their own.
        command.current_dir(&self.module).env("CGO_ENABLED", "0");
        succeed(&mut command, package)?;
        std::fs::rename(&partial, &path).with_context(|| format!("naming {}", path.display()))?;
        Ok(path)
    }

    /// Whether it is newer than what says from what it is built: the module's files, and the package's own if it is of the module.
    fn is_fresh(&self, path: &Path, package: &str) -> bool {
        let mut sources = ["go.mod", "go.sum"].map(|source| self.module.join(source)).to_vec();
        if package.starts_with('.') {
            let own = std::fs::read_dir(self.module.join(package)).into_iter().flatten().flatten();
            let own = own.map(|entry| entry.path());
            sources.extend(own.filter(|path| path.extension().is_some_and(|end| end == "go")));
        }
        is_newer(path, &sources)
    }
}

fn succeed(command: &mut Command, what: &str) -> Result<()> {
    let status = command.status().context("running go: https://go.dev/doc/install says how to get it")?;
    if !status.success() {
        bail!("{what} cannot be built");
    }
    Ok(())
}

/// Whether a file is newer than others, all of which must be there.
pub fn is_newer(built: &Path, sources: &[PathBuf]) -> bool {
    let changed = |path: &Path| std::fs::metadata(path).and_then(|data| data.modified()).ok();
    let Some(built) = changed(built) else { return false };
    sources.iter().all(|source| changed(source).is_some_and(|source| source < built))
}
