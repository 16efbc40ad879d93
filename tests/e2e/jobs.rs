//! Jobs in a whole cluster: they run to their end, fail, come by a schedule, and go with what they made.

use crate::harness::Cluster;

const JOBS: &str = "
apiVersion: batch/v1
kind: Job
metadata:
  name: sum
spec:
  completions: 2
  parallelism: 2
  completionMode: Indexed
  template:
    spec:
      restartPolicy: Never
      containers:
      - name: main
        image: example.com/shell:1
        imagePullPolicy: Never
        command: [sh, -c, 'echo part $JOB_COMPLETION_INDEX of $(hostname)']
---
apiVersion: batch/v1
kind: Job
metadata:
  name: broken
spec:
  backoffLimit: 0
  template:
    spec:
      restartPolicy: Never
      containers:
      - name: main
        image: example.com/shell:1
        imagePullPolicy: Never
        command: [sh, -c, 'exit 3']
---
apiVersion: batch/v1
kind: CronJob
metadata:
  name: tick
spec:
  schedule: '* * * * *'
  jobTemplate:
    spec:
      template:
        spec:
          restartPolicy: Never
          containers:
          - name: main
            image: example.com/shell:1
            imagePullPolicy: Never
            command: [sh, -c, 'echo tick']
";

#[test]
fn jobs_run_to_their_end_or_fail_and_come_by_a_schedule() {
    let cluster = Cluster::with_node("jobs");
    cluster.busybox_image("example.com/shell:1");
    cluster.apply(JOBS);

    cluster.kubectl(&["wait", "--for=condition=complete", "job/sum", "--timeout=60s"]);
    let shown = cluster.kubectl(&["get", "job", "sum", "--no-headers"]);
    assert!(shown.contains("Complete   2/2"), "{shown}");
    let indexes = cluster.kubectl(&["get", "job", "sum", "-o", "jsonpath={.status.completedIndexes}"]);
    assert_eq!(indexes, "0,1");
    for index in ["0", "1"] {
        let pods = format!("job-name=sum,batch.kubernetes.io/job-completion-index={index}");
        assert_eq!(cluster.kubectl(&["logs", "-l", &pods]), format!("part {index} of sum-{index}\n"));
    }

    cluster.kubectl(&["wait", "--for=condition=failed", "job/broken", "--timeout=60s"]);
    let failed = "jsonpath={.status.failed} {.status.conditions[?(@.type==\"Failed\")].reason}";
    assert_eq!(cluster.kubectl(&["get", "job", "broken", "-o", failed]), "1 BackoffLimitExceeded");

    cluster.kubectl(&["create", "job", "by-hand", "--from=cronjob/tick"]);
    cluster.kubectl(&["wait", "--for=condition=complete", "job/by-hand", "--timeout=60s"]);
    cluster.kubectl(&[
        "wait",
        "--for=jsonpath={.status.lastSuccessfulTime}",
        "cronjob/tick",
        "--timeout=60s",
    ]);
    // The schedule is for each minute.
    cluster.kubectl(&["wait", "--for=jsonpath={.status.lastScheduleTime}", "cronjob/tick", "--timeout=120s"]);
    cluster.eventually(&["get", "jobs", "-o", "name"], |names| {
        names.lines().any(|name| name.starts_with("job.batch/tick-"))
    });

    cluster.kubectl(&["delete", "cronjob", "tick"]);
    cluster.kubectl(&["delete", "job", "sum", "broken"]);
    cluster.eventually(&["get", "jobs,pods", "-o", "name"], |left| left.trim().is_empty());
}
