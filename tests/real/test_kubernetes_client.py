"""Our client of the Kubernetes API against a real server: what it answers, and how it ends when nobody does."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from etcd_dr.adapters.kubernetes.client import KubernetesApi, open_api
from etcd_dr.errors import (
    ApiDenied,
    ApiUnreachable,
    ConfigError,
    HistoryExpired,
    ResourceConflict,
    ResourceInvalid,
    ResourceMissing,
)
from real.peers.kube_apiserver import KubeApiserver

pytestmark = pytest.mark.matrix


@pytest.fixture
def api(kube_apiserver: KubeApiserver, kube_namespace: str) -> Iterator[KubernetesApi]:
    api = open_api(kubeconfig=kube_apiserver.admin_kubeconfig, namespace=kube_namespace)
    yield api
    api.close()


def maps(api: KubernetesApi) -> str:
    return f"/api/v1/namespaces/{api.namespace}/configmaps"


def config_map(name: str, **data: str) -> dict[str, object]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}


def test_an_object_is_made_read_changed_and_deleted(api: KubernetesApi) -> None:
    """Whatever is written is what is read, in each of the ways to write."""
    made = api.create(maps(api), config_map("one", a="1"))
    merged = api.merge(f"{maps(api)}/one", {"data": {"b": "2"}})
    applied = api.apply(f"{maps(api)}/one", config_map("one", c="3"), owner="etcd-dr-test")
    api.delete(f"{maps(api)}/one")

    assert made["metadata"]["uid"] == applied["metadata"]["uid"]
    assert merged["data"] == {"a": "1", "b": "2"}
    assert applied["data"] == {"a": "1", "b": "2", "c": "3"}
    with pytest.raises(ResourceMissing):
        api.get(f"{maps(api)}/one")


def test_who_writes_with_an_old_version_is_told(api: KubernetesApi) -> None:
    """Two writers never overwrite one another unseen: that is what claims and leases stand on."""
    made = api.create(maps(api), config_map("one"))
    api.merge(f"{maps(api)}/one", {"data": {"b": "2"}})

    with pytest.raises(ResourceConflict) as stale:
        api.replace(f"{maps(api)}/one", made)
    with pytest.raises(ResourceConflict) as twin:
        api.create(maps(api), config_map("one"))
    old_version = {"metadata": {"resourceVersion": made["metadata"]["resourceVersion"]}, "data": {"c": "3"}}
    with pytest.raises(ResourceConflict):
        api.merge(f"{maps(api)}/one", old_version)

    assert stale.value.context["reason"] == "Conflict"
    assert twin.value.context["reason"] == "AlreadyExists"


def test_a_refusal_says_what_is_wrong(api: KubernetesApi) -> None:
    """The server's own sentence reaches the person who must mend the object."""
    with pytest.raises(ResourceInvalid, match=r"metadata\.name"):
        api.create(maps(api), config_map("Not A Name"))


def test_rights_that_are_missing_are_named(kube_apiserver: KubeApiserver, api: KubernetesApi) -> None:
    """A service account without a role gets an error of its own kind, and so does a token that is none."""
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "nobody"}}
    api.create(f"/api/v1/namespaces/{api.namespace}/serviceaccounts", account)
    kubeconfig = kube_apiserver.service_account_kubeconfig(api.namespace, "nobody")
    nobody = open_api(kubeconfig=kubeconfig)
    kubeconfig.write_text(kubeconfig.read_text().replace("token: ", "token: x"))
    stranger = open_api(kubeconfig=kubeconfig)

    with pytest.raises(ApiDenied, match=r"cannot list resource .*configmaps"):
        nobody.get(maps(nobody))
    with pytest.raises(ApiDenied):
        stranger.get(maps(nobody))

    assert nobody.namespace == api.namespace


def test_a_watch_tells_what_happens_and_ends_by_itself(api: KubernetesApi) -> None:
    """Changes come in order from the version that was listed; the server ends the watch in good order."""
    since = api.get(maps(api))["metadata"]["resourceVersion"]
    api.create(maps(api), config_map("one"))
    api.delete(f"{maps(api)}/one")

    with api.watch(maps(api), since=since, seconds=4) as watch:  # the server's own time, also for being slow
        told = [(change.kind, change.document["metadata"].get("name")) for change in watch]

    assert [each for each in told if each[0] != "BOOKMARK"] == [("ADDED", "one"), ("DELETED", "one")]


def test_a_watch_can_be_stopped_from_another_thread(api: KubernetesApi) -> None:
    """A stop of the operator does not wait for the end of a watch."""
    since = api.get(maps(api))["metadata"]["resourceVersion"]

    began = time.monotonic()
    with api.watch(maps(api), since=since, seconds=60) as watch:
        timer = threading.Timer(0.3, watch.stop)
        timer.start()
        told = list(watch)
        timer.join()

    assert told == []
    assert time.monotonic() - began < 20


def test_a_server_that_hangs_or_is_gone_ends_each_call(fresh_kube_apiserver: Callable[[], KubeApiserver]) -> None:
    """A paused server costs the limit for silence and no more; a dead one costs nothing, but the history of watches."""
    server = fresh_kube_apiserver()
    api = open_api(kubeconfig=server.admin_kubeconfig)
    path = "/api/v1/namespaces/default"
    api.get(path)

    server.pause()
    began = time.monotonic()
    with pytest.raises(ApiUnreachable):
        api.get(path, seconds=1.0)
    waited = time.monotonic() - began
    server.resume()
    server.kill()
    with pytest.raises(ApiUnreachable) as refused:
        api.get(path)
    server.start()

    assert 0.9 < waited < 30  # the server stands still for ever
    assert refused.value.retryable
    assert api.get(path)["metadata"]["name"] == "default"
    with pytest.raises(HistoryExpired), api.watch("/api/v1/namespaces", since="1", seconds=20) as watch:
        list(watch)


def test_without_a_place_it_is_a_fault_of_the_configuration(tmp_path: Path) -> None:
    """No file and no pod: the operator says so at its start instead of trying for ever."""
    with pytest.raises(ConfigError):
        open_api(kubeconfig=tmp_path / "none")
    with pytest.raises(ConfigError):
        open_api()
