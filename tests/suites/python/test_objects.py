"""Objects through the typed client, the dynamic one, watches, informers and manifests."""

import threading

import pytest
from kubernetes import client, dynamic, utils, watch
from kubernetes.client.rest import ApiException
from kubernetes.informer import ADDED, DELETED, SharedInformer


def config_map(name, labels=None, **data):
    return client.V1ConfigMap(metadata=client.V1ObjectMeta(name=name, labels=labels), data=data)


def test_version_and_discovery():
    assert client.VersionApi().get_code().minor == "37"
    groups = {group.name for group in client.ApisApi().get_api_versions().groups}
    assert {"apps", "batch", "rbac.authorization.k8s.io"} <= groups
    resources = {one.name for one in client.AppsV1Api().get_api_resources().resources}
    assert {"deployments", "deployments/scale"} <= resources


def test_life(core, namespace):
    made = core.create_namespaced_config_map(namespace, config_map("life", one="1"))
    with pytest.raises(ApiException) as refused:
        core.create_namespaced_config_map(namespace, config_map("life"))
    assert refused.value.status == 409
    stale = core.read_namespaced_config_map("life", namespace)
    made.data["two"] = "2"
    core.replace_namespaced_config_map("life", namespace, made)
    with pytest.raises(ApiException) as refused:
        core.replace_namespaced_config_map("life", namespace, stale)
    assert refused.value.status == 409
    patched = core.patch_namespaced_config_map("life", namespace, {"data": {"three": "3", "one": None}})
    assert patched.data == {"two": "2", "three": "3"}
    core.create_namespaced_config_map(namespace, config_map("tried"), dry_run="All")
    core.delete_namespaced_config_map("life", namespace)
    for gone in ["life", "tried"]:
        with pytest.raises(ApiException) as refused:
            core.read_namespaced_config_map(gone, namespace)
        assert refused.value.status == 404


def test_selectors_and_pages(core, namespace):
    for number in range(10):
        core.create_namespaced_config_map(namespace, config_map(f"item-{number}", {"parity": ["even", "odd"][number % 2]}))
    odd = core.list_namespaced_config_map(namespace, label_selector="parity=odd")
    assert len(odd.items) == 5
    one = core.list_namespaced_config_map(namespace, field_selector="metadata.name=item-3")
    assert [item.metadata.name for item in one.items] == ["item-3"]
    seen, more = [], None
    while True:
        page = core.list_namespaced_config_map(namespace, label_selector="parity", limit=3, _continue=more)
        seen += [item.metadata.name for item in page.items]
        more = page.metadata._continue
        if not more:
            break
    assert sorted(seen) == sorted(f"item-{number}" for number in range(10))
    core.delete_collection_namespaced_config_map(namespace, label_selector="parity=odd")
    assert len(core.list_namespaced_config_map(namespace, label_selector="parity").items) == 5


def test_watch(core, namespace):
    since = core.list_namespaced_config_map(namespace).metadata.resource_version
    core.create_namespaced_config_map(namespace, config_map("watched"))
    core.patch_namespaced_config_map("watched", namespace, {"data": {"a": "b"}})
    core.delete_namespaced_config_map("watched", namespace)
    watcher, seen = watch.Watch(), []
    for event in watcher.stream(
        core.list_namespaced_config_map, namespace, resource_version=since, timeout_seconds=60
    ):
        seen.append((event["type"], event["object"].metadata.name))
        if event["type"] == "DELETED":
            watcher.stop()
    assert seen == [("ADDED", "watched"), ("MODIFIED", "watched"), ("DELETED", "watched")]


def test_informer(core, namespace, eventually):
    core.create_namespaced_config_map(namespace, config_map("before"))
    informer = SharedInformer(core.list_namespaced_config_map, namespace=namespace)
    added, gone = [], threading.Event()
    informer.add_event_handler(ADDED, lambda one: added.append(one.metadata.name))
    informer.add_event_handler(DELETED, lambda one: one.metadata.name == "after" and gone.set())
    informer.start()
    try:
        eventually(lambda: "before" in added)
        core.create_namespaced_config_map(namespace, config_map("after"))
        eventually(lambda: informer.cache.get_by_key(f"{namespace}/after"))
        core.delete_namespaced_config_map("after", namespace)
        assert gone.wait(60)
        eventually(lambda: informer.cache.get_by_key(f"{namespace}/after") is None)
    finally:
        informer.stop()


def test_dynamic_client(namespace):
    anything = dynamic.DynamicClient(client.ApiClient())
    maps = anything.resources.get(api_version="v1", kind="ConfigMap")
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "dynamic"}, "data": {"a": "b"}}
    made = maps.create(body=body, namespace=namespace)
    assert made.data.a == "b"
    patched = maps.patch(
        name="dynamic", namespace=namespace, body={"data": {"a": "c"}}, content_type="application/merge-patch+json"
    )
    assert patched.data.a == "c"
    for event in maps.watch(namespace=namespace, timeout=5):
        if event["object"].metadata.name == "dynamic":
            break
    else:
        raise AssertionError("the watch does not show it")
    maps.delete(name="dynamic", namespace=namespace)


def test_server_side_apply(namespace):
    anything = dynamic.DynamicClient(client.ApiClient())
    maps = anything.resources.get(api_version="v1", kind="ConfigMap")

    def apply(manager, force=False, **data):
        body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "applied"}, "data": data}
        return maps.server_side_apply(
            body=body, name="applied", namespace=namespace, field_manager=manager, force_conflicts=force
        )

    apply("first", one="1", two="2")
    assert apply("first", one="1").data.to_dict() == {"one": "1"}
    with pytest.raises(Exception) as refused:
        apply("second", one="other")
    assert refused.value.status == 409
    assert apply("second", force=True, one="other").data.one == "other"


def test_create_from_yaml(core, namespace, tmp_path):
    file = tmp_path / "both.yaml"
    file.write_text(
        """
apiVersion: v1
kind: ConfigMap
metadata: {name: from-file}
data: {a: b}
---
apiVersion: v1
kind: Service
metadata: {name: from-file}
spec: {ports: [{port: 80}]}
"""
    )
    utils.create_from_yaml(client.ApiClient(), str(file), namespace=namespace)
    assert core.read_namespaced_config_map("from-file", namespace).data == {"a": "b"}
    assert core.read_namespaced_service("from-file", namespace).spec.cluster_ip


def test_custom_resource(namespace, eventually):
    extensions, custom = client.ApiextensionsV1Api(), client.CustomObjectsApi()
    schema = {
        "type": "object",
        "properties": {"spec": {"type": "object", "properties": {"oars": {"type": "integer", "minimum": 1}}}},
    }
    definition = {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "boats.python.example.com"},
        "spec": {
            "group": "python.example.com",
            "names": {"plural": "boats", "singular": "boat", "kind": "Boat"},
            "scope": "Namespaced",
            "versions": [
                {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}
            ],
        },
    }
    extensions.create_custom_resource_definition(definition)
    try:

        def established():
            status = extensions.read_custom_resource_definition("boats.python.example.com").status
            return any(one.type == "Established" and one.status == "True" for one in status.conditions or [])

        eventually(established)
        where = ("python.example.com", "v1", namespace, "boats")
        body = {"apiVersion": "python.example.com/v1", "kind": "Boat", "metadata": {"name": "skiff"}}
        custom.create_namespaced_custom_object(*where, body | {"spec": {"oars": 2}})
        assert custom.get_namespaced_custom_object(*where, "skiff")["spec"]["oars"] == 2
        with pytest.raises(ApiException) as refused:
            custom.create_namespaced_custom_object(*where, body | {"spec": {"oars": 0}})
        assert refused.value.status == 422
    finally:
        extensions.delete_custom_resource_definition("boats.python.example.com")
