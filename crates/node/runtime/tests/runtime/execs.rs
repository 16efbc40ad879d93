//! Execs and attachments, with and without terminals.

use tokio::io::AsyncWriteExt;

use crate::harness::{Node, read_all, read_until, text, within};
use node_runtime::spec::ExecSpec;

fn exec(container: &str, args: &[&str]) -> ExecSpec {
    ExecSpec {
        container: text(container),
        args: args.iter().map(|arg| text(arg)).collect(),
        ..ExecSpec::default()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn execs_have_their_own_streams_and_codes() {
    let node = Node::new().await;
    let pod = node.pod("exec").await;
    pod.create_container(node.shell("main", "sleep 1000")).await.unwrap();
    pod.start("main").await.unwrap();
    let script = "cat; echo err >&2; echo $EXTRA; exit 7";
    let mut spec = ExecSpec { stdin: true, ..exec("main", &["sh", "-c", script]) };
    spec.env.push((text("EXTRA"), text("yes")));
    let mut process = pod.exec(spec).await.unwrap();
    let mut stdin = process.stdin.take().unwrap();
    stdin.write_all(b"hello\n").await.unwrap();
    drop(stdin);
    assert_eq!(read_all(&mut process.stdout).await, "hello\nyes\n");
    assert_eq!(read_all(&mut process.stderr).await, "err\n");
    assert_eq!(within(process.wait()).await.unwrap(), 7);
    for (args, message, code) in [
        (&["foo"][..], r#"exec: "foo": executable file not found in $PATH"#, 127),
        (&["/etc/passwd"], r#"exec: "/etc/passwd": permission denied"#, 126),
    ] {
        let error = pod.exec(exec("main", args)).await.err().unwrap();
        let failure = error.start_failure().unwrap_or_else(|| panic!("{error:?}"));
        assert_eq!((failure.message.as_str(), failure.exit_code), (message, Some(code)));
    }
    assert!(pod.exec(exec("other", &["true"])).await.err().unwrap().is_not_found());
    let mut waiting = pod.exec(exec("main", &["sleep", "1000"])).await.unwrap();
    waiting.signal(15).await.unwrap();
    assert_eq!(within(waiting.wait()).await.unwrap(), 143);
    pod.delete().await.unwrap();
    node.assert_nothing_left();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_exec_with_a_terminal_talks_and_resizes() {
    let node = Node::new().await;
    let pod = node.pod("tty").await;
    pod.create_container(node.shell("main", "sleep 1000")).await.unwrap();
    pod.start("main").await.unwrap();
    let spec = ExecSpec { terminal: true, stdin: true, ..exec("main", &["sh"]) };
    let mut process = pod.exec(spec).await.unwrap();
    process.resize(77, 33).unwrap();
    let (mut stdin, mut stdout) = (process.stdin.take().unwrap(), process.stdout.take().unwrap());
    stdin.write_all(b"stty size; tty; echo $TERM-is\n").await.unwrap();
    let seen = read_until(&mut stdout, "xterm-is").await;
    assert!(seen.contains("33 77") && seen.contains("/dev/pts/"), "{seen:?}");
    stdin.write_all(b"exit 5\n").await.unwrap();
    read_all(&mut Some(stdout)).await;
    assert_eq!(within(process.wait()).await.unwrap(), 5);
    pod.delete().await.unwrap();
    node.assert_nothing_left();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_containers_input_can_be_attached_to_and_ends() {
    let node = Node::new().await;
    let pod = node.pod("attach").await;
    let mut spec = node.container("main", &["cat"]);
    spec.stdin = true;
    pod.create_container(spec).await.unwrap();
    pod.start("main").await.unwrap();
    let mut attached = pod.attach("main", false).await.unwrap();
    let mut stdin = attached.stdin.take().unwrap();
    stdin.write_all(b"over\n").await.unwrap();
    assert_eq!(read_until(&mut attached.stdout, "over\n").await, "over\n");
    pod.close_stdin("main").await.unwrap();
    drop(stdin);
    assert_eq!(within(pod.wait("main")).await.unwrap().exit_code, 0);
    assert_eq!(read_all(&mut Some(attached.stdout)).await, "");
    assert_eq!(node.log("main"), ["stdout F over"]);
    pod.delete().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_container_with_a_terminal_logs_and_is_attached_to() {
    let node = Node::new().await;
    let pod = node.pod("term").await;
    let mut spec = node.container("main", &["sh"]);
    (spec.stdin, spec.process.terminal) = (true, true);
    pod.create_container(spec).await.unwrap();
    pod.start("main").await.unwrap();
    pod.resize("main", 100, 40).await.unwrap();
    let mut attached = pod.attach("main", true).await.unwrap();
    let mut stdin = attached.stdin.take().unwrap();
    stdin.write_all(b"stty size; exit 4\n").await.unwrap();
    read_until(&mut attached.stdout, "40 100").await;
    assert_eq!(within(pod.wait("main")).await.unwrap().exit_code, 4);
    assert!(node.log("main").iter().any(|line| line.contains("40 100")), "{:?}", node.log("main"));
    pod.delete().await.unwrap();
    node.assert_nothing_left();
}
