"""The hash of a restored database with a raised revision is known before the restore."""

from __future__ import annotations

import struct

import pytest

from etcd_dr import boltdb
from etcd_dr.boltdb.bumped import bumped_hash_kv
from fakes.etcd_database import EtcdDatabase


def _history(*, ends_with_a_deletion: bool, compacted: bool) -> EtcdDatabase:
    database = EtcdDatabase.of_keys(50)
    database.put(b"/registry/pods/default/pod-000003", b"again")
    database.delete(b"/registry/pods/default/pod-000004")
    if compacted:
        database.compact(20)
    if ends_with_a_deletion:
        database.delete(b"/registry/pods/default/pod-000005")
    return database


@pytest.mark.parametrize("ends_with_a_deletion", [False, True])
@pytest.mark.parametrize("compacted", [False, True])
@pytest.mark.parametrize("bump", [1, 1_000_000, 1_000_000_000])
def test_the_prediction_is_what_the_restored_file_gives(ends_with_a_deletion: bool, compacted: bool, bump: int) -> None:
    """Whatever the last record is and wherever the history was compacted."""
    database = _history(ends_with_a_deletion=ends_with_a_deletion, compacted=compacted)
    last = database.revision
    source = boltdb.hash_kv(database.to_bytes(), revision=last, compact_revision=last, before_bump=True)

    database.records[struct.pack(">Q", last + bump) + b"_" + bytes(8)] = b""
    database.compact_revision = last + bump

    assert bumped_hash_kv(source.hash, last_revision=last, bump=bump) == boltdb.hash_kv(database.to_bytes())


@pytest.mark.parametrize("writes", [0, 3])
def test_second_bump_supersedes_the_first(writes: int) -> None:
    """A cluster that was recovered once, and again: the record of the first bump does not count any more."""
    database = _history(ends_with_a_deletion=False, compacted=True)
    _bump(database, 1_000_000)
    database.revision += 1_000_000
    for number in range(writes):
        database.put(b"/written/since/%d" % number, b"value")
    last = database.revision
    source = boltdb.hash_kv(database.to_bytes(), revision=last, compact_revision=last, before_bump=True)

    _bump(database, 1_000_000)

    assert bumped_hash_kv(source.hash, last_revision=last, bump=1_000_000) == boltdb.hash_kv(database.to_bytes())


def test_prediction_stands_for_a_database_without_a_live_key() -> None:
    """etcd hashes everything where no key is alive; after a bump there is one, the empty one."""
    database = EtcdDatabase.of_keys(1)
    database.delete(b"/registry/pods/default/pod-000000")
    last = database.revision
    source = boltdb.hash_kv(database.to_bytes(), revision=last, compact_revision=last, before_bump=True)

    _bump(database, 1_000_000)

    assert bumped_hash_kv(source.hash, last_revision=last, bump=1_000_000) == boltdb.hash_kv(database.to_bytes())


def _bump(database: EtcdDatabase, bump: int) -> None:
    """Do what etcdutl does, but for moving the revision on: `revision` is read by what follows."""
    at = database.revision + bump
    database.records[struct.pack(">Q", at) + b"_" + bytes(8)] = b""
    database.compact_revision = at


@pytest.mark.parametrize("with_hash_kv", [False, True])
@pytest.mark.parametrize("compacted", [False, True])
@pytest.mark.parametrize("bumped_before", [False, True])
def test_examination_states_it_in_the_same_pass(*, with_hash_kv: bool, compacted: bool, bumped_before: bool) -> None:
    """Beside HashKV of the file as it is, and neither changes the other."""
    database = _history(ends_with_a_deletion=True, compacted=compacted)
    if bumped_before:
        _bump(database, 1000)
        database.revision += 1000
        database.put(b"/written/since", b"value")
    body, last = database.to_bytes(), database.revision

    status = boltdb.examine(body, with_hash_kv=with_hash_kv, before_bump=True).status

    alone = boltdb.hash_kv(body, revision=last, compact_revision=last, before_bump=True)
    assert status is not None
    assert status.hash_before_bump == alone.hash
    assert status.hash_kv == (boltdb.hash_kv(body) if with_hash_kv else None)
    assert status.live_key_count == boltdb.examine(body).status.live_key_count  # type: ignore[union-attr]  # whole
