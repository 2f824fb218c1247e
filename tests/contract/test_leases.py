"""Leases keep the contract of the port: in memory, and in a real API server (`matrix`)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from datetime import timedelta

import pytest

from etcd_dr.domain.leadership import LeaseRecord
from etcd_dr.errors import ApiUnreachable, ResourceConflict
from etcd_dr.ports.leases import Leases
from fakes.clock import MORNING
from fakes.leases import FakeLeaseApi
from real.peers.kube_apiserver import KubeApiserver

Opener = Callable[[], Leases]


def made(name: str = "etcd-dr-prod") -> LeaseRecord:
    return LeaseRecord(
        name=name, holder="a", transitions=1, lease_seconds=30, acquired_at=MORNING, renewed_at=MORNING, wanted_by="b"
    )


class LeasesContract:
    """The promises; a subclass says how connections of several processes to the same leases are opened."""

    @pytest.fixture
    def leases(self, opener: Opener) -> Leases:
        return opener()

    def test_what_was_put_is_listed(self, leases: Leases) -> None:
        """Every field comes back, with a version."""
        stored = leases.put(made())

        assert leases.list() == (stored,)
        assert replace(stored, version="") == made()
        assert stored.version

    def test_it_begins_empty(self, leases: Leases) -> None:
        """No lease is made by looking."""
        assert leases.list() == ()

    def test_a_replacement_over_the_seen_state_goes_through(self, leases: Leases) -> None:
        """And changes the version and nothing that was not asked for; moments keep their microseconds."""
        stored = leases.put(made())
        later = MORNING + timedelta(seconds=5, microseconds=123456)

        renewed = leases.put(replace(stored, renewed_at=later, wanted_by=""))

        assert leases.list() == (renewed,)
        assert (renewed.renewed_at, renewed.acquired_at, renewed.wanted_by) == (later, MORNING, "")
        assert renewed.version != stored.version

    def test_a_free_lease_is_a_lease_with_nobody_in_it(self, leases: Leases) -> None:
        """Letting go keeps the number of terms."""
        stored = leases.put(made())

        released = leases.put(replace(stored, holder=""))

        assert (released.holder, released.transitions) == ("", 1)

    def test_of_two_that_create_one_loses(self, opener: Opener) -> None:
        """Whoever comes second is told."""
        opener().put(made())

        with pytest.raises(ResourceConflict):
            opener().put(replace(made(), holder="b"))

    def test_of_two_that_replace_one_loses(self, opener: Opener) -> None:
        """Over the same state, exactly one write is carried out."""
        one, other = opener(), opener()
        stored = one.put(made())
        one.put(replace(stored, holder="one"))

        with pytest.raises(ResourceConflict):
            other.put(replace(stored, holder="other"))
        assert [record.holder for record in other.list()] == ["one"]


class TestFakeLeases(LeasesContract):
    @pytest.fixture
    def opener(self) -> Opener:
        return FakeLeaseApi().connection


@pytest.mark.matrix
class TestKubernetesLeases(LeasesContract):
    @pytest.fixture
    def opener(self, kube_apiserver: KubeApiserver, kube_namespace: str) -> Iterator[Opener]:
        from etcd_dr.adapters.kubernetes.client import open_api  # noqa: PLC0415 - a second of work that the fake spares
        from etcd_dr.adapters.kubernetes.leases import KubernetesLeases  # noqa: PLC0415 - as above

        with ExitStack() as stack:

            def connection() -> Leases:
                api = open_api(kubeconfig=kube_apiserver.admin_kubeconfig, namespace=kube_namespace)
                stack.callback(api.close)
                return KubernetesLeases(api, group="test", seconds=30)

            yield connection


@pytest.mark.matrix
def test_an_api_that_hangs_is_unreachable_in_time(fresh_kube_apiserver: Callable[[], KubeApiserver]) -> None:
    """Stopped in its tracks it accepts connections and says nothing."""
    from etcd_dr.adapters.kubernetes.client import open_api  # noqa: PLC0415 - a second of work that other tests spare
    from etcd_dr.adapters.kubernetes.leases import KubernetesLeases  # noqa: PLC0415 - as above

    server = fresh_kube_apiserver()
    api = open_api(kubeconfig=server.admin_kubeconfig, namespace="default")
    stored = KubernetesLeases(api, group="test", seconds=30).put(made())
    server.pause()

    with pytest.raises(ApiUnreachable):
        KubernetesLeases(api, group="test", seconds=1).put(replace(stored, holder="b"))

    server.resume()
    api.close()
