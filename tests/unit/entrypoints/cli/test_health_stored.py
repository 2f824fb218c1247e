"""What `health` learns from the store, and how often it asks."""

from __future__ import annotations

from etcd_dr.domain.snapshot import ClusterLayout
from etcd_dr.entrypoints.cli.global_options import GlobalOptions
from etcd_dr.entrypoints.cli.health import _Stored
from etcd_dr.entrypoints.cli.process import Process
from etcd_dr.entrypoints.cli.run import Run
from etcd_dr.errors import StoreUnreachable
from fakes.object_store import FakeObjectStore
from scenarios.command_line import Stream


def stored_in(store: FakeObjectStore) -> _Stored:
    options = GlobalOptions(endpoints="http://127.0.0.1:1", store="/backups")
    given = Run(options, Process({}, Stream(), Stream(), Stream(), ()))
    target = given.target()
    return _Stored(target, store, ClusterLayout(prefix="", cluster="prod"), given.surroundings(with_events=False))


def test_store_that_failed_just_now_is_not_asked_again_for_the_same_round() -> None:
    """Its timeouts are what a person waits for before the members are judged; the next round asks afresh."""
    store = FakeObjectStore()
    stored = stored_in(store)
    stored.just_failed = StoreUnreachable("no answer")

    first = stored.facts()
    asked = len(store.calls)
    second = stored.facts()

    assert first.failure is not None
    assert first.failure.code == "store.unreachable"
    assert asked == 0
    assert second.failure is None
