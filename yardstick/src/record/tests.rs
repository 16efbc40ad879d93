use super::*;

fn test_of(name: &str, area: &str, result: Outcome) -> Test {
    Test {
        name: name.into(),
        area: area.into(),
        result,
        seconds: 90,
        class: String::new(),
        failure: String::new(),
    }
}

fn record(tests: Vec<Test>) -> Record {
    Record { date: "2026-01-02".into(), commit: "abc".into(), against: "knarr".into(), tests }
}

#[test]
fn tests_that_ran_again_take_the_place_of_the_earlier_ones() {
    let earlier =
        record(vec![test_of("one", "apps", Outcome::Failed), test_of("two", "node", Outcome::Passed)]);
    let now = record(vec![test_of("one", "apps", Outcome::Passed)]);
    assert_eq!(now.changes(&earlier), [("one", Outcome::Failed, Outcome::Passed)]);
    let whole = now.over(earlier);
    assert_eq!(
        whole.tests.iter().map(|test| (test.name.as_str(), test.result)).collect::<Vec<_>>(),
        [("one", Outcome::Passed), ("two", Outcome::Passed)]
    );
}

#[test]
fn the_table_has_a_row_an_area_and_one_for_all() {
    let table = record(vec![
        test_of("one", "apps", Outcome::Failed),
        test_of("two", "node", Outcome::Passed),
        test_of("three", "node", Outcome::Skipped),
    ])
    .table();
    let rows: Vec<&str> = table.lines().skip(2).collect();
    assert_eq!(
        rows,
        ["| apps | 0 | 1 | 0 | 1.5 |", "| node | 1 | 0 | 1 | 3.0 |", "| all | 1 | 1 | 1 | 4.5 |"]
    );
}

#[test]
fn a_failure_is_the_kernels_where_stock_fails_too_and_else_not_built_or_a_defect() {
    let directory = tempfile::tempdir().expect("a directory");
    let mut stock = record(vec![
        test_of("[sig] kernel", "node", Outcome::Failed),
        test_of("[sig] b", "node", Outcome::Passed),
    ]);
    stock.against = "stock".into();
    Known::default().classify("stock", &mut stock.tests);
    std::fs::write(directory.path().join("stock.json"), serde_json::to_string(&stock).expect("JSON"))
        .expect("a file");
    std::fs::write(directory.path().join("not-built.tsv"), "missing\tpart\nwheels | tyres\t[sig] c\n")
        .expect("a file");
    let known = Known::read(directory.path()).expect("it is read");
    let mut run = record(
        ["[sig] a", "[sig] b", "[sig] c1", "[sig] kernel"]
            .map(|name| test_of(name, "node", Outcome::Failed))
            .into(),
    );
    run.tests[0].result = Outcome::Passed;
    known.classify("knarr", &mut run.tests);
    let classes: Vec<_> = run.tests.iter().map(|test| test.class.as_str()).collect();
    assert_eq!(classes, ["", DEFECT, NOT_BUILT, KERNEL]);
    let page = run.page(&known);
    assert!(
        page.contains("### not built (1)\n\n| test | |\n|---|---|\n| [sig] c1 | wheels \\| tyres |\n"),
        "{page}"
    );
    let read: Record = serde_json::from_str(&serde_json::to_string(&run).expect("JSON")).expect("it is one");
    assert_eq!(read.tests[2].class, NOT_BUILT);
}
