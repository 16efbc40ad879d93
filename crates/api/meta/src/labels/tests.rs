//! What selectors say, match, and refuse.

use std::collections::BTreeMap;

use api_types::meta::v1::{LabelSelector, LabelSelectorRequirement};
use proptest::prelude::*;

use super::*;

fn labels(pairs: &[(&str, &str)]) -> Labels {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

fn parse(text: &str) -> Result<Selector, SelectorError> {
    Selector::parse(text, &Path::NONE)
}

#[test]
fn text_is_read_and_written_in_canonical_form() {
    for (text, canonical) in [
        ("", ""),
        (" ", ""),
        ("x=a,y=b,z=c", "x=a,y=b,z=c"),
        ("z=c , x==a", "x==a,z=c"),
        ("x!=a", "x!=a"),
        ("x", "x"),
        ("!x", "!x"),
        ("! x", "!x"),
        ("x in (b,a)", "x in (a,b)"),
        ("x notin(a)", "x notin (a)"),
        ("x in ()", "x in ()"),
        ("x in (,a)", "x in (,a)"),
        ("x in (a,,b)", "x in (,a,b)"),
        ("x=", "x="),
        ("x=,y", "x=,y"),
        ("x>1,y<2", "x>1,y<2"),
        ("in in (in,notin)", "in in (in,notin)"),
        ("a.b/c=d", "a.b/c=d"),
    ] {
        let selector = parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
        assert_eq!(selector.to_string(), canonical, "{text}");
        assert_eq!(parse(canonical).map(|again| again.to_string()).as_deref(), Ok(canonical));
    }
}

#[test]
fn malformed_text_gets_upstreams_errors() {
    for (text, message) in [
        ("=a", "found '=', expected: !, identifier, or 'end of string'"),
        (",", "found ',', expected: !, identifier, or 'end of string'"),
        ("a,", "found '', expected: identifier after ','"),
        ("a,,b", "found ',', expected: identifier after ','"),
        ("a b", "unable to parse requirement: found 'b', expected: in, notin, =, ==, !=, gt, lt"),
        ("a=b c", "found 'c', expected: ',' or 'end of string'"),
        ("!x=a", "found '=', expected: ',' or 'end of string'"),
        ("!", "unable to parse requirement: found '', expected: identifier"),
        ("a in b", "unable to parse requirement: found 'b' expected: '('"),
        ("a in (b", "unable to parse requirement: found '', expected: ',' or ')'"),
        ("a in (", "unable to parse requirement: found '', expected: ',', ')' or identifier"),
        ("a in (b,=", "unable to parse requirement: found '=', expected: ',', or identifier"),
        ("a==(", "unable to parse requirement: found '(', expected: identifier"),
        (
            "a>b",
            "unable to parse requirement: values[0]: Invalid value: \"b\": for 'Gt', 'Lt' operators, the value must be an integer",
        ),
        (
            "a=-",
            "unable to parse requirement: values[0][a]: Invalid value: \"-\": a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')",
        ),
        (
            "-a",
            "unable to parse requirement: <nil>: Invalid value: \"-a\": name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')",
        ),
    ] {
        assert_eq!(parse(text).map_err(|error| error.to_string()), Err(message.to_owned()), "{text}");
    }
}

#[test]
fn matching_follows_upstreams_table() {
    let set = labels(&[("env", "prod"), ("n", "5"), ("empty", "")]);
    for (text, selected) in [
        ("", true),
        ("env=prod", true),
        ("env==dev", false),
        ("env!=dev", true),
        ("absent!=x", true),
        ("absent notin (x)", true),
        ("absent in (x)", false),
        ("env in (dev,prod)", true),
        ("env notin (dev,prod)", false),
        ("env", true),
        ("!env", false),
        ("!absent", true),
        ("n>4", true),
        ("n>5", false),
        ("n<6", true),
        ("env>4", false),
        ("absent<4", false),
        ("empty=", true),
        ("absent=", false),
        ("env=prod,n>9", false),
    ] {
        assert_eq!(parse(text).expect(text).matches(&set), selected, "{text}");
    }
    assert!(!Selector::nothing().matches(&BTreeMap::new()));
    assert!(!Selector::nothing().and([]).matches(&set));
}

fn expression(key: &str, operator: &str, values: &[&str]) -> LabelSelectorRequirement {
    LabelSelectorRequirement {
        key: key.into(),
        operator: operator.into(),
        values: values.iter().map(|value| (*value).to_owned()).collect(),
    }
}

#[test]
fn api_selectors_become_selectors() {
    assert!(Selector::from_api(None).expect("none").is_nothing());
    assert!(Selector::from_api(Some(&LabelSelector::default())).expect("empty").is_everything());
    let mut api = LabelSelector {
        match_labels: labels(&[("b", "c")]),
        match_expressions: vec![expression("a", "In", &["y", "x"]), expression("z", "DoesNotExist", &[])],
    };
    let selector = Selector::from_api(Some(&api)).expect("legal");
    assert_eq!(selector.to_string(), "a in (x,y),b=c,!z");
    assert_eq!(selector.exact_match("b"), Some("c"));
    assert_eq!(selector.exact_match("a"), None);
    api.match_expressions = vec![expression("a", "In", &[])];
    let error = Selector::from_api(Some(&api)).expect_err("no values");
    assert_eq!(
        error.to_string(),
        "values: Invalid value: null: for 'in', 'notin' operators, values set can't be empty"
    );
    api.match_expressions = vec![expression("a", "Gt", &["1"])];
    let error = Selector::from_api(Some(&api)).expect_err("no such operator");
    assert_eq!(error.to_string(), "\"Gt\" is not a valid label selector operator");
}

#[test]
fn api_selectors_are_validated() {
    let api = LabelSelector {
        match_labels: labels(&[("b", "-")]),
        match_expressions: vec![
            expression("a", "In", &[]),
            expression("a", "Exists", &["x"]),
            expression("a", "Has", &["-"]),
        ],
    };
    let at = Path::new("spec").child("selector");
    let found = |leniency| {
        let errors = validate_label_selector(Some(&api), leniency, &at);
        errors.iter().map(|error| format!("{} {}", error.field, error.kind)).collect::<Vec<_>>()
    };
    assert_eq!(
        found(SelectorLeniency::default()),
        [
            "spec.selector.matchLabels Invalid value",
            "spec.selector.matchExpressions[0].values Required value",
            "spec.selector.matchExpressions[1].values Forbidden",
            "spec.selector.matchExpressions[2].operator Invalid value",
            "spec.selector.matchExpressions[2].values[0] Invalid value",
        ]
    );
    assert_eq!(found(SelectorLeniency { invalid_values: true, unknown_operators: true }).len(), 3);
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused(text in "[a-c!=<>(), \\PC]{0,24}") {
        if let Ok(selector) = parse(&text) {
            let written = selector.to_string();
            prop_assert_eq!(parse(&written).map(|again| again.to_string()), Ok(written));
        }
    }

    #[test]
    fn a_selector_of_labels_selects_them(set in proptest::collection::btree_map("[a-z]{1,3}", "[a-z]{0,3}", 0..4)) {
        let selector = Selector::from_labels(&set);
        prop_assert!(selector.matches(&set));
        prop_assert!(parse(&selector.to_string()).expect("legal").matches(&set));
    }
}
