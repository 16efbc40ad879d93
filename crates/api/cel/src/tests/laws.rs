//! Laws that hold of any text and any numbers.

use proptest::prelude::*;

use super::worth;
use crate::{Budget, Environment, EvalError, Program, Type, Value};

/// Expressions of every shape, right and wrong: what is evaluated most of the time, unlike any text.
fn expression() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        "(object|name|x|[0-9]{1,3}|[0-9]u|[0-9]\\.5|true|false|null|'[a-c]{0,3}'|b'[a-c]')",
        "object\\.(spec|metadata|none)(\\.(replicas|ports|labels|name))?",
    ];
    leaf.prop_recursive(5, 40, 3, |inner| {
        let operator = "(\\+|-|\\*|/|%|<|<=|==|!=|in|&&|\\|\\|)";
        let method = "(size|startsWith|matches|contains|replace|split|join|indexOf|substring|lowerAscii|sum|min|sort|isSorted|distinct|flatten|slice|first|get|orValue)";
        let function = "(int|uint|double|string|size|type|dyn|bytes|duration|timestamp|quantity|isQuantity|url|ip|cidr|semver|has)";
        let bound = "(all|exists|exists_one|map|filter)";
        prop_oneof![
            (inner.clone(), operator, inner.clone()).prop_map(|(a, by, b)| format!("({a}) {by} ({b})")),
            (inner.clone(), inner.clone(), inner.clone()).prop_map(|(a, b, c)| format!("({a}) ? ({b}) : ({c})")),
            prop::collection::vec(inner.clone(), 0..4).prop_map(|items| format!("[{}]", items.join(", "))),
            (inner.clone(), inner.clone()).prop_map(|(key, value)| format!("{{{key}: {value}}}")),
            (inner.clone(), inner.clone()).prop_map(|(of, at)| format!("({of})[{at}]")),
            (inner.clone(), method, prop::collection::vec(inner.clone(), 0..3))
                .prop_map(|(of, by, with)| format!("({of}).{by}({})", with.join(", "))),
            (function, prop::collection::vec(inner.clone(), 0..3))
                .prop_map(|(of, with)| format!("{of}({})", with.join(", "))),
            (inner.clone(), bound, inner).prop_map(|(of, each, body)| format!("({of}).{each}(x, {body})")),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn any_expression_is_evaluated_within_its_budget_or_refused(source in expression(), budget in 0u64..5_000) {
        let environment = Environment::new([("object", Type::Dyn), ("name", Type::String)]).with_bindings();
        if let Ok(program) = Program::compile(&source, &environment) {
            let object = serde_json::json!({
                "metadata": {"name": "web", "labels": {"a": "b"}},
                "spec": {"replicas": 3, "ports": [{"port": 80}, {"port": 443}]},
            });
            let mut left = Budget::new(budget);
            let found = program.evaluate(&[Value::from(&object), Value::text("web")], &mut left);
            prop_assert!(left.left() <= budget);
            // Who is told that it costs too much has spent all.
            if matches!(found, Err(EvalError::CostExceeded)) {
                prop_assert_eq!(left.left(), 0);
            }
        }
    }
}

proptest! {
    #[test]
    fn any_text_is_evaluated_or_refused(source in "[a-z0-9(){}\\[\\].,:?!+*/%<>=&|'\" -]{0,40}") {
        worth(&source);
    }

    #[test]
    fn arithmetic_is_that_of_integers(a in any::<i32>(), b in any::<i32>()) {
        let (a, b) = (i64::from(a), i64::from(b));
        prop_assert_eq!(worth(&format!("({a}) + ({b})")), (a + b).to_string());
        prop_assert_eq!(worth(&format!("({a}) * ({b})")), (a * b).to_string());
        prop_assert_eq!(worth(&format!("({a}) < ({b})")), (a < b).to_string());
    }

    #[test]
    fn text_that_is_written_down_is_that_text(text in "[ -~]{0,30}") {
        let written = text.replace('\\', "\\\\").replace('\'', "\\'");
        prop_assert_eq!(worth(&format!("'{written}'")), format!("{text:?}"));
    }

    #[test]
    fn a_split_is_undone_by_a_join(text in "[a-c,]{0,20}") {
        prop_assert_eq!(worth(&format!("'{text}'.split(',').join(',') == '{text}'")), "true");
    }
}
