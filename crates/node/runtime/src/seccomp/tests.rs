//! Facts about compiling profiles. What the kernel makes of them is proven by the integration tests.

use super::*;

#[test]
fn the_default_profile_compiles_and_survives_its_bytes() {
    let plain = Filter::runtime_default(&BTreeSet::new()).expect("it compiles");
    let admin = Filter::runtime_default(&BTreeSet::from(["CAP_SYS_ADMIN".to_owned()])).expect("it compiles");
    assert_eq!(
        (plain.programs().len(), admin.programs().len()),
        (2, 1),
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
    calls.add("clone", &[json!(1)]);
    calls.add("clone", &[]);
    calls.add("clone", &[json!(2)]);
    assert_eq!(calls.rules(), [json!({"syscall": "clone"})]);
}
