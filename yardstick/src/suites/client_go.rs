//! client-go: the tests of ours in `tests/conformance/clientgo`.

use anyhow::Result;

use super::report;
use super::workshop::Workshop;
use crate::cluster::Cluster;
use crate::record::Test;

pub fn build(workshop: &Workshop<'_>) -> Result<()> {
    workshop.programs.go.tests("clientgo").map(drop)
}

pub fn run(workshop: &Workshop<'_>, cluster: &Cluster) -> Result<Vec<Test>> {
    let program = workshop.programs.go.tests("clientgo")?;
    let (_, log) = workshop.run("client-go", cluster, &program, |command| {
        command.args(["-test.v", "-test.timeout=30m"]);
        if let Some(only) = workshop.only {
            command.arg(format!("-test.run={only}"));
        }
    })?;
    report::go("client-go", &std::fs::read_to_string(log)?)
}
