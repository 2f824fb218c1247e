"""What an examination says of whole files, whatever their shape."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from etcd_dr.boltdb import examine
from etcd_dr.domain.database import StoredAlarm, StoredMember
from etcd_dr.errors import FileUnreadable
from fakes.bolt_file import BoltFile, Content, Shape
from fakes.etcd_history import MEMBER_ID, EtcdHistory, revision_key, status_hash

SHAPES = {
    "as-etcd": Shape(),
    "many-levels": Shape(leaf_records=2, branch_children=2),
    "small-pages": Shape(page_size=1024),
    "large-pages": Shape(page_size=65536),
    "no-inline": Shape(inline=False),
    "synced-freelist": Shape(leaf_records=5, synced_freelist=True, free_pages=30),
    "uneven": Shape(leaf_records=3, branch_children=4, uneven=True),
    "late leaf": Shape(leaf_records=3, branch_children=4, late_leaf=True),
}
every_shape = pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES.keys())


def busy_history(seed: int = 1, *, writes: int = 300) -> EtcdHistory:
    history, randomness = EtcdHistory(), random.Random(seed)
    for _ in range(writes):
        key = b"/registry/pods/%03d" % randomness.randrange(60)
        match randomness.randrange(6):
            case 0:
                history.delete(key)
            case 1:
                history.transact([(b"%s/%d" % (key, n), randomness.randbytes(n * 40)) for n in range(4)])
            case _:
                lease = randomness.choice((0, 0, 5, 1 << 40, (1 << 63) - 1, -2))
                history.put(key, randomness.randbytes(randomness.randrange(300)), lease=lease)
    return history


@every_shape
def test_numbers_are_etcds_whatever_the_shape(shape: Shape) -> None:
    """Hash, revisions and counts depend on the content alone; layout shows in pages only."""
    history = busy_history()
    history.put(b"/large", bytes(100_000))
    history.compact(history.revision - 100)
    file = BoltFile(history.buckets(), shape)

    examination = examine(file.sealed(), with_hash_kv=True, check_trailer=True)

    status = examination.status
    assert examination.findings == ()
    assert examination.is_intact
    assert status is not None
    assert status.status_hash == status_hash(history.buckets())
    assert status.revision == history.revision
    assert status.live_key_count == len(history.live_keys())
    assert status.key_record_count == len(history.records)
    assert status.record_count == sum(map(len, history.buckets().values()))
    assert status.compact_revision == status.finished_compact_revision == history.revision - 100
    assert status.hash_kv is not None
    assert status.hash_kv.hash == history.hash_kv(history.revision, history.revision - 100)
    assert (status.page_size, status.txid) == (shape.page_size, shape.txid)
    assert status.total_size_bytes == file.high_water * shape.page_size == len(file.raw())
    assert status.free_page_count == len(file.free)
    assert status.freelist_synced == shape.synced_freelist
    assert status.in_use_bytes == (file.high_water - len(file.free)) * shape.page_size


@given(
    seed=st.integers(0, 1 << 30),
    writes=st.integers(0, 120),
    page_size=st.sampled_from([1024, 4096]),
    leaf_records=st.integers(1, 9),
    branch_children=st.integers(2, 5),
    inline=st.booleans(),
    uneven=st.booleans(),
)
@settings(max_examples=60)
def test_any_history_in_any_shape_is_read_as_written(
    seed: int, writes: int, page_size: int, leaf_records: int, branch_children: int, *, inline: bool, uneven: bool
) -> None:
    """For any history and any layout the numbers are the model's, and nothing is complained about."""
    history = busy_history(seed, writes=writes)
    shape = Shape(page_size, leaf_records, branch_children, inline=inline, uneven=uneven)

    examination = examine(BoltFile(history.buckets(), shape).sealed(), with_hash_kv=True)

    status = examination.status
    assert examination.findings == ()
    assert status is not None
    assert status.status_hash == status_hash(history.buckets())
    assert status.live_key_count == len(history.live_keys())
    assert status.hash_kv is not None
    assert status.hash_kv.hash == history.hash_kv(history.revision, -1)


def test_small_buckets_are_understood() -> None:
    """Members, alarms, versions, raft position, leases and the auth flag are read as etcd stores them."""
    content: dict[bytes, Content | bytes] = {
        **EtcdHistory().buckets(),
        b"alarm": {b"\x08\x07\x10\x01": b"", b"\x08\x07\x10\x09": b""},
        b"auth": {b"authEnabled": b"\x01", b"authRevision": bytes(8)},
        b"cluster": {b"clusterVersion": b"3.6.0", b"downgrade": b'{"target-version":"","enabled":false}'},
        b"lease": {(77).to_bytes(8): b"\x08\x4d\x10\x3c"},
        b"members_removed": {b"2f": b"removed"},
        b"meta": {
            b"consistent_index": (12).to_bytes(8),
            b"term": (3).to_bytes(8),
            b"storageVersion": b"3.6.0",
            b"confState": b'{"voters":[1]}',
            b"scheduledCompactRev": revision_key(9, 0),
            b"finishedCompactRev": revision_key(8, 0),
        },
    }

    status = examine(BoltFile(content).sealed()).status

    assert status is not None
    assert status.members == (
        StoredMember(MEMBER_ID, "m1", ("https://10.0.0.1:2380",), ("https://10.0.0.1:2379",), is_learner=False),
    )
    assert status.removed_member_ids == (0x2F,)
    assert status.alarms == (StoredAlarm(7, "NOSPACE"), StoredAlarm(7, "alarm-9"))
    assert status.auth_enabled
    assert (status.cluster_version, status.storage_version) == ("3.6.0", "3.6.0")
    assert (status.consistent_index, status.term, status.lease_count) == (12, 3, 1)
    assert (status.compact_revision, status.scheduled_compact_revision) == (9, 9)
    assert (status.revision, status.current_revision) == (0, 9)


def test_record_without_value_is_what_a_bump_leaves() -> None:
    """A restore with --bump-revision stores an empty value; it is a live key without a name, as etcdutl counts it."""
    history = busy_history()
    buckets = history.buckets()
    buckets[b"key"][revision_key(1_000_000, 0)] = b""

    examination = examine(BoltFile(buckets).sealed())

    assert examination.findings == ()
    assert examination.status is not None
    assert examination.status.revision == 1_000_000
    assert examination.status.live_key_count == len(history.live_keys()) + 1


def test_live_keys_and_hash_are_only_computed_when_asked_for() -> None:
    """What was not asked for is None, and the rest is the same."""
    snapshot = BoltFile(busy_history().buckets()).sealed()

    plain, full = examine(snapshot, live_keys=False).status, examine(snapshot, with_hash_kv=True).status

    assert plain is not None
    assert full is not None
    assert (plain.live_key_count, plain.hash_kv) == (None, None)
    assert plain.status_hash == full.status_hash


def test_bytes_and_file_give_the_same(tmp_path: Path) -> None:
    """A path, bytes, a bytearray and a memoryview are the same to the reader."""
    snapshot = BoltFile(busy_history().buckets()).sealed()
    path = tmp_path / "file.db"
    path.write_bytes(snapshot)

    answers = [examine(source) for source in (path, snapshot, bytearray(snapshot), memoryview(snapshot))]

    assert all(answer == answers[0] for answer in answers)


def test_what_cannot_be_opened_is_an_error_not_a_finding(tmp_path: Path) -> None:
    """A file that is not there, a directory and a pipe are FileUnreadable; an empty file is damage."""
    empty = tmp_path / "empty"
    empty.touch()

    for path in (tmp_path / "absent", tmp_path, Path("/dev/null"), Path("nul\0byte")):
        with pytest.raises(FileUnreadable):
            examine(path)

    assert [finding.code for finding in examine(empty).errors] == ["file.too_short"]
