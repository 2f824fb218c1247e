"""The throw-away member of a drill hears a wish to stop whenever it comes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from etcd_dr.adapters.local_cluster.throwaway import ThrowawayMembers
from etcd_dr.adapters.system_clock import SystemClock
from etcd_dr.domain.etcd_version import EtcdVersion
from etcd_dr.errors import Cancelled
from etcd_dr.ports.etcd_programs import EtcdProgram


class EndlessPrograms:
    """An etcd that starts and never serves."""

    places: Sequence[str] = ()

    def __init__(self, directory: Path) -> None:
        self._program = directory / "etcd"
        self._program.write_text("#!/bin/sh\nexec sleep 60\n")
        self._program.chmod(0o755)

    def find(self, _name: str) -> tuple[EtcdProgram, ...]:
        return (EtcdProgram("etcd", self._program, EtcdVersion(3, 5, 30)),)


class StoppedBefore:
    """A switch that was thrown: whoever asks to be called is called before anything else happens."""

    is_cancelled = True
    reason = "SIGTERM"

    @contextmanager
    def on_cancel(self, callback: Callable[[], object]) -> Iterator[None]:
        callback()
        yield


class Unused:
    def close(self) -> None:
        pass


def test_wish_to_stop_that_comes_before_the_process_ends_it(tmp_path: Path) -> None:
    """There is nothing to end yet, and nobody says it twice: the drill would wait for its etcd to the deadline."""
    (tmp_path / "data" / "member" / "snap").mkdir(parents=True)
    (tmp_path / "data" / "member" / "snap" / "db").touch()
    programs: Any = EndlessPrograms(tmp_path)
    connection: Any = Unused()
    members = ThrowawayMembers(programs, connect=lambda _endpoint, _tls: (connection, connection), clock=SystemClock())

    with (
        pytest.raises(Cancelled),
        members.run(tmp_path / "data", name="drill", server=None, cancellation=StoppedBefore(), deadline=20),
    ):
        raise AssertionError("it never serves")
