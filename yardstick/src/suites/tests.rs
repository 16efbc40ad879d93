use super::*;

#[test]
fn without_names_all_suites_are_chosen() {
    let all = choose(&[]).expect("they are known");
    assert_eq!(all.len(), SUITES_BY_NAME.len());
    let one = choose(&["helm".to_owned()]).expect("it is known");
    assert_eq!(one.iter().map(|suite| suite.name).collect::<Vec<_>>(), ["helm"]);
}

#[test]
fn an_unknown_suite_is_refused_with_those_that_there_are() {
    let refused = choose(&["hlem".to_owned()]).err().expect("it is refused").to_string();
    assert!(refused.contains("no suite hlem") && refused.contains("helm, kr8s"), "{refused}");
}
