//! What version 1 says in annotations, byte for byte as upstream writes it: metrics in version 1's own form, behaviour as
//! `encoding/json` writes upstream's internal type, conditions as they are (`pkg/apis/autoscaling/v1/conversion.go`).
//!
//! The two forms of metrics are no types of the API: they are written and read here alone. A text that cannot be read says nothing.

mod read;
mod write;

pub(super) use read::{behavior as read_behavior, conditions as read_conditions};
pub(super) use read::{specs as read_specs, statuses as read_statuses};
pub(super) use write::{behavior, conditions, specs, statuses};

#[cfg(test)]
mod tests {
    use api_codec::{json, limits::Limits};
    use api_record::Record;
    use api_types::autoscaling::v2::{HorizontalPodAutoscalerSpec, HorizontalPodAutoscalerStatus};

    use super::*;

    fn read(record: &mut dyn Record, text: &str) {
        json::decode(text.as_bytes(), record, None, Limits::REQUEST).expect("the test's text is an object");
    }

    #[test]
    fn metrics_are_in_version_1s_form() {
        let object = r#"{"kind":"Ingress","name":"i","apiVersion":"networking.k8s.io/v1"}"#;
        for (new, old) in [
            (
                r#"{"type":"Resource","resource":{"name":"memory","target":{"type":"AverageValue","averageValue":"1Gi"}}}"#
                    .to_owned(),
                r#"{"type":"Resource","resource":{"name":"memory","targetAverageValue":"1Gi"}}"#.to_owned(),
            ),
            (
                r#"{"type":"ContainerResource","containerResource":{"name":"cpu","target":{"type":"Utilization","averageUtilization":50},"container":"c"}}"#
                    .to_owned(),
                r#"{"type":"ContainerResource","containerResource":{"name":"cpu","targetAverageUtilization":50,"container":"c"}}"#
                    .to_owned(),
            ),
            (
                r#"{"type":"Pods","pods":{"metric":{"name":"m","selector":{"matchLabels":{"a":"b"}}},"target":{"type":"AverageValue","averageValue":"2"}}}"#
                    .to_owned(),
                r#"{"type":"Pods","pods":{"metricName":"m","targetAverageValue":"2","selector":{"matchLabels":{"a":"b"}}}}"#
                    .to_owned(),
            ),
            (
                format!(r#"{{"type":"Object","object":{{"describedObject":{object},"target":{{"type":"Value","value":"3"}},"metric":{{"name":"<m>"}}}}}}"#),
                format!(r#"{{"type":"Object","object":{{"target":{object},"metricName":"\u003cm\u003e","targetValue":"3"}}}}"#),
            ),
            (
                format!(r#"{{"type":"Object","object":{{"describedObject":{object},"target":{{"type":"AverageValue","averageValue":"3"}},"metric":{{"name":"m"}}}}}}"#),
                format!(r#"{{"type":"Object","object":{{"target":{object},"metricName":"m","targetValue":"0","averageValue":"3"}}}}"#),
            ),
            (
                r#"{"type":"External","external":{"metric":{"name":"m"},"target":{"type":"Value","value":"4"}}}"#.to_owned(),
                r#"{"type":"External","external":{"metricName":"m","targetValue":"4"}}"#.to_owned(),
            ),
        ] {
            let mut spec = HorizontalPodAutoscalerSpec::default();
            read(&mut spec, &format!(r#"{{"metrics":[{new}]}}"#));
            let text = format!("[{old}]");
            assert_eq!(specs(&spec.metrics.iter().collect::<Vec<_>>()), text);
            assert!(read_specs(&text).is_some_and(|metrics| metrics == spec.metrics), "{text}");
        }
    }

    #[test]
    fn what_is_measured_is_in_version_1s_form() {
        for (new, old) in [
            (
                r#"{"type":"Resource","resource":{"name":"cpu","current":{"averageValue":"10m","averageUtilization":5}}}"#,
                r#"{"type":"Resource","resource":{"name":"cpu","currentAverageUtilization":5,"currentAverageValue":"10m"}}"#,
            ),
            (
                r#"{"type":"Pods","pods":{"metric":{"name":"m"},"current":{"averageValue":"2"}}}"#,
                r#"{"type":"Pods","pods":{"metricName":"m","currentAverageValue":"2"}}"#,
            ),
            (
                r#"{"type":"External","external":{"metric":{"name":"m"},"current":{"value":"0","averageValue":"2"}}}"#,
                r#"{"type":"External","external":{"metricName":"m","currentValue":"0","currentAverageValue":"2"}}"#,
            ),
        ] {
            let mut status = HorizontalPodAutoscalerStatus::default();
            read(&mut status, &format!(r#"{{"currentMetrics":[{new}]}}"#));
            let text = format!("[{old}]");
            assert_eq!(statuses(&status.current_metrics), text);
            let again = read_statuses(&text).expect("it can be read");
            assert!(again.as_slice() == &status.current_metrics[..], "{text}");
        }
    }

    #[test]
    fn behaviour_is_upstreams_internal_type() {
        let mut spec = HorizontalPodAutoscalerSpec::default();
        read(
            &mut spec,
            r#"{"behavior":{"scaleUp":{"stabilizationWindowSeconds":0,"selectPolicy":"Max","policies":[{"type":"Pods","value":4,"periodSeconds":15}]}}}"#,
        );
        let own = spec.behavior.expect("a behaviour");
        let text = r#"{"ScaleUp":{"StabilizationWindowSeconds":0,"SelectPolicy":"Max","Policies":[{"Type":"Pods","Value":4,"PeriodSeconds":15}],"Tolerance":null},"ScaleDown":null}"#;
        assert_eq!(behavior(&own), text);
        assert!(read_behavior(text).is_some_and(|again| again == *own));
    }

    #[test]
    fn what_cannot_be_read_says_nothing() {
        for text in
            ["", "{}", "[1]", r#"[{"type":1}]"#, r#"[{"type":"Pods","pods":{"targetAverageValue":"x"}}]"#]
        {
            assert!(read_specs(text).is_none(), "{text}");
        }
        assert!(read_behavior("{}").is_none() && read_behavior("[]").is_none());
    }
}
