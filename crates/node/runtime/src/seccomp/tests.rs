//! Facts about compiling profiles. What the kernel makes of them is proven by the integration tests.

use super::*;

#[test]
fn the_default_profile_compiles_and_survives_its_bytes() {
    let plain = Filter::runtime_default(&BTreeSet::new()).expect("it compiles");
    let admin = Filter::runtime_default(&BTreeSet::from(["CAP_SYS_ADMIN".to_owned()])).expect("it compiles");
    let with_32_bit = |filters: usize| if cfg!(target_arch = "x86_64") { filters * 2 + 1 } else { filters };
    assert_eq!(
        (plain.programs().len(), admin.programs().len()),
        (with_32_bit(2), with_32_bit(1)),
        "clone3 needs a second filter without CAP_SYS_ADMIN"
    );
    assert_eq!(Filter::from_bytes(&plain.to_bytes()).expect("whole"), plain);
}

#[test]
fn damaged_bytes_are_refused() {
    let bytes = Filter::runtime_default(&BTreeSet::new()).expect("it compiles").to_bytes();
    for cut in [1, 3, 4, bytes.len() - 1] {
        assert!(matches!(Filter::from_bytes(&bytes[..cut]), Err(SeccompError::Damaged)), "{cut}");
    }
    assert!(Filter::from_bytes(&[0, 0, 0, 0]).is_err());
}

#[test]
fn what_cannot_be_enforced_is_refused() {
    let parse = |text: &str| serde_json::from_str::<Profile>(text).expect("a profile");
    for (text, works) in [
        (r#"{"defaultAction":"SCMP_ACT_ALLOW"}"#, true),
        (
            r#"{"defaultAction":"SCMP_ACT_ERRNO","defaultErrnoRet":38,"syscalls":[{"names":["read","nonesuch"],"action":"SCMP_ACT_ALLOW"}]}"#,
            true,
        ),
        (r#"{"defaultAction":"SCMP_ACT_NOTIFY"}"#, false),
        (
            r#"{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["read"],"action":"SCMP_ACT_ERRNO","args":[{"index":0,"value":1,"op":"SCMP_CMP_LIKE"}]}]}"#,
            false,
        ),
    ] {
        assert_eq!(Filter::compile(&parse(text)).is_ok(), works, "{text}");
    }
}

#[test]
fn an_unconditional_rule_wins_over_conditions() {
    let mut calls = Calls::default();
    let condition = |value| Argument { value, op: "SCMP_CMP_EQ".into(), ..Argument::default() };
    calls.add("clone", &[condition(1)]);
    calls.add("clone", &[]);
    calls.add("clone", &[condition(2)]);
    assert_eq!(calls.rules().expect("known comparisons"), [json!({"syscall": "clone"})]);
}

/// What a stack of filters answers to a call: the most severe of its programs' answers, run as the kernel runs them.
#[cfg(target_arch = "x86_64")]
fn answer(filter: &Filter, architecture: u32, number: u32, arguments: &[u64]) -> u32 {
    let mut data = [0u8; 64];
    data[..4].copy_from_slice(&number.to_le_bytes());
    data[4..8].copy_from_slice(&architecture.to_le_bytes());
    for (at, argument) in arguments.iter().enumerate() {
        data[16 + 8 * at..][..8].copy_from_slice(&argument.to_le_bytes());
    }
    let run = |program: &BpfProgram| {
        let (mut accumulator, mut at) = (0u32, 0usize);
        loop {
            let step = program[at].clone();
            at += 1;
            let jump = |holds: bool| usize::from(if holds { step.jt } else { step.jf });
            match step.code {
                0x20 => {
                    let place = step.k as usize;
                    accumulator = u32::from_le_bytes(data[place..place + 4].try_into().expect("four bytes"));
                }
                0x05 => at += step.k as usize,
                0x15 => at += jump(accumulator == step.k),
                0x25 => at += jump(accumulator > step.k),
                0x35 => at += jump(accumulator >= step.k),
                0x54 => accumulator &= step.k,
                0x06 => return step.k,
                code => panic!("{code:#x} is not known"),
            }
        }
    };
    // By severity, the lowest as a signed number first.
    filter.programs().iter().map(run).min_by_key(|code| (code & 0xffff_0000).cast_signed()).expect("a filter")
}

#[cfg(target_arch = "x86_64")]
#[test]
fn every_architecture_gets_the_answer_that_is_its_own() {
    const X86_64: u32 = 0xc000_003e;
    const I386: u32 = 0x4000_0003;
    const ARM: u32 = 0x4000_0028;
    const ALLOW: u32 = 0x7fff_0000;
    const KILL: u32 = 0x8000_0000;
    let errno = |number: u32| 0x0005_0000 | number;
    let plain = Filter::runtime_default(&BTreeSet::new()).expect("it compiles");
    let cases: [(u32, u32, &[u64], u32, &str); 22] = [
        (X86_64, 1, &[], ALLOW, "write"),
        (I386, 4, &[], ALLOW, "write"),
        (ARM, 4, &[], KILL, "a foreign architecture"),
        (X86_64, 250, &[], errno(1), "keyctl"),
        (I386, 288, &[], errno(1), "keyctl"),
        (I386, 250, &[], ALLOW, "fadvise64, whose number is keyctl's on 64 bits"),
        (I386, 9999, &[], errno(1), "no call at all"),
        (X86_64, 0x4000_0001, &[], errno(1), "write of x32"),
        (X86_64, 435, &[], errno(38), "clone3"),
        (I386, 435, &[], errno(38), "clone3"),
        (X86_64, 56, &[0x11], ALLOW, "clone of a process"),
        (I386, 120, &[0x11], ALLOW, "clone of a process"),
        (I386, 120, &[0x1000_0000], errno(1), "clone of a user namespace"),
        (X86_64, 41, &[2], ALLOW, "socket of IPv4"),
        (I386, 359, &[2], ALLOW, "socket of IPv4"),
        (X86_64, 41, &[38], errno(1), "socket of the kernel's cryptography"),
        (I386, 359, &[38], errno(1), "socket of the kernel's cryptography"),
        (I386, 359, &[45], ALLOW, "socket of MCTP"),
        (I386, 359, &[46], errno(1), "socket of what does not exist"),
        (I386, 136, &[0xffff_ffff], ALLOW, "personality asked for"),
        (I386, 136, &[1], errno(1), "another personality"),
        (I386, 102, &[], ALLOW, "socketcall"),
    ];
    for (architecture, number, arguments, wanted, name) in cases {
        assert_eq!(answer(&plain, architecture, number, arguments), wanted, "{name} {architecture:#x}");
    }
    let profile = |architectures: &str, op: &str, value: u64| -> Filter {
        let text = format!(
            r#"{{"defaultAction":"SCMP_ACT_ALLOW",{architectures}"syscalls":[{{"names":["read"],
            "action":"SCMP_ACT_ERRNO","args":[{{"index":2,"value":{value},"valueTwo":4,"op":"{op}"}}]}}]}}"#
        );
        Filter::compile(&serde_json::from_str(&text).expect("a profile")).expect("it compiles")
    };
    let x86 = r#""architectures":["SCMP_ARCH_X86"],"#;
    assert_eq!(answer(&profile("", "SCMP_CMP_EQ", 5), I386, 3, &[0, 0, 5]), KILL, "it is not for 32 bits");
    for (op, value, refused) in [
        ("SCMP_CMP_EQ", 5, [false, true, false]),
        ("SCMP_CMP_NE", 5, [true, false, true]),
        ("SCMP_CMP_LT", 5, [true, false, false]),
        ("SCMP_CMP_LE", 5, [true, true, false]),
        ("SCMP_CMP_GT", 5, [false, false, true]),
        ("SCMP_CMP_GE", 5, [false, true, true]),
        ("SCMP_CMP_MASKED_EQ", 6, [true, true, false]),
        ("SCMP_CMP_EQ", 1 << 32, [false; 3]),
        ("SCMP_CMP_NE", 1 << 32, [true; 3]),
        ("SCMP_CMP_LT", 1 << 32, [true; 3]),
    ] {
        let filter = profile(x86, op, value);
        for (architecture, number) in [(X86_64, 0), (I386, 3)] {
            let found =
                [4, 5, 8].map(|size| answer(&filter, architecture, number, &[0, 0, size]) == errno(1));
            assert_eq!(found, refused, "{op} {value} {architecture:#x}");
        }
    }
}
