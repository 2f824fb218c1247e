"""Whoever waits for a large file can stop: at once, with what was raised, and with nobody left behind."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from etcd_dr.boltdb import examine, hash_kv
from fakes.bolt_file import BoltFile, Shape
from fakes.etcd_history import EtcdHistory

Call = Callable[..., object]


class Enough(Exception):
    """What the caller raises to stop."""


class Stop:
    """Raises at its second call."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self) -> None:
        self.calls += 1
        if self.calls == 2:
            raise Enough


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    history = EtcdHistory()
    for number in range(5000):
        history.put(b"/key/%d" % (number % 700), bytes(number % 40))
    path = tmp_path_factory.mktemp("stopping") / "file.db"
    path.write_bytes(BoltFile(history.buckets(), Shape(page_size=1024, leaf_records=1)).sealed())
    return path


@pytest.mark.parametrize(
    ("call", "options"),
    [
        (examine, {"workers": 1}),
        (examine, {"workers": 3}),
        (examine, {"workers": 2, "check_trailer": True, "with_hash_kv": True}),
        (hash_kv, {"workers": 1}),
        (hash_kv, {"workers": 2}),
    ],
)
def test_work_ends_where_it_is_stopped(database: Path, call: Call, options: dict[str, object]) -> None:
    """What `stop` raises comes out as it is, after no further call, and helpers are gone."""
    stop, others = Stop(), _children()

    with pytest.raises(Enough):
        call(database, stop=stop, **options)

    assert stop.calls == 2
    assert _children() == others


def test_stop_that_never_raises_changes_nothing(database: Path) -> None:
    """Being asked is all that happens to those who do not want to stop."""
    calls: list[None] = []

    watched = examine(database, with_hash_kv=True, check_trailer=True, stop=lambda: calls.append(None))

    assert watched == examine(database, with_hash_kv=True, check_trailer=True)
    assert calls


def _children() -> set[int]:
    return {child.pid for child in psutil.Process().children(recursive=True)}
