"""What goes on in pods: logs, exec, attach, port-forward; and what runs them."""

from kubernetes import client, utils, watch
from kubernetes.stream import portforward, stream


def test_logs(core, namespace, pod):
    pod("talker", "for i in 1 2 3; do echo line $i; done; sleep 3600")
    lines = []
    watcher = watch.Watch()
    for line in watcher.stream(core.read_namespaced_pod_log, "talker", namespace):
        lines.append(line)
        if len(lines) == 3:
            watcher.stop()
    assert lines == ["line 1", "line 2", "line 3"]
    assert core.read_namespaced_pod_log("talker", namespace, tail_lines=1) == "line 3\n"


def test_exec(core, namespace, pod):
    pod("shell", "sleep 3600")
    said = stream(
        core.connect_get_namespaced_pod_exec,
        "shell",
        namespace,
        command=["sh", "-c", "echo hello"],
        stdin=False,
        stdout=True,
        stderr=True,
        tty=False,
    )
    assert said == "hello\n"


def test_exec_with_input_and_exit_code(core, namespace, pod):
    pod("shell", "sleep 3600")
    session = stream(
        core.connect_get_namespaced_pod_exec,
        "shell",
        namespace,
        command=["sh", "-c", "read line; echo got $line; echo complaint >&2; exit 3"],
        stdin=True,
        stdout=True,
        stderr=True,
        tty=False,
        _preload_content=False,
    )
    session.write_stdin("something\n")
    session.run_forever(timeout=30)
    assert session.read_stdout() == "got something\n"
    assert session.read_stderr() == "complaint\n"
    assert session.returncode == 3


def test_exec_in_a_terminal(core, namespace, pod):
    pod("shell", "sleep 3600")
    session = stream(
        core.connect_get_namespaced_pod_exec,
        "shell",
        namespace,
        command=["sh", "-c", "test -t 0 && stty size"],
        stdin=True,
        stdout=True,
        stderr=False,
        tty=True,
        _preload_content=False,
    )
    session.run_forever(timeout=30)
    assert session.returncode == 0


def test_attach(core, namespace, pod):
    pod("listener", "while read line; do echo heard $line; done")
    session = stream(
        core.connect_get_namespaced_pod_attach,
        "listener",
        namespace,
        stdin=True,
        stdout=True,
        stderr=False,
        tty=False,
        _preload_content=False,
    )
    session.write_stdin("hello\n")
    assert session.readline_stdout(timeout=30) == "heard hello"
    session.close()


def test_port_forward(core, namespace, pod):
    pod("web", "mkdir -p /tmp/www; echo page > /tmp/www/index.html; exec busybox httpd -f -p 8080 -h /tmp/www")
    forwarded = portforward(core.connect_get_namespaced_pod_portforward, "web", namespace, ports="8080")
    socket = forwarded.socket(8080)
    socket.setblocking(True)
    socket.sendall(b"GET /index.html HTTP/1.0\r\n\r\n")
    answer = b""
    while part := socket.recv(4096):
        answer += part
    socket.close()
    assert answer.endswith(b"page\n")
    assert forwarded.error(8080) is None


def test_deployment(core, namespace, image, eventually):
    apps = client.AppsV1Api()
    template = {
        "metadata": {"labels": {"app": "web"}},
        "spec": {
            "terminationGracePeriodSeconds": 0,
            "containers": [{"name": "main", "image": image, "command": ["sleep", "3600"]}],
        },
    }
    body = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web"},
        "spec": {"replicas": 1, "selector": {"matchLabels": {"app": "web"}}, "template": template},
    }
    utils.create_from_dict(client.ApiClient(), body, namespace=namespace)

    def available(count):
        return lambda: apps.read_namespaced_deployment_status("web", namespace).status.available_replicas == count

    eventually(available(1))
    apps.patch_namespaced_deployment_scale("web", namespace, {"spec": {"replicas": 2}})
    eventually(available(2))
    apps.delete_namespaced_deployment("web", namespace, propagation_policy="Foreground")
    eventually(lambda: not core.list_namespaced_pod(namespace, label_selector="app=web").items)


def test_job(namespace, image, eventually):
    batch = client.BatchV1Api()
    container = client.V1Container(name="main", image=image, command=["sh", "-c", "echo done"])
    pod = client.V1PodTemplateSpec(spec=client.V1PodSpec(restart_policy="Never", containers=[container]))
    job = client.V1Job(metadata=client.V1ObjectMeta(name="job"), spec=client.V1JobSpec(template=pod))
    batch.create_namespaced_job(namespace, job)
    eventually(lambda: batch.read_namespaced_job_status("job", namespace).status.succeeded == 1)


def test_eviction(core, namespace, pod, eventually):
    pod("victim", "sleep 3600")
    eviction = client.V1Eviction(metadata=client.V1ObjectMeta(name="victim", namespace=namespace))
    core.create_namespaced_pod_eviction("victim", namespace, eviction)
    eventually(lambda: not core.list_namespaced_pod(namespace).items)
