"""Work done in a process of its own has the same outcome, and its end is not ours."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from etcd_dr.boltdb import examine, hash_kv
from etcd_dr.boltdb.isolation import _ended
from etcd_dr.errors import FileUnreadable, RevisionUnavailable, SnapshotDamaged
from fakes.bolt_file import BoltFile
from fakes.etcd_history import EtcdHistory


def database(path: Path) -> BoltFile:
    history = EtcdHistory()
    for number in range(50):
        history.put(b"/key/%d" % number, bytes(100))
    history.compact(20)
    file = BoltFile(history.buckets())
    path.write_bytes(file.sealed())
    return file


def test_outcome_is_the_same(tmp_path: Path) -> None:
    """Status, findings and HashKV come back as the values they are here."""
    path = tmp_path / "file.db"
    database(path)

    assert examine(path, with_hash_kv=True, check_trailer=True, isolated=True) == examine(
        path, with_hash_kv=True, check_trailer=True
    )
    assert hash_kv(path, compact_revision=30, isolated=True) == hash_kv(path, compact_revision=30)


def test_errors_come_back_whole(tmp_path: Path) -> None:
    """Class, context and next step of an error survive the way."""
    path = tmp_path / "file.db"
    file = database(path)

    with pytest.raises(RevisionUnavailable) as refusal:
        hash_kv(path, revision=1000, isolated=True)
    with pytest.raises(FileUnreadable) as absent:
        examine(tmp_path / "absent", isolated=True)
    file.page(file.leaves(b"key")[0]).flags = 0
    path.write_bytes(file.sealed())
    with pytest.raises(SnapshotDamaged) as damage:
        hash_kv(path, isolated=True)

    assert refusal.value.context["reason"] == "future"
    assert absent.value.subject == str(tmp_path / "absent")
    assert "ls -l" in absent.value.next_step
    assert damage.value.context["code"] == "page.type"


def test_end_of_the_reader_is_an_unreadable_file() -> None:
    """SIGBUS is the disk's fault, anything else is named."""
    by_disk, by_system = _ended(Path("a.db"), -signal.SIGBUS), _ended(Path("a.db"), -signal.SIGKILL)

    assert "disk" in by_disk.message
    assert "SIGKILL" in by_system.message
