"""In the place of kr8s' own conftest, which starts a cluster by kind: the cluster is there, and KUBECONFIG says where."""

import gc
import json
import os
import pathlib
import subprocess
import time

import pytest


# The tests take for granted that pods run in `kube-system`, as they do in a cluster of kind's.
SYSTEM = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "suite", "namespace": "kube-system"},
    "spec": {
        "replicas": 2,
        "selector": {"matchLabels": {"app": "suite"}},
        "template": {
            "metadata": {"labels": {"app": "suite"}},
            "spec": {
                "terminationGracePeriodSeconds": 0,
                "containers": [{"name": "main", "image": os.environ["SUITE_IMAGE"], "command": ["sleep", "86400"]}],
            },
        },
    },
}


class Cluster:
    """What the tests use of pytest-kind's cluster."""

    def __init__(self):
        self.kubeconfig_path = pathlib.Path(os.environ["KUBECONFIG"])
        self.kubectl_path = "kubectl"

    def kubectl(self, *words, **options):
        return subprocess.check_output(["kubectl", *map(str, words)], encoding="utf-8", **options)


@pytest.fixture
def ensure_gc():
    gc.collect()
    yield
    gc.collect()


@pytest.fixture(scope="session", autouse=True)
def k8s_cluster():
    cluster = Cluster()
    limit = time.monotonic() + 60
    while True:
        try:
            cluster.kubectl("get", "serviceaccount", "default")
            break
        except subprocess.CalledProcessError:
            if time.monotonic() > limit:
                raise
            time.sleep(1)
    cluster.kubectl("apply", "-f", "-", input=json.dumps(SYSTEM))
    cluster.kubectl("-n", "kube-system", "rollout", "status", "deployment/suite", "--timeout=120s")
    yield cluster
