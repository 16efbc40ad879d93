//! What jobs say about failure and success.

use api_types::batch::v1::{
    PodFailurePolicy, PodFailurePolicyOnExitCodesRequirement, PodFailurePolicyOnPodConditionsPattern,
    PodFailurePolicyRule, SuccessPolicy, SuccessPolicyRule,
};
use api_types::core::v1::PodCondition;

use super::super::failure_policy::{Verdict, verdict};
use super::super::indexes::INDEX;
use super::*;

fn on_code(action: &str, operator: &str, values: &[i32]) -> PodFailurePolicyRule {
    PodFailurePolicyRule {
        action: action.into(),
        on_exit_codes: Some(Box::new(PodFailurePolicyOnExitCodesRequirement {
            operator: operator.into(),
            values: values.to_vec().into(),
            ..PodFailurePolicyOnExitCodesRequirement::default()
        })),
        ..PodFailurePolicyRule::default()
    }
}

fn with_rules(mut job: Job, rules: Vec<PodFailurePolicyRule>) -> Job {
    job.spec.pod_failure_policy = Some(Box::new(PodFailurePolicy { rules: rules.into() }));
    job.spec.pod_replacement_policy = Some("Failed".into());
    job
}

fn disrupted(mut pod: Pod) -> Pod {
    let condition =
        PodCondition { type_: "DisruptionTarget".into(), status: "True".into(), ..PodCondition::default() };
    pod.status.conditions.push(condition);
    pod
}

#[test]
fn the_first_rule_that_matches_decides() {
    let disruption = PodFailurePolicyRule {
        action: "Ignore".into(),
        on_pod_conditions: vec![PodFailurePolicyOnPodConditionsPattern {
            type_: "DisruptionTarget".into(),
            status: "True".into(),
        }],
        ..PodFailurePolicyRule::default()
    };
    let rules = vec![
        on_code("FailJob", "In", &[42]),
        on_code("FailIndex", "In", &[7]),
        disruption,
        on_code("Count", "NotIn", &[1]),
    ];
    let job = with_rules(job(1, Some(1)), rules);
    let code = |code| ended(pod("a", "Failed"), 1, code);
    let why = "Container main for pod lab/a failed with exit code 42 matching FailJob rule at index 0";
    for (pod, expected) in [
        (code(42), Verdict::FailsJob(why.into())),
        (code(7), Verdict::FailsIndex),
        (disrupted(code(1)), Verdict::Ignored),
        (code(0), Verdict::Counts),
        (code(5), Verdict::Counts),
    ] {
        assert_eq!(verdict(&job, &pod), expected);
    }
}

#[test]
fn a_failure_can_end_the_job_or_be_ignored() {
    let fatal = with_rules(started(job(1, Some(1)), 1), vec![on_code("FailJob", "In", &[42])]);
    let plan = plan_of(&world(fatal, vec![ended(pod("a", "Failed"), 1, 42)]));
    let status = "status active 0 succeeded 0 failed 0 -a FailureTarget:PodFailurePolicy";
    assert_eq!(shown(&plan), [status, "patch pods lab/a"]);
    let ignored = with_rules(started(job(1, Some(1)), 1), vec![on_code("Ignore", "In", &[42])]);
    let plan = plan_of(&world(ignored, vec![ended(pod("a", "Failed"), 900, 42)]));
    let expected = ["create pods lab/", "status active 1 succeeded 0 failed 0", "patch pods lab/a"];
    assert_eq!(shown(&plan), expected);
}

#[test]
fn enough_successes_end_the_job() {
    let mut leader = started(job(3, Some(3)), 1);
    leader.spec.completion_mode = Some("Indexed".into());
    let rule = |indexes: Option<&str>, count| SuccessPolicyRule {
        succeeded_indexes: indexes.map(str::to_owned),
        succeeded_count: count,
    };
    let of_index = |mut pod: Pod, index: i64| {
        pod.metadata.annotations.insert(INDEX.into(), index.to_string());
        pod
    };
    let pods = vec![
        of_index(pod("a", "Succeeded"), 0),
        of_index(pod("b", "Running"), 1),
        of_index(pod("c", "Running"), 2),
    ];
    for (rule, met) in [
        (rule(Some("0"), None), true),
        (rule(Some("0,1"), None), false),
        (rule(Some("0,1"), Some(1)), true),
        (rule(None, Some(2)), false),
        (rule(None, Some(1)), true),
    ] {
        let mut job = leader.clone();
        job.spec.success_policy = Some(Box::new(SuccessPolicy { rules: vec![rule].into() }));
        let plan = plan_of(&world(job, pods.clone()));
        let lines = shown(&plan);
        if met {
            let status = "status active 0 succeeded 1 failed 0 done 0 SuccessCriteriaMet:SuccessPolicy";
            assert_eq!(lines[1..], [status, "patch pods lab/a, patch pods lab/b, patch pods lab/c"]);
        } else {
            assert_eq!(lines, ["status active 2 succeeded 1 failed 0 done 0", "patch pods lab/a"]);
        }
    }
}
