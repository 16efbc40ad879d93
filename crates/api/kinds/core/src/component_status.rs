//! The state of the control plane's parts. They are asked when somebody reads them; none is ever kept.

use api_kind::{Column, Kind};
use api_types::core::v1::{ComponentCondition, ComponentStatus};

/// The row.
pub const KIND: Kind<ComponentStatus> =
    Kind::<ComponentStatus>::of("", "v1", "componentstatuses").columns(&[
        Column::<ComponentStatus>::name(),
        Column::<ComponentStatus>::text("Status", "Status of the component conditions", |own, _| {
            let status = healthy(own).map(|condition| condition.status.as_str());
            if status == Some("True") { "Healthy" } else { "Unhealthy" }.into()
        }),
        Column::<ComponentStatus>::text("Message", "Message of the component conditions", |own, _| {
            healthy(own).map(|condition| condition.message.as_str()).unwrap_or_default().into()
        }),
        Column::<ComponentStatus>::text("Error", "Error of the component conditions", |own, _| {
            healthy(own).map(|condition| condition.error.as_str()).unwrap_or_default().into()
        }),
    ]);

fn healthy(own: &ComponentStatus) -> Option<&ComponentCondition> {
    own.conditions.iter().find(|condition| condition.type_ == "Healthy")
}

#[cfg(test)]
mod tests {
    use api_kind::trial::create;

    use super::*;

    #[test]
    fn a_component_is_healthy_or_says_why_not() {
        let well = create(&KIND, "conditions: [{type: Healthy, status: 'True', message: ok}]");
        assert_eq!(well.cells(&KIND), "x|Healthy|ok|");
        let ill = create(&KIND, "conditions: [{type: Healthy, status: 'False', error: gone}]");
        assert_eq!(ill.cells(&KIND), "x|Unhealthy||gone");
    }
}
