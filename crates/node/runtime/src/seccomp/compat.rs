//! Filters for 32-bit x86 programs on a 64-bit kernel, which `seccompiler` does not write: the same rules by other numbers, as containerd's
//! profile has them for its three architectures.
//!
//! A program here decides only for its own architecture and allows all others: the filters beside it decide there.

use seccompiler::{BpfProgram, sock_filter};

use super::i386::I386;
use super::{Action, Argument, Calls, SeccompError};

const LOAD: u16 = 0x20;
const JUMP: u16 = 0x05;
const EQUAL: u16 = 0x15;
const GREATER: u16 = 0x25;
const GREATER_OR_EQUAL: u16 = 0x35;
const AND: u16 = 0x54;
const RETURN: u16 = 0x06;

/// Where the kernel shows a filter what: the call's number, its architecture, its arguments (64 bits each, the lower half first).
const NUMBER: u32 = 0;
const ARCHITECTURE: u32 = 4;
const ARGUMENTS: u32 = 16;

const AUDIT_ARCH_I386: u32 = 0x4000_0003;
const AUDIT_ARCH_X86_64: u32 = 0xc000_003e;

/// Instructions of one BPF program, at most: the kernel's bound.
const INSTRUCTIONS_MAX: usize = 4096;

const fn instruction(code: u16, jt: u8, jf: u8, k: u32) -> sock_filter {
    sock_filter { code, jt, jf, k }
}

const fn give(action: Action) -> sock_filter {
    instruction(RETURN, 0, 0, action.code())
}

/// Ends whatever makes calls of an architecture that no other filter knows.
pub(super) fn guard() -> BpfProgram {
    vec![
        instruction(LOAD, 0, 0, ARCHITECTURE),
        instruction(EQUAL, 2, 0, AUDIT_ARCH_X86_64),
        instruction(EQUAL, 1, 0, AUDIT_ARCH_I386),
        give(Action::KillProcess),
        give(Action::Allow),
    ]
}

/// Makes a 64-bit filter of `seccompiler`'s leave other architectures alone. It begins with three instructions that end them.
pub(super) fn leave_others(program: &mut BpfProgram) -> Result<(), SeccompError> {
    let begins = [
        instruction(LOAD, 0, 0, ARCHITECTURE),
        instruction(EQUAL, 1, 0, AUDIT_ARCH_X86_64),
        give(Action::KillProcess),
    ];
    match program.get_mut(..3) {
        Some(found) if found.iter().zip(&begins).all(|(a, b)| same(a, b)) => {
            found[2] = give(Action::Allow);
            Ok(())
        }
        _ => Err(SeccompError::Damaged),
    }
}

fn same(a: &sock_filter, b: &sock_filter) -> bool {
    (a.code, a.jt, a.jf, a.k) == (b.code, b.jt, b.jf, b.k)
}

/// A filter for 32-bit programs. Calls that 32-bit x86 does not have are skipped.
pub(super) fn compile(calls: &Calls, mismatch: Action, matched: Action) -> Result<BpfProgram, SeccompError> {
    let mut program = vec![
        instruction(LOAD, 0, 0, ARCHITECTURE),
        instruction(EQUAL, 1, 0, AUDIT_ARCH_I386),
        give(Action::Allow),
        instruction(LOAD, 0, 0, NUMBER),
    ];
    for (name, number) in I386 {
        let Some(alternatives) = calls.alternatives(name) else { continue };
        if alternatives.is_empty() {
            program.push(instruction(EQUAL, 0, 1, *number));
            program.push(give(matched));
            continue;
        }
        let mut body = Vec::new();
        for conditions in alternatives {
            body.extend(alternative(conditions, matched)?);
        }
        body.push(give(mismatch));
        let length = u32::try_from(body.len()).map_err(|_| SeccompError::Damaged)?;
        program.push(instruction(EQUAL, 1, 0, *number));
        program.push(instruction(JUMP, 0, 0, length));
        program.extend(body);
    }
    program.push(give(mismatch));
    if program.len() > INSTRUCTIONS_MAX {
        return Err(SeccompError::TooLong { instructions: program.len() });
    }
    Ok(program)
}

/// What follows from conditions that all have to hold: the action, or the next instruction after these.
fn alternative(conditions: &[Argument], matched: Action) -> Result<Vec<sock_filter>, SeccompError> {
    let mut checks: Vec<Vec<sock_filter>> = Vec::new();
    for condition in conditions {
        match check(condition)? {
            Check::Always => {}
            // Can hold for no 32-bit argument.
            Check::Never => return Ok(Vec::new()),
            Check::Test(test) => checks.push(test),
        }
    }
    let mut left: usize = checks.iter().map(Vec::len).sum();
    let mut program = Vec::with_capacity(left + 1);
    for mut test in checks {
        left -= test.len();
        // A test's last instruction jumps; where it fails, over all that is left and the action.
        let over = u8::try_from(left + 1).map_err(|_| SeccompError::Damaged)?;
        if let Some(last) = test.last_mut() {
            match last.jf {
                FAILS => last.jf = over,
                _ => last.jt = over,
            }
        }
        program.extend(test);
    }
    program.push(give(matched));
    Ok(program)
}

/// Stands for the distance to what comes when a test fails, until that is known.
const FAILS: u8 = 1;

enum Check {
    Always,
    Never,
    Test(Vec<sock_filter>),
}

/// The test of one condition. Of its last instruction either jump is [`FAILS`].
fn check(argument: &Argument) -> Result<Check, SeccompError> {
    let load = instruction(LOAD, 0, 0, ARGUMENTS + 8 * u32::from(argument.index));
    let (wide, low) = (argument.value > u64::from(u32::MAX), lower(argument.value));
    // An argument of a 32-bit program has no upper half.
    let test = |steps: Vec<sock_filter>| Check::Test(std::iter::once(load).chain(steps).collect());
    Ok(match argument.op.as_str() {
        "SCMP_CMP_EQ" | "SCMP_CMP_GE" | "SCMP_CMP_GT" if wide => Check::Never,
        "SCMP_CMP_NE" | "SCMP_CMP_LE" | "SCMP_CMP_LT" if wide => Check::Always,
        "SCMP_CMP_EQ" => test(vec![instruction(EQUAL, 0, FAILS, low)]),
        "SCMP_CMP_NE" => test(vec![instruction(EQUAL, FAILS, 0, low)]),
        "SCMP_CMP_GE" => test(vec![instruction(GREATER_OR_EQUAL, 0, FAILS, low)]),
        "SCMP_CMP_GT" => test(vec![instruction(GREATER, 0, FAILS, low)]),
        "SCMP_CMP_LE" => test(vec![instruction(GREATER, FAILS, 0, low)]),
        "SCMP_CMP_LT" => test(vec![instruction(GREATER_OR_EQUAL, FAILS, 0, low)]),
        "SCMP_CMP_MASKED_EQ" if argument.value_two > u64::from(u32::MAX) => Check::Never,
        "SCMP_CMP_MASKED_EQ" => {
            test(vec![instruction(AND, 0, 0, low), instruction(EQUAL, 0, FAILS, lower(argument.value_two))])
        }
        op => return Err(SeccompError::Comparison { op: op.to_owned() }),
    })
}

fn lower(value: u64) -> u32 {
    u32::try_from(value & u64::from(u32::MAX)).unwrap_or(u32::MAX)
}
