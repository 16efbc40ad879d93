//! Conditions of any kind of object, as its JSON has them.

use api_record::scalar::Time;
use serde_json::Value;

use crate::finding::Finding;

/// Words in the types of conditions that are bad when they hold.
const BAD: [&str; 14] = [
    "Pressure",
    "Fail",
    "Degraded",
    "Stalled",
    "Unavailable",
    "Error",
    "Terminating",
    "NonStructural",
    "Violation",
    "Lost",
    "Disruption",
    "Remaining",
    "Suspended",
    "Dangling",
];

/// The conditions that are not as one would wish: those of a bad name that hold, and the others that do not.
pub(crate) fn troubles(object: &Value) -> Vec<Finding> {
    let conditions = object.pointer("/status/conditions").and_then(Value::as_array);
    conditions.into_iter().flatten().filter_map(trouble).collect()
}

fn trouble(condition: &Value) -> Option<Finding> {
    let text = |field: &str| condition.get(field).and_then(Value::as_str).unwrap_or_default();
    let (type_, status, reason, message) = (text("type"), text("status"), text("reason"), text("message"));
    let is_bad = BAD.iter().any(|word| type_.contains(word));
    if type_.is_empty() || (status == "True") != is_bad {
        return None;
    }
    let why = match (reason, message) {
        ("", "") => String::new(),
        (reason, "") => format!(" ({reason})"),
        ("", message) => format!(": {message}"),
        (reason, message) => format!(" ({reason}): {message}"),
    };
    let since = text("lastTransitionTime").parse::<Time>().ok();
    Some(Finding::new(type_, format!("{type_} is {status}{why}")).since(since))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_as_one_would_wish_is_told() {
        for (type_, status, told) in [
            ("Ready", "True", false),
            ("Ready", "False", true),
            ("Ready", "Unknown", true),
            ("MemoryPressure", "False", false),
            ("MemoryPressure", "True", true),
            ("ReplicaFailure", "True", true),
            ("Established", "False", true),
        ] {
            let object = serde_json::json!({"status": {"conditions": [{"type": type_, "status": status}]}});
            assert_eq!(!troubles(&object).is_empty(), told, "{type_}={status}");
        }
        let object = serde_json::json!({"status": {"conditions": [
            {"type": "Ready", "status": "False", "reason": "NoDatabase", "message": "it is away"},
        ]}});
        assert_eq!(troubles(&object)[0].message, "Ready is False (NoDatabase): it is away");
    }
}
