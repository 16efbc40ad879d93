//! Device rules on version 2: a BPF program of our own, loaded and attached to the group before anything runs in it.
//!
//! The instruction encoding and the context (`struct bpf_cgroup_dev_ctx`) are those of linux/bpf.h.
#![allow(unsafe_code)]

use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::path::Path;

use nix::errno::Errno;
use nix::fcntl::{OFlag, open};
use nix::libc;
use nix::sys::stat::Mode;

use super::{CgroupError, DeviceKind, DeviceRule};

const BPF_PROG_LOAD: libc::c_long = 5;
const BPF_PROG_ATTACH: libc::c_long = 8;
const BPF_PROG_TYPE_CGROUP_DEVICE: u32 = 15;
const BPF_CGROUP_DEVICE: u32 = 6;
const BPF_F_ALLOW_MULTI: u32 = 2;

const TYPE_BLOCK: i32 = 1;
const TYPE_CHARACTER: i32 = 2;
const ACCESS_MAKE: i32 = 1;
const ACCESS_READ: i32 = 2;
const ACCESS_WRITE: i32 = 4;
const ACCESS_ALL: i32 = ACCESS_MAKE | ACCESS_READ | ACCESS_WRITE;

/// One instruction: opcode, registers (destination low, source high), jump offset, immediate.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Instruction {
    code: u8,
    registers: u8,
    offset: i16,
    immediate: i32,
}

const fn instruction(code: u8, destination: u8, source: u8, offset: i16, immediate: i32) -> Instruction {
    Instruction { code, registers: destination | (source << 4), offset, immediate }
}

const fn load_word(destination: u8, source: u8, offset: i16) -> Instruction {
    instruction(0x61, destination, source, offset, 0)
}

const fn and(destination: u8, immediate: i32) -> Instruction {
    instruction(0x54, destination, 0, 0, immediate)
}

const fn shift_right(destination: u8, immediate: i32) -> Instruction {
    instruction(0x74, destination, 0, 0, immediate)
}

const fn copy(destination: u8, source: u8) -> Instruction {
    instruction(0xbc, destination, source, 0, 0)
}

const fn set(destination: u8, immediate: i32) -> Instruction {
    instruction(0xb4, destination, 0, 0, immediate)
}

const EXIT: Instruction = instruction(0x95, 0, 0, 0, 0);

/// A comparison that leaves the rule when it fails; its offset is filled in once the rule's length is known.
enum Check {
    Differs(u8, i32),
    DiffersFrom(u8, u8),
    Do(Instruction),
}

/// The program: 1 for what a rule allows, 0 for everything else.
pub(super) fn program(rules: &[DeviceRule]) -> Vec<Instruction> {
    // r2 kind, r3 access, r4 major, r5 minor
    let mut program = vec![
        load_word(2, 1, 0),
        copy(3, 2),
        and(2, 0xffff),
        shift_right(3, 16),
        load_word(4, 1, 4),
        load_word(5, 1, 8),
    ];
    for rule in rules {
        let checks = checks(rule);
        let length = checks.len();
        for (index, check) in checks.into_iter().enumerate() {
            // Past the rest of the checks and the two instructions that allow.
            let beyond = i16::try_from(length - index - 1 + 2).unwrap_or(i16::MAX);
            program.push(match check {
                Check::Differs(register, value) => instruction(0x56, register, 0, beyond, value),
                Check::DiffersFrom(register, other) => instruction(0x5e, register, other, beyond, 0),
                Check::Do(instruction) => instruction,
            });
        }
        program.extend([set(0, 1), EXIT]);
    }
    program.extend([set(0, 0), EXIT]);
    program
}

fn checks(rule: &DeviceRule) -> Vec<Check> {
    let mut checks = Vec::new();
    match rule.kind {
        DeviceKind::Any => {}
        DeviceKind::Block => checks.push(Check::Differs(2, TYPE_BLOCK)),
        DeviceKind::Character => checks.push(Check::Differs(2, TYPE_CHARACTER)),
    }
    let access =
        [(rule.access.make, ACCESS_MAKE), (rule.access.read, ACCESS_READ), (rule.access.write, ACCESS_WRITE)]
            .into_iter()
            .filter_map(|(allowed, bit)| allowed.then_some(bit))
            .sum::<i32>();
    if access != ACCESS_ALL {
        checks.extend([Check::Do(copy(1, 3)), Check::Do(and(1, access)), Check::DiffersFrom(1, 3)]);
    }
    for (register, number) in [(4, rule.major), (5, rule.minor)] {
        if let Some(number) = number {
            checks.push(Check::Differs(register, number.cast_signed()));
        }
    }
    checks
}

/// Loads the program for `rules` and attaches it to the group at `path`.
pub(super) fn attach(path: &Path, rules: &[DeviceRule]) -> Result<(), CgroupError> {
    let failed = |action| move |source| CgroupError::Kernel { action, path: path.to_owned(), source };
    let group = open(path, OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC, Mode::empty())
        .map_err(failed("open"))?;
    let program = load(&program(rules)).map_err(failed("load the device program of"))?;
    attach_program(group.as_raw_fd(), program.as_raw_fd()).map_err(failed("attach the device program to"))
}

/// The head of `union bpf_attr` for BPF_PROG_LOAD.
#[repr(C)]
struct LoadAttributes {
    program_type: u32,
    instruction_count: u32,
    instructions: u64,
    license: u64,
    log_level: u32,
    log_size: u32,
    log_buffer: u64,
}

/// The head of `union bpf_attr` for BPF_PROG_ATTACH.
#[repr(C)]
struct AttachAttributes {
    target: u32,
    program: u32,
    attach_type: u32,
    flags: u32,
}

fn load(program: &[Instruction]) -> Result<OwnedFd, Errno> {
    let license = c"Apache-2.0";
    let attributes = LoadAttributes {
        program_type: BPF_PROG_TYPE_CGROUP_DEVICE,
        instruction_count: u32::try_from(program.len()).map_err(|_| Errno::E2BIG)?,
        instructions: program.as_ptr() as u64,
        license: license.as_ptr() as u64,
        log_level: 0,
        log_size: 0,
        log_buffer: 0,
    };
    // SAFETY: the attributes, the instructions and the licence outlive the call, and the size is that of the attributes; the
    // kernel only reads them.
    let descriptor = unsafe {
        libc::syscall(libc::SYS_bpf, BPF_PROG_LOAD, &raw const attributes, size_of::<LoadAttributes>())
    };
    let descriptor = Errno::result(descriptor)?;
    let descriptor = RawFd::try_from(descriptor).map_err(|_| Errno::EBADF)?;
    // SAFETY: the call has just returned this descriptor, which nobody else knows.
    Ok(unsafe { OwnedFd::from_raw_fd(descriptor) })
}

fn attach_program(group: RawFd, program: RawFd) -> Result<(), Errno> {
    let attributes = AttachAttributes {
        target: group.cast_unsigned(),
        program: program.cast_unsigned(),
        attach_type: BPF_CGROUP_DEVICE,
        flags: BPF_F_ALLOW_MULTI,
    };
    // SAFETY: the attributes outlive the call and the size is theirs; the kernel only reads them.
    let result = unsafe {
        libc::syscall(libc::SYS_bpf, BPF_PROG_ATTACH, &raw const attributes, size_of::<AttachAttributes>())
    };
    Errno::result(result).map(drop)
}
