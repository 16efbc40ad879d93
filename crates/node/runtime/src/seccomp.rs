//! Seccomp profiles compiled to BPF with `seccompiler`: once per profile and set of capabilities, kept in the data directory. Compiling takes
//! about 15 ms, loading the result nothing. Used by the agent's side of the runtime; the shim only installs what is compiled.
//!
//! A filter of `seccompiler` has one action for what matches, so a profile becomes a stack: one filter that knows every named call,
//! and one more per action other than allowing. The kernel takes the most severe answer of a stack, the latest of equals.
//!
//! Deliberately absent: notification (`SCMP_ACT_NOTIFY`), refused; other architectures than the machine's own: a 32-bit program under a
//! profile is killed, where containerd lets it run.

use std::collections::{BTreeMap, BTreeSet};

use seccompiler::{BpfProgram, TargetArch};
use serde::{Deserialize, Serialize};
use serde_json::json;

mod runtime_default;

/// A profile in the form of the OCI runtime specification, which a `Localhost` profile's file has.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Profile {
    /// What happens to calls that no rule names.
    pub default_action: String,
    /// The error number for a default action of `SCMP_ACT_ERRNO`; EPERM when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default_errno_ret: Option<u32>,
    /// The rules.
    #[serde(default)]
    pub syscalls: Vec<Rule>,
}

/// What happens to some calls.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Rule {
    /// The calls' names. Unknown ones are skipped, as runc skips them: profiles name calls of many architectures.
    pub names: Vec<String>,
    /// The action, such as `SCMP_ACT_ALLOW`.
    pub action: String,
    /// The error number for `SCMP_ACT_ERRNO`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub errno_ret: Option<u32>,
    /// What the arguments must be, all of them.
    #[serde(default)]
    pub args: Vec<Argument>,
}

/// What one argument must be.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Argument {
    /// Which argument, from 0.
    pub index: u8,
    /// What to compare with (the mask, for `SCMP_CMP_MASKED_EQ`).
    pub value: u64,
    /// What the masked argument must be.
    #[serde(default)]
    pub value_two: u64,
    /// How to compare, such as `SCMP_CMP_EQ`.
    pub op: String,
}

/// Why a profile cannot be applied.
#[derive(Debug, thiserror::Error)]
pub enum SeccompError {
    /// An action that filters cannot express.
    #[error("seccomp action {action:?} is not supported")]
    Action {
        /// The action's name.
        action: String,
    },
    /// A comparison that does not exist.
    #[error("seccomp comparison {op:?} is not known")]
    Comparison {
        /// Its name.
        op: String,
    },
    /// The compiler refuses the profile.
    #[error("cannot compile the seccomp profile")]
    Compile(#[source] Box<seccompiler::Error>),
    /// A compiled filter is damaged.
    #[error("a compiled seccomp filter is damaged")]
    Damaged,
    /// This machine's architecture has no table of calls.
    #[error("seccomp is not supported on {architecture}")]
    Architecture {
        /// The architecture's name.
        architecture: &'static str,
    },
}

/// Filters ready to be installed, in this order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    programs: Vec<BpfProgram>,
}

impl Filter {
    /// What containerd calls its default profile, for a container with `capabilities` (`CAP_…` names).
    ///
    /// # Errors
    /// When this machine's architecture is unknown.
    pub fn runtime_default(capabilities: &BTreeSet<String>) -> Result<Filter, SeccompError> {
        Filter::compile(&runtime_default::profile(capabilities))
    }

    /// Compiles a profile.
    ///
    /// # Errors
    /// When it asks for something that cannot be enforced: it is then not applied in part.
    pub fn compile(profile: &Profile) -> Result<Filter, SeccompError> {
        let default = action(&profile.default_action, profile.default_errno_ret)?;
        let allow = action("SCMP_ACT_ALLOW", None)?;
        let mut by_action: BTreeMap<String, (serde_json::Value, Calls)> = BTreeMap::new();
        let mut named = Calls::default();
        for rule in &profile.syscalls {
            let action = action(&rule.action, rule.errno_ret)?;
            let conditions = rule.args.iter().map(condition).collect::<Result<Vec<_>, _>>()?;
            let (_, calls) =
                by_action.entry(action.to_string()).or_insert_with(|| (action, Calls::default()));
            for name in &rule.names {
                calls.add(name, &conditions);
                named.add(name, &conditions);
            }
        }
        let mut programs = Vec::new();
        if default != allow {
            programs.push(compile(named, &default, &allow)?);
        }
        for (action, calls) in by_action.into_values() {
            if action != allow && action != default {
                programs.push(compile(calls, &allow, &action)?);
            }
        }
        Ok(Filter { programs })
    }

    /// The filters, each as instructions.
    pub fn programs(&self) -> &[BpfProgram] {
        &self.programs
    }

    /// The filters as bytes: each its number of instructions and these, little-endian.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        for program in &self.programs {
            let count = u32::try_from(program.len()).unwrap_or(u32::MAX);
            bytes.extend_from_slice(&count.to_le_bytes());
            for instruction in program {
                bytes.extend_from_slice(&instruction.code.to_le_bytes());
                bytes.extend_from_slice(&[instruction.jt, instruction.jf]);
                bytes.extend_from_slice(&instruction.k.to_le_bytes());
            }
        }
        bytes
    }

    /// Reads what [`Filter::to_bytes`] wrote.
    ///
    /// # Errors
    /// When the bytes are cut or hold an empty filter.
    pub fn from_bytes(mut bytes: &[u8]) -> Result<Filter, SeccompError> {
        let mut programs = Vec::new();
        while !bytes.is_empty() {
            let (count, rest) = bytes.split_first_chunk::<4>().ok_or(SeccompError::Damaged)?;
            let count = usize::try_from(u32::from_le_bytes(*count)).map_err(|_| SeccompError::Damaged)?;
            let length = count.checked_mul(8).ok_or(SeccompError::Damaged)?;
            let (program, rest) = rest.split_at_checked(length).ok_or(SeccompError::Damaged)?;
            if count == 0 {
                return Err(SeccompError::Damaged);
            }
            programs.push(program.chunks_exact(8).map(instruction).collect());
            bytes = rest;
        }
        Ok(Filter { programs })
    }
}

fn instruction(bytes: &[u8]) -> seccompiler::sock_filter {
    seccompiler::sock_filter {
        code: u16::from_le_bytes([bytes[0], bytes[1]]),
        jt: bytes[2],
        jf: bytes[3],
        k: u32::from_le_bytes([bytes[4], bytes[5], bytes[6], bytes[7]]),
    }
}

/// Calls by name, each with the alternatives of what its arguments must be. No alternatives means any arguments.
#[derive(Default)]
struct Calls(BTreeMap<String, Vec<Vec<serde_json::Value>>>);

impl Calls {
    fn add(&mut self, name: &str, conditions: &[serde_json::Value]) {
        match self.0.get_mut(name) {
            Some(alternatives) if conditions.is_empty() => alternatives.clear(),
            Some(alternatives) if alternatives.is_empty() => {}
            Some(alternatives) => alternatives.push(conditions.to_vec()),
            None if conditions.is_empty() => drop(self.0.insert(name.to_owned(), Vec::new())),
            None => drop(self.0.insert(name.to_owned(), vec![conditions.to_vec()])),
        }
    }

    fn rules(&self) -> Vec<serde_json::Value> {
        let mut rules = Vec::new();
        for (name, alternatives) in &self.0 {
            if alternatives.is_empty() {
                rules.push(json!({"syscall": name}));
            }
            rules.extend(alternatives.iter().map(|args| json!({"syscall": name, "args": args})));
        }
        rules
    }
}

const EPERM: u32 = 1;

fn action(name: &str, errno: Option<u32>) -> Result<serde_json::Value, SeccompError> {
    Ok(match name {
        "SCMP_ACT_ALLOW" => json!("allow"),
        "SCMP_ACT_ERRNO" => json!({"errno": errno.unwrap_or(EPERM)}),
        "SCMP_ACT_KILL" | "SCMP_ACT_KILL_THREAD" => json!("kill_thread"),
        "SCMP_ACT_KILL_PROCESS" => json!("kill_process"),
        "SCMP_ACT_TRAP" => json!("trap"),
        "SCMP_ACT_LOG" => json!("log"),
        "SCMP_ACT_TRACE" => json!({"trace": errno.unwrap_or(EPERM)}),
        _ => return Err(SeccompError::Action { action: name.to_owned() }),
    })
}

fn condition(argument: &Argument) -> Result<serde_json::Value, SeccompError> {
    let (op, value) = match argument.op.as_str() {
        "SCMP_CMP_EQ" => (json!("eq"), argument.value),
        "SCMP_CMP_NE" => (json!("ne"), argument.value),
        "SCMP_CMP_GE" => (json!("ge"), argument.value),
        "SCMP_CMP_GT" => (json!("gt"), argument.value),
        "SCMP_CMP_LE" => (json!("le"), argument.value),
        "SCMP_CMP_LT" => (json!("lt"), argument.value),
        "SCMP_CMP_MASKED_EQ" => (json!({"masked_eq": argument.value}), argument.value_two),
        op => return Err(SeccompError::Comparison { op: op.to_owned() }),
    };
    Ok(json!({"index": argument.index, "type": "qword", "op": op, "val": value}))
}

fn compile(
    mut calls: Calls,
    mismatch: &serde_json::Value,
    matched: &serde_json::Value,
) -> Result<BpfProgram, SeccompError> {
    let architecture = std::env::consts::ARCH;
    let target =
        TargetArch::try_from(architecture).map_err(|_| SeccompError::Architecture { architecture })?;
    match compile_rules(calls.rules(), mismatch, matched, target) {
        Ok(program) => Ok(program),
        // Most likely a name that this architecture does not have: leave those out, and only those.
        Err(_) => {
            calls.0.retain(|name, _| {
                compile_rules(vec![json!({"syscall": name})], mismatch, matched, target).is_ok()
            });
            compile_rules(calls.rules(), mismatch, matched, target)
                .map_err(|error| SeccompError::Compile(Box::new(error)))
        }
    }
}

fn compile_rules(
    rules: Vec<serde_json::Value>,
    mismatch: &serde_json::Value,
    matched: &serde_json::Value,
    target: TargetArch,
) -> Result<BpfProgram, seccompiler::Error> {
    let filter = json!({"profile": {"mismatch_action": mismatch, "match_action": matched, "filter": rules}});
    let mut programs = seccompiler::compile_from_json(filter.to_string().as_bytes(), target)?;
    programs.remove("profile").ok_or(seccompiler::Error::EmptyFilter)
}

#[cfg(test)]
mod tests;
