//! Seccomp profiles compiled to BPF with `seccompiler`: once per profile and set of capabilities, kept in the data directory. Compiling takes
//! about 15 ms, loading the result nothing. Used by the agent's side of the runtime; the shim only installs what is compiled.
//!
//! A filter of `seccompiler` has one action for what matches, so a profile becomes a stack: one filter that knows every named call,
//! and one more per action other than allowing. The kernel takes the most severe answer of a stack, the latest of equals.
//!
//! On 64-bit x86 a profile that names 32-bit x86 among its architectures, as the default one does, becomes a second stack for programs of
//! that kind ([`compat`]). Programs of an architecture that a profile does not name are killed, as libseccomp has it.
//!
//! Deliberately absent: notification (`SCMP_ACT_NOTIFY`), refused; other foreign architectures.

use std::collections::{BTreeMap, BTreeSet};

use seccompiler::{BpfProgram, TargetArch};
use serde::{Deserialize, Serialize};
use serde_json::json;

mod compat;
mod i386;
mod runtime_default;

/// Which filters a profile becomes: to be counted up whenever the compiler or the default profile changes, or old ones would be used on.
pub(crate) const FORMAT: u32 = 2;

/// A profile in the form of the OCI runtime specification, which a `Localhost` profile's file has.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Profile {
    /// What happens to calls that no rule names.
    pub default_action: String,
    /// The error number for a default action of `SCMP_ACT_ERRNO`; EPERM when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default_errno_ret: Option<u32>,
    /// The architectures whose programs it is for besides the machine's own, such as `SCMP_ARCH_X86`.
    #[serde(default)]
    pub architectures: Vec<String>,
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
    /// More instructions than the kernel takes.
    #[error("the seccomp profile needs {instructions} instructions, which are too many")]
    TooLong {
        /// How many.
        instructions: usize,
    },
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
        let default = Action::parse(&profile.default_action, profile.default_errno_ret)?;
        let mut by_action: BTreeMap<Action, Calls> = BTreeMap::new();
        let mut named = Calls::default();
        for rule in &profile.syscalls {
            let calls = by_action.entry(Action::parse(&rule.action, rule.errno_ret)?).or_default();
            for name in &rule.names {
                calls.add(name, &rule.args);
                named.add(name, &rule.args);
            }
        }
        let mut stack = Vec::new();
        if default != Action::Allow {
            stack.push((named, default, Action::Allow));
        }
        for (action, calls) in by_action {
            if action != Action::Allow && action != default {
                stack.push((calls, Action::Allow, action));
            }
        }
        let with_32_bit =
            cfg!(target_arch = "x86_64") && profile.architectures.iter().any(|name| name == "SCMP_ARCH_X86");
        let mut programs = Vec::new();
        for (calls, mismatch, matched) in stack {
            if with_32_bit {
                programs.push(compat::compile(&calls, mismatch, matched)?);
            }
            let mut program = compile(calls, mismatch, matched)?;
            if with_32_bit {
                compat::leave_others(&mut program)?;
            }
            programs.push(program);
        }
        if with_32_bit && !programs.is_empty() {
            programs.push(compat::guard());
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
struct Calls(BTreeMap<String, Vec<Vec<Argument>>>);

impl Calls {
    /// The alternatives of a call, if it is named at all.
    fn alternatives(&self, name: &str) -> Option<&[Vec<Argument>]> {
        self.0.get(name).map(Vec::as_slice)
    }

    fn add(&mut self, name: &str, conditions: &[Argument]) {
        match self.0.get_mut(name) {
            Some(alternatives) if conditions.is_empty() => alternatives.clear(),
            Some(alternatives) if alternatives.is_empty() => {}
            Some(alternatives) => alternatives.push(conditions.to_vec()),
            None if conditions.is_empty() => drop(self.0.insert(name.to_owned(), Vec::new())),
            None => drop(self.0.insert(name.to_owned(), vec![conditions.to_vec()])),
        }
    }

    fn rules(&self) -> Result<Vec<serde_json::Value>, SeccompError> {
        let mut rules = Vec::new();
        for (name, alternatives) in &self.0 {
            if alternatives.is_empty() {
                rules.push(json!({"syscall": name}));
            }
            for conditions in alternatives {
                let args = conditions.iter().map(condition).collect::<Result<Vec<_>, _>>()?;
                rules.push(json!({"syscall": name, "args": args}));
            }
        }
        Ok(rules)
    }
}

const EPERM: u32 = 1;

/// What happens to a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Action {
    Allow,
    Errno(u32),
    KillThread,
    KillProcess,
    Trap,
    Log,
    Trace(u32),
}

impl Action {
    fn parse(name: &str, errno: Option<u32>) -> Result<Action, SeccompError> {
        Ok(match name {
            "SCMP_ACT_ALLOW" => Action::Allow,
            "SCMP_ACT_ERRNO" => Action::Errno(errno.unwrap_or(EPERM)),
            "SCMP_ACT_KILL" | "SCMP_ACT_KILL_THREAD" => Action::KillThread,
            "SCMP_ACT_KILL_PROCESS" => Action::KillProcess,
            "SCMP_ACT_TRAP" => Action::Trap,
            "SCMP_ACT_LOG" => Action::Log,
            "SCMP_ACT_TRACE" => Action::Trace(errno.unwrap_or(EPERM)),
            _ => return Err(SeccompError::Action { action: name.to_owned() }),
        })
    }

    /// For `seccompiler`.
    fn json(self) -> serde_json::Value {
        match self {
            Action::Allow => json!("allow"),
            Action::Errno(number) => json!({"errno": number}),
            Action::KillThread => json!("kill_thread"),
            Action::KillProcess => json!("kill_process"),
            Action::Trap => json!("trap"),
            Action::Log => json!("log"),
            Action::Trace(data) => json!({"trace": data}),
        }
    }

    /// For the kernel: `SECCOMP_RET_…`.
    const fn code(self) -> u32 {
        const DATA: u32 = 0xffff;
        match self {
            Action::KillProcess => 0x8000_0000,
            Action::KillThread => 0,
            Action::Trap => 0x0003_0000,
            Action::Errno(number) => 0x0005_0000 | (number & DATA),
            Action::Trace(data) => 0x7ff0_0000 | (data & DATA),
            Action::Log => 0x7ffc_0000,
            Action::Allow => 0x7fff_0000,
        }
    }
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

fn compile(mut calls: Calls, mismatch: Action, matched: Action) -> Result<BpfProgram, SeccompError> {
    let (mismatch, matched) = (&mismatch.json(), &matched.json());
    let architecture = std::env::consts::ARCH;
    let target =
        TargetArch::try_from(architecture).map_err(|_| SeccompError::Architecture { architecture })?;
    calls.0.retain(|name, _| !runtime_default::ONLY_32_BIT.contains(&name.as_str()));
    match compile_rules(calls.rules()?, mismatch, matched, target) {
        Ok(program) => Ok(program),
        // Most likely a name that this architecture does not have: leave those out, and only those.
        Err(_) => {
            calls.0.retain(|name, _| {
                compile_rules(vec![json!({"syscall": name})], mismatch, matched, target).is_ok()
            });
            compile_rules(calls.rules()?, mismatch, matched, target)
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
