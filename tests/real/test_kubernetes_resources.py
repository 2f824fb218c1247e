"""The chart's definitions and rights on a real API server."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from etcd_dr.errors import ApiDenied, ResourceInvalid
from real.kube_site import KubeSite, make_site
from real.peers.kube_apiserver import KubeApiserver

pytestmark = pytest.mark.matrix

NEEDED = [
    *[("etcd-dr.io", "etcdsnapshots", verb) for verb in ("get", "list", "watch", "create", "patch", "delete")],
    *[("etcd-dr.io", "etcddrills", verb) for verb in ("get", "list", "watch", "delete")],
    ("etcd-dr.io", "etcdsnapshots/status", "patch"),
    ("etcd-dr.io", "etcddrills/status", "patch"),
    ("", "events", "create"),
    *[("coordination.k8s.io", "leases", verb) for verb in ("get", "list", "create", "update")],
]


@pytest.fixture
def site(
    kube_apiserver: KubeApiserver, kube_namespace: str, stock_program: Callable[[str], Path]
) -> Iterator[KubeSite]:
    site = make_site(kube_apiserver, kube_namespace, stock_program=stock_program)
    yield site
    site.admin.close()
    site.account.close()


def test_the_account_may_do_what_the_operator_needs_and_nothing_else(site: KubeSite) -> None:
    """Its rules in its own namespace are the list above, and elsewhere it has none but everybody's."""
    own = granted(site, site.namespace)
    elsewhere = granted(site, "kube-system")

    assert sorted(own - elsewhere) == sorted(NEEDED)
    assert not {right for right in elsewhere if right[0] in ("", "etcd-dr.io", "coordination.k8s.io")}


def test_the_account_sees_no_secret_and_no_other_namespace(site: KubeSite) -> None:
    """What would let a stolen pod go further is refused by the server itself."""
    for path in (
        f"/api/v1/namespaces/{site.namespace}/secrets",
        "/apis/etcd-dr.io/v1alpha1/etcdsnapshots",
        "/apis/etcd-dr.io/v1alpha1/namespaces/default/etcdsnapshots",
        "/apis/apiextensions.k8s.io/v1/customresourcedefinitions",
    ):
        with pytest.raises(ApiDenied):
            site.account.get(path)


def test_people_who_edit_a_namespace_may_make_requests_and_not_their_status(site: KubeSite) -> None:
    """The aggregated roles carry the two kinds, and the status stays the operator's."""
    edit, view = (
        site.admin.get(f"/apis/rbac.authorization.k8s.io/v1/clusterroles/{site.namespace}-dr-etcd-dr-{role}")["rules"]
        for role in ("edit", "view")
    )

    assert edit == [
        {"apiGroups": ["etcd-dr.io"], "resources": ["etcdsnapshots", "etcddrills"], "verbs": ["create", "delete"]}
    ]
    assert view[0]["verbs"] == ["get", "list", "watch"]


@pytest.mark.parametrize(
    ("spec", "named"),
    [
        ({"cluster": ""}, "spec.cluster"),
        ({"cluster": "../other"}, "spec.cluster"),
        ({"pin": "yes"}, "spec.pin"),
        ({"note": "x" * 201}, "spec.note"),
        ({"ttlSecondsAfterFinished": -1}, "spec.ttlSecondsAfterFinished"),
    ],
)
def test_what_makes_no_sense_is_refused_with_its_field(site: KubeSite, spec: dict[str, Any], named: str) -> None:
    """The schema answers at once, before any operator looks."""
    with pytest.raises(ResourceInvalid, match=named.replace(".", r"\.")):
        site.request("EtcdSnapshot", "bad", **spec)


def test_a_status_cannot_be_made_up_at_creation(site: KubeSite) -> None:
    """What a person writes into the status is dropped: it is a subresource."""
    body = {
        "apiVersion": "etcd-dr.io/v1alpha1",
        "kind": "EtcdSnapshot",
        "metadata": {"name": "bold"},
        "spec": {"cluster": "prod", "unknown": 1},
        "status": {"phase": "Completed"},
    }
    made = site.admin.create(site.path("etcdsnapshots"), body)

    assert "status" not in made
    assert made["spec"] == {"cluster": "prod", "pin": False}


def test_a_wish_cannot_be_changed_afterwards(site: KubeSite) -> None:
    """The spec is immutable where the server knows CEL (1.25 and later); before that the operator never looks again."""
    if site.server.release < (1, 25):
        pytest.skip("this API server knows no validation rules: they came with Kubernetes 1.25")
    site.request("EtcdDrill", "firm")

    with pytest.raises(ResourceInvalid, match="cannot be changed"):
        site.admin.merge(site.path("etcddrills", "firm"), {"spec": {"snapshot": "fresh"}})


def test_kubectl_shows_them_by_short_name_and_category(site: KubeSite) -> None:
    """Columns are the ones that people look for."""
    site.request("EtcdSnapshot", "now")
    status = {
        "phase": "Completed",
        "snapshotID": "20260820T030000Z-9f2c41d07b6a",
        "revision": 4711,
        "size": "12.5 MiB",
        "proven": "consistent",
        "store": "main",
        "takenAt": "2026-08-20T03:00:00Z",
    }
    site.account.merge(site.path("etcdsnapshots", "now") + "/status", {"status": status})

    header, line = site.kubectl("get", "esnap").splitlines()
    wide = site.kubectl("get", "etcd-dr", "-o", "wide")

    assert header.split() == ["NAME", "CLUSTER", "PHASE", "REVISION", "SIZE", "PROVEN", "STORE", "TAKEN", "AGE"]
    assert line.split()[:8] == ["now", "prod", "Completed", "4711", "12.5", "MiB", "consistent", "main"]
    assert "20260820T030000Z-9f2c41d07b6a" in wide


def granted(site: KubeSite, namespace: str) -> set[tuple[str, str, str]]:
    """Return what the account may do there, as (group, resource, verb)."""
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectRulesReview",
        "spec": {"namespace": namespace},
    }
    answer = site.account.create("/apis/authorization.k8s.io/v1/selfsubjectrulesreviews", review)
    return {
        (group, resource, verb)
        for rule in answer["status"]["resourceRules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }
