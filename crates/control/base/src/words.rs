//! How upstream's messages show API objects: as Go's types for protobuf show themselves.

use std::fmt::Write as _;

use api_types::meta::v1::LabelSelector;

/// A label selector.
pub fn of_selector(selector: Option<&LabelSelector>) -> String {
    let Some(selector) = selector else { return "nil".to_owned() };
    let mut labels = String::new();
    for (key, value) in &selector.match_labels {
        let _ = write!(labels, "{key}: {value},");
    }
    let mut expressions = String::new();
    for own in &selector.match_expressions {
        let (key, operator, values) = (&own.key, &own.operator, own.values.join(" "));
        let _ = write!(
            expressions,
            "LabelSelectorRequirement{{Key:{key},Operator:{operator},Values:[{values}],}},"
        );
    }
    format!(
        "&LabelSelector{{MatchLabels:map[string]string{{{labels}}},MatchExpressions:[]LabelSelectorRequirement{{{expressions}}},}}"
    )
}
