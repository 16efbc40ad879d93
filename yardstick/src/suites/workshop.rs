//! Where suites are brought to and built, and how their programs are run.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};

use anyhow::{Context as _, Result, bail};

use crate::cluster::{Cluster, Programs};

/// How long a suite may take.
const SUITE_MINUTES: u32 = 40;

/// A directory for each suite, and what they are made with.
pub struct Workshop<'a> {
    /// The root of this project.
    pub project: &'a Path,
    /// Programs of Kubernetes and of Knarr.
    pub programs: &'a Programs<'a>,
    /// Only tests whose names hold this.
    pub only: Option<&'a str>,
    directory: PathBuf,
}

impl<'a> Workshop<'a> {
    /// One whose suites lie there.
    ///
    /// # Errors
    /// When the directory cannot be made.
    pub fn new(
        project: &'a Path,
        directory: &Path,
        programs: &'a Programs<'a>,
        only: Option<&'a str>,
    ) -> Result<Workshop<'a>> {
        std::fs::create_dir_all(directory)?;
        Ok(Workshop { project, programs, only, directory: directory.canonicalize()? })
    }

    /// The directory of a suite.
    pub fn of(&self, suite: &str) -> PathBuf {
        self.directory.join(suite)
    }

    /// A file of a suite's in this project.
    pub fn source(&self, path: &str) -> PathBuf {
        self.project.join("tests/suites").join(path)
    }

    /// Runs a program that brings or builds something, which must succeed, and answers where what it said is.
    ///
    /// # Errors
    /// With the last of what it said.
    pub fn make(&self, what: &str, command: &mut Command) -> Result<PathBuf> {
        println!("==> {what}");
        let log = self.directory.join("build.log");
        let file = std::fs::File::create(&log)?;
        command.stdin(std::process::Stdio::null()).stdout(file.try_clone()?).stderr(file);
        let program = command.get_program().display().to_string();
        let status = command.status().with_context(|| format!("running {program}: is it installed?"))?;
        if !status.success() {
            let text = std::fs::read_to_string(&log).unwrap_or_default();
            let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
            let last = lines[lines.len().saturating_sub(3)..].join(" / ");
            bail!("{what}: {program} ended with {status}: {last}; {} says all of it", log.display());
        }
        Ok(log)
    }

    /// Runs a suite's program on the hub of a cluster, and answers how it ended and where the log of what it said is.
    ///
    /// # Errors
    /// When it cannot be run, or does not end in time.
    pub fn run(
        &self,
        suite: &str,
        cluster: &Cluster,
        program: &Path,
        prepare: impl FnOnce(&mut Command),
    ) -> Result<(ExitStatus, PathBuf)> {
        let name = program.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let log = self.of(suite).join(format!("{name}.log"));
        std::fs::create_dir_all(self.of(suite))?;
        let file = std::fs::File::create(&log)?;
        let mut command = cluster.hub.command("timeout");
        command.arg("--kill-after=10").arg(format!("{SUITE_MINUTES}m")).arg(program);
        command.env("KUBECONFIG", &cluster.kubeconfig).env("SUITE_IMAGE", super::shell_image());
        prepare(&mut command);
        command.stdin(std::process::Stdio::null()).stdout(file.try_clone()?).stderr(file);
        let status = command.status().with_context(|| format!("running {}", program.display()))?;
        // As timeout says that it had to end it.
        if matches!(status.code(), Some(124 | 137)) {
            bail!("{name} did not end within {SUITE_MINUTES} minutes: see {}", log.display());
        }
        Ok((status, log))
    }
}
