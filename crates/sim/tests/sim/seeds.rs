//! Two thousand worlds of applications, in parts that run side by side.

fn run(seeds: std::ops::Range<u64>) {
    let failed: Vec<String> =
        seeds.filter_map(|seed| sim::run::run(seed).err()).map(|failed| failed.to_string()).collect();
    assert!(failed.is_empty(), "{} seeds failed:\n{}", failed.len(), failed.join("\n"));
}

#[test]
fn worlds_hold_part_1() {
    run(0..500);
}

#[test]
fn worlds_hold_part_2() {
    run(500..1_000);
}

#[test]
fn worlds_hold_part_3() {
    run(1_000..1_500);
}

#[test]
fn worlds_hold_part_4() {
    run(1_500..2_000);
}
