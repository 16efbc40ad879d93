//! Laws that hold of any text and any numbers.

use proptest::prelude::*;

use super::worth;

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
