"""What the tests share: a client, and a namespace each."""

import os
import time
import uuid

import pytest
from kubernetes import client, config

config.load_kube_config()


@pytest.fixture
def core():
    return client.CoreV1Api()


@pytest.fixture
def image():
    return os.environ["SUITE_IMAGE"]


@pytest.fixture
def eventually():
    """Asks until the answer is true, and returns it."""

    def ask(question, seconds=90):
        limit = time.monotonic() + seconds
        while not (answer := question()):
            assert time.monotonic() < limit, "in vain"
            time.sleep(0.1)
        return answer

    return ask


@pytest.fixture
def namespace(core, eventually):
    name = f"python-{uuid.uuid4().hex[:8]}"
    core.create_namespace(client.V1Namespace(metadata=client.V1ObjectMeta(name=name)))
    # Pods are refused until it is there.
    eventually(lambda: any(one.metadata.name == "default" for one in core.list_namespaced_service_account(name).items))
    yield name
    core.delete_namespace(name)


@pytest.fixture
def pod(core, namespace, image, eventually):
    """Starts a pod that runs a script, and waits until it is ready."""

    def start(name, script):
        container = client.V1Container(name="main", image=image, command=["sh", "-c", script], stdin=True)
        core.create_namespaced_pod(
            namespace,
            client.V1Pod(
                metadata=client.V1ObjectMeta(name=name, labels={"app": name}),
                spec=client.V1PodSpec(containers=[container], termination_grace_period_seconds=0),
            ),
        )

        def ready():
            status = core.read_namespaced_pod(name, namespace).status
            return any(one.type == "Ready" and one.status == "True" for one in status.conditions or [])

        eventually(ready)
        return name

    return start
