"""How long a request may take with all its tries, against a port that never answers."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from etcd_dr.adapters.stores import S3Settings
from etcd_dr.adapters.stores.s3 import S3ObjectStore
from etcd_dr.adapters.stores.s3.client import Patience
from etcd_dr.adapters.stores.settings import KeyFiles
from etcd_dr.adapters.system_clock import SystemClock, SystemTokens
from etcd_dr.errors import StoreUnreachable
from real.peers.silent_server import silent_port

BUCKET = S3Settings(bucket="backups")


def test_defaults_end_a_small_request_within_half_a_minute() -> None:
    """Whoever lists snapshots of a dead store at night is told within 30 s."""
    patience = Patience.for_calls(BUCKET)

    assert patience == Patience(read_timeout=10.0, budget=30.0)
    assert BUCKET.connect_timeout_seconds == 5.0


def test_bytes_may_stand_still_for_longer_than_a_list() -> None:
    """A slow line is no fault; standing still for ever is one."""
    assert Patience.for_bytes(BUCKET).read_timeout == BUCKET.read_timeout_seconds == 30.0
    assert Patience.for_bytes(BUCKET).budget == 75.0


def test_tries_stay_within_the_budget(tmp_path: Path) -> None:
    """Twenty tries of a third of the budget each are cut to those that fit, pauses included."""
    for name in ("a", "s"):
        (tmp_path / name).write_text(name)

    with silent_port() as port:
        store = S3ObjectStore(
            S3Settings(
                bucket="backups",
                endpoint=f"http://127.0.0.1:{port}",
                credentials=KeyFiles(tmp_path / "a", tmp_path / "s"),
                call_timeout_seconds=0.6,
                attempts=20,
            ),
            clock=SystemClock(),
            tokens=SystemTokens(),
        )
        begun = time.monotonic()
        with pytest.raises(StoreUnreachable):
            list(store.list("etcd/"))
        took = time.monotonic() - begun
        store.close()

    assert took < 30.0  # twenty tries, and the pauses between them, take minutes
