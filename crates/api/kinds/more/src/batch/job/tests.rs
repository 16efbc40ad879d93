//! Jobs as they are written and what is said of them.

use api_kind::trial::{self, create, update};

use super::*;

const JOB: &str = "{metadata: {uid: u}, spec: {template: {spec: {restartPolicy: Never, containers: [{name: c, image: i}]}}}}";

#[test]
fn a_job_knows_its_pods() {
    let made = create(&KIND, JOB);
    assert_eq!(made.errors, [""; 0]);
    assert_eq!(made.cells(&KIND), "x|Running|0/1||<unknown>|c|i|batch.kubernetes.io/controller-uid=u");
    let body = made.body();
    for part in
        [r#""backoffLimit":6"#, r#""completionMode":"NonIndexed""#, r#""batch.kubernetes.io/job-name":"x""#]
    {
        assert!(body.contains(part), "{part} in {body}");
    }
    assert_eq!(
        create(&KIND, &JOB.replace("restartPolicy: Never, ", "")).errors,
        [r#"spec.template.spec.restartPolicy: Required value: valid values: "OnFailure", "Never""#]
    );
}

#[test]
fn a_job_without_labels_has_its_templates_with_what_is_added_to_them() {
    let labelled = JOB.replace("template: {", "template: {metadata: {labels: {app: a}}, ");
    for (job, count) in
        [(labelled.clone(), 5), (labelled.replace("{uid: u}", "{uid: u, labels: {tier: b}}"), 1)]
    {
        let made = create(&KIND, &job);
        let labels = api_types::object_meta(&*made.object).map(|meta| meta.labels.len());
        assert_eq!(labels, Some(count), "{job}");
    }
}

#[test]
fn the_number_of_completions_stays() {
    let manual = "{spec: {manualSelector: true, completions: 2, selector: {matchLabels: {a: b}}, template: {metadata: {labels: {a: b}}, spec: {restartPolicy: Never, containers: [{name: c, image: i}]}}}}";
    let changed = update(&KIND, "", manual, &manual.replace("completions: 2", "completions: 3"));
    assert_eq!(changed.errors, ["spec.completions: Invalid value: 3: field is immutable"]);
}

/// A job as it is stored, status included.
fn read(text: &str) -> Job {
    trial::object(&KIND, text).downcast_ref::<Job>().expect("a job").clone()
}

const INDEXED: &str = "{metadata: {uid: u}, spec: {completions: 3, parallelism: 3, completionMode: Indexed, POLICY, template: {spec: {restartPolicy: Never, containers: [{name: c, image: i}]}}}}";

#[test]
fn policies_are_judged() {
    for (policy, error) in [
        (
            "podFailurePolicy: {rules: [{action: FailIndex, onExitCodes: {operator: In, values: [2, 1, 0, 1]}}]}",
            "spec.podFailurePolicy.rules[0].action: Invalid value: \"FailIndex\": requires the backoffLimitPerIndex to be set|\
             spec.podFailurePolicy.rules[0].onExitCodes.values[2]: Invalid value: 0: must not be 0 for the In operator|\
             spec.podFailurePolicy.rules[0].onExitCodes.values[3]: Duplicate value: 1|\
             spec.podFailurePolicy.rules[0].onExitCodes.values: Invalid value: [2,1,0,1]: must be ordered",
        ),
        (
            "podFailurePolicy: {rules: [{action: Ignore}]}, podReplacementPolicy: TerminatingOrFailed",
            "spec.podFailurePolicy.rules[0]: Invalid value: specifying one of OnExitCodes and OnPodConditions is required|\
             spec.podReplacementPolicy: Unsupported value: \"TerminatingOrFailed\": supported values: \"Failed\"",
        ),
        (
            "successPolicy: {rules: [{succeededIndexes: '0,2', succeededCount: 3}, {succeededIndexes: '5'}]}",
            "spec.successPolicy.rules[0].succeededCount: Invalid value: 3: must be less than or equal to 2 (the number of indexes in the specified succeededIndexes field)|\
             spec.successPolicy.rules[1].succeededIndexes: Invalid value: \"5\": error parsing succeededIndexes: too large index: \"5\"",
        ),
        (
            "backoffLimitPerIndex: 1, maxFailedIndexes: 4",
            "spec.maxFailedIndexes: Invalid value: 4: must be less than or equal to completions",
        ),
        (
            "maxFailedIndexes: 1",
            "spec.backoffLimitPerIndex: Required value: when maxFailedIndexes is specified",
        ),
        (
            "managedBy: nobody",
            "spec.managedBy: Invalid value: \"nobody\": must be a domain-prefixed path (such as \"acme.io/foo\")",
        ),
    ] {
        assert_eq!(create(&KIND, &INDEXED.replace("POLICY", policy)).errors.join("|"), error, "{policy}");
    }
}

#[test]
fn an_indexed_job_is_resized_as_a_whole() {
    let old = INDEXED
        .replace("POLICY", "manualSelector: true, selector: {matchLabels: {a: b}}")
        .replace("template: {", "template: {metadata: {labels: {a: b}}, ");
    let resized = old.replace("completions: 3, parallelism: 3", "completions: 5, parallelism: 5");
    assert_eq!(update(&KIND, "", &old, &resized).errors, [""; 0]);
    let half = old.replace("completions: 3", "completions: 5");
    assert_eq!(
        update(&KIND, "", &old, &half).errors,
        ["spec.completions: Invalid value: 5: can only be modified in tandem with spec.parallelism"]
    );
}

#[test]
fn the_template_of_a_job_that_rests_may_change_where_it_runs_and_with_what() {
    let job = |suspend: bool, more: &str, active: i32| {
        format!(
            "{{metadata: {{uid: u}}, spec: {{suspend: {suspend}, manualSelector: true, selector: {{matchLabels: {{a: b}}}}, template: {{metadata: {{labels: {{a: b}}}}, spec: {{restartPolicy: Never, {more}}}}}}}, status: {{active: {active}}}}}"
        )
    };
    let plain = "containers: [{name: c, image: i}]";
    for (more, allowed) in [
        ("nodeSelector: {disk: ssd}, containers: [{name: c, image: i}]", true),
        ("containers: [{name: c, image: i, resources: {requests: {cpu: 1}}}]", true),
        ("containers: [{name: c, image: j}]", false),
    ] {
        for (suspended, active, expected) in [(true, 0, allowed), (true, 1, false), (false, 0, false)] {
            let (old, new) = (read(&job(suspended, plain, active)), read(&job(suspended, more, active)));
            let mut errors = ErrorList::new();
            update::check(&mut errors, &Path::new("spec"), &new, &old);
            assert_eq!(errors.is_empty(), expected, "{more} {suspended} {active}: {errors:?}");
        }
    }
}

#[test]
fn a_status_makes_sense() {
    let job = |status: &str| {
        format!(
            "{{metadata: {{uid: u}}, spec: {{manualSelector: true, completions: 2, selector: {{matchLabels: {{a: b}}}}, template: {{metadata: {{labels: {{a: b}}}}, spec: {{restartPolicy: Never, containers: [{{name: c, image: i}}]}}}}}}, status: {{{status}}}}}"
        )
    };
    let met = "{type: SuccessCriteriaMet, status: 'True'}";
    let started = "startTime: '2026-11-29T10:00:00Z'";
    for (old, new, error) in [
        (
            "active: 1".to_owned(),
            "active: 1, ready: 2".to_owned(),
            "status.ready: Invalid value: 2: cannot set more ready pods than active",
        ),
        (
            "failed: 2".into(),
            "failed: 1".into(),
            "status.failed: Invalid value: 1: cannot decrease the failed counter",
        ),
        (
            started.into(),
            format!(
                "{started}, conditions: [{{type: Complete, status: 'True'}}], completionTime: '2026-11-29T10:01:00Z'"
            ),
            "status.conditions: Invalid value: cannot set Complete=True condition without the SuccessCriteriaMet=true condition",
        ),
        (
            format!("{started}, conditions: [{met}]"),
            format!(
                "{started}, conditions: [{met}, {{type: Complete, status: 'True'}}], completionTime: '2026-11-29T10:01:00Z'"
            ),
            "",
        ),
        (
            format!("conditions: [{met}]"),
            String::new(),
            "status.conditions: Invalid value: cannot disable the SuccessCriteriaMet=True condition",
        ),
        (
            String::new(),
            "uncountedTerminatedPods: {succeeded: [a], failed: [a, '']}".into(),
            "status.uncountedTerminatedPods.failed[0]: Duplicate value: \"a\"|status.uncountedTerminatedPods.failed[1]: Invalid value: \"\": must not be empty",
        ),
        (
            String::new(),
            "completedIndexes: '0'".into(),
            "status.completedIndexes: Invalid value: \"0\": cannot set non-empty completedIndexes when non-indexed completion mode",
        ),
        (
            started.into(),
            String::new(),
            "status.startTime: Invalid value: null: field is immutable for unsuspended job once set",
        ),
    ] {
        let mut errors = ErrorList::new();
        status::check(&mut errors, &read(&job(&new)), Some(&read(&job(&old))));
        let told: Vec<String> = errors.iter().map(ToString::to_string).collect();
        assert_eq!(told.join("|"), error, "{old} to {new}");
    }
}
