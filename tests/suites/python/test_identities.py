"""Who may do what: tokens, roles, reviews; and leader election."""

import threading

import pytest
from kubernetes import client
from kubernetes.client.rest import ApiException
from kubernetes.leaderelection import electionconfig, leaderelection
from kubernetes.leaderelection.resourcelock.leaselock import LeaseLock


def test_token_and_role(core, namespace, eventually):
    core.create_namespaced_service_account(namespace, {"metadata": {"name": "reader"}})
    token = core.create_namespaced_service_account_token("reader", namespace, {"spec": {"expirationSeconds": 600}})
    review = client.AuthenticationV1Api().create_token_review(
        {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "spec": {"token": token.status.token}}
    )
    assert review.status.user.username == f"system:serviceaccount:{namespace}:reader"
    ours = client.Configuration.get_default_copy()
    theirs = client.Configuration(host=ours.host)
    theirs.ssl_ca_cert = ours.ssl_ca_cert
    theirs.api_key = {"authorization": f"Bearer {token.status.token}"}
    reader = client.CoreV1Api(client.ApiClient(theirs))
    with pytest.raises(ApiException) as refused:
        reader.list_namespaced_config_map(namespace)
    assert refused.value.status == 403
    access = client.RbacAuthorizationV1Api()
    rule = {"verbs": ["list"], "apiGroups": [""], "resources": ["configmaps"]}
    access.create_namespaced_role(namespace, {"metadata": {"name": "read"}, "rules": [rule]})
    access.create_namespaced_role_binding(
        namespace,
        {
            "metadata": {"name": "read"},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "read"},
            "subjects": [{"kind": "ServiceAccount", "name": "reader", "namespace": namespace}],
        },
    )

    def allowed():
        try:
            return reader.list_namespaced_config_map(namespace)
        except ApiException:
            return None

    eventually(allowed)


def test_access_review(namespace):
    may = client.AuthorizationV1Api().create_self_subject_access_review(
        {"spec": {"resourceAttributes": {"namespace": namespace, "verb": "create", "resource": "pods"}}}
    )
    assert may.status.allowed


def test_leader_election(namespace, eventually):
    leads, resign = [], threading.Event()

    def candidate(name, lead):
        settings = electionconfig.Config(
            LeaseLock("leader", namespace, name),
            lease_duration=6,
            renew_deadline=4,
            retry_period=1,
            onstarted_leading=lead,
            onstopped_leading=lambda: None,
        )
        threading.Thread(target=leaderelection.LeaderElection(settings).run, daemon=True).start()

    def first():
        leads.append("one")
        resign.wait()
        # This client gives up a lease when the work that it stands for fails.
        raise RuntimeError("enough")

    candidate("one", first)
    eventually(lambda: leads == ["one"])
    candidate("two", lambda: leads.append("two"))
    resign.set()
    eventually(lambda: leads == ["one", "two"])
