"""Phases give the same whether hashes of keys are kept or computed anew, here or in shared files."""

from __future__ import annotations

import os
from collections.abc import Iterator

import numpy as np
import pytest

from etcd_dr.boltdb.buckets import leaves_of
from etcd_dr.boltdb.checksums import crc32c, joined
from etcd_dr.boltdb.database import open_database
from etcd_dr.boltdb.findings import Findings
from etcd_dr.boltdb.image import Words
from etcd_dr.boltdb.keys import RevisionKeys
from etcd_dr.boltdb.keyspace import Keyspace
from etcd_dr.boltdb.source import opened
from etcd_dr.boltdb.stores import DropMarks, HashStore, PrivateHashStore, Segment, SharedHashStore
from etcd_dr.boltdb.userkeys import KeyHasher
from etcd_dr.boltdb.work import CheckChunk, CountLive, HashChunk, MarkDropped, Table, Worker
from fakes.bolt_file import BoltFile, Shape
from fakes.etcd_history import EtcdHistory

SALT = b"salt of sixteen!"


class FullStore:
    """A store without room."""

    def append(self, hashes: Words) -> Segment | None:
        return None

    def read(self, segment: Segment) -> Words:
        raise AssertionError("nothing was kept")


class ForgetfulStore(PrivateHashStore):
    """A store that has room for every second chunk."""

    def append(self, hashes: Words) -> Segment | None:
        self._asked = getattr(self, "_asked", 0) + 1
        return super().append(hashes) if self._asked % 2 else None


@pytest.fixture(scope="module")
def history() -> EtcdHistory:
    model = EtcdHistory()
    for number in range(6000):
        if number % 5:
            model.put(b"/key/%d" % (number * 7 % 1000), b"v" * (number % 30))
        else:
            model.delete(b"/key/%d" % (number * 3 % 1000))
    return model


@pytest.fixture
def shared_store() -> Iterator[SharedHashStore]:
    fd = os.memfd_create("test")
    yield SharedHashStore([fd], own=0)
    os.close(fd)


@pytest.mark.parametrize("kind", ["kept", "shared", "full", "forgetful"])
def test_results_do_not_depend_on_where_hashes_are(
    history: EtcdHistory, shared_store: SharedHashStore, kind: str
) -> None:
    """Live keys and HashKV are the model's with any store."""
    stores: dict[str, HashStore] = {
        "kept": PrivateHashStore(),
        "shared": shared_store,
        "full": FullStore(),
        "forgetful": ForgetfulStore(),
    }
    snapshot = BoltFile(history.buckets(), Shape(page_size=1024, leaf_records=1)).sealed()
    with opened(snapshot) as source:
        database = open_database(source, Findings())
        assert database is not None
        bucket = database.bucket(b"key")
        assert bucket is not None
        leaves = leaves_of(database.pages, bucket, order=RevisionKeys, look_later=True)
        keyspace = Keyspace(database.pages, leaves)
        worker = Worker(keyspace, stores[kind], DropMarks(), KeyHasher(SALT))
        chunks = range(keyspace.chunk_count)

        checked = worker.perform(CheckChunk(values=True, hashes=True), chunks)
        worker.learn(Table([result.record_count for result in checked], [result.segment for result in checked]))
        live = worker.perform(CountLive(), range(worker.queue_length(CountLive())))
        compacted = sum(record.main <= 3000 for record in history.records)
        end = sum(record.main <= 4000 for record in history.records)
        mark = MarkDropped(end=end, compacted=compacted)
        worker.perform(mark, range(worker.queue_length(mark)))
        hashed = worker.perform(HashChunk(end=end, compacted=compacted, at_compaction=3000), chunks)

    checksum = crc32c(b"key")
    for result in hashed:
        checksum = joined(checksum, result.checksum, result.byte_count)
    assert len(chunks) > 1
    assert sum(result.live_count for result in live) == len(history.live_keys())
    assert checksum == history.hash_kv(4000, 3000)


def test_stores_say_when_they_are_full() -> None:
    """What has no room is refused as a whole, and what was kept stays readable."""
    fds = [os.memfd_create("test") for _ in range(2)]
    stores = [PrivateHashStore(capacity=10), SharedHashStore(fds, own=1, capacity=20)]
    hashes = np.arange(5, dtype=np.uint64)

    for store in stores:
        kept = store.append(hashes)
        assert kept is not None
        assert store.append(np.zeros(6, dtype=np.uint64)) is None
        assert store.read(kept).tolist() == [0, 1, 2, 3, 4]
    for fd in fds:
        os.close(fd)
