"""What the tests' own kube-apiserver promises to those who build on it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import urllib3.exceptions
from kubernetes.client import ApiException, CoordinationV1Api, CoreV1Api

from real.peers.kube_apiserver import KubeApiserver

pytestmark = pytest.mark.matrix


def test_a_service_account_gets_in_by_its_token_and_may_do_nothing(
    kube_apiserver: KubeApiserver, kube_namespace: str
) -> None:
    """Its kubeconfig is known to the server, and RBAC refuses what nobody granted."""
    with kube_apiserver.client() as admin:
        CoreV1Api(admin).create_namespaced_service_account(kube_namespace, {"metadata": {"name": "nobody"}})
    kubeconfig = kube_apiserver.service_account_kubeconfig(kube_namespace, "nobody")

    with kube_apiserver.client(kubeconfig) as nobody, pytest.raises(ApiException) as refusal:
        CoordinationV1Api(nobody).list_namespaced_lease(kube_namespace, _request_timeout=10)

    assert refusal.value.status == 403
    assert f"system:serviceaccount:{kube_namespace}:nobody" in refusal.value.body


def test_it_can_be_paused_and_killed_and_comes_back_with_its_data(
    fresh_kube_apiserver: Callable[[], KubeApiserver],
) -> None:
    """A paused server answers nothing, a killed one refuses, and a started one knows what it knew."""
    server = fresh_kube_apiserver()
    server.make_namespace("kept")

    server.pause()
    is_ready_while_paused = server.is_ready()
    server.resume()
    server.kill()
    with server.client() as api, pytest.raises(urllib3.exceptions.HTTPError):
        CoreV1Api(api).read_namespace("kept", _request_timeout=5)
    server.start()

    assert not is_ready_while_paused
    with server.client() as api:
        assert CoreV1Api(api).read_namespace("kept", _request_timeout=10).metadata.name == "kept"
