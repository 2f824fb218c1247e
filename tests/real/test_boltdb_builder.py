"""The files that the unit tests are built on are real to etcd's own tools: they open, check and count them alike."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from etcd_dr.boltdb import examine
from fakes.bolt_file import BoltFile, Shape
from fakes.etcd_history import EtcdHistory
from real.peers.etcd_tools import StockTools

SHAPES = {
    "as-etcd": Shape(),
    "many-levels": Shape(leaf_records=2, branch_children=3),
    "other-page-size": Shape(page_size=8192),
    "no-inline": Shape(inline=False),
    "synced-freelist": Shape(leaf_records=5, synced_freelist=True, free_pages=30),
    "uneven": Shape(leaf_records=3, branch_children=4, uneven=True),
    "another-writer": Shape(leaf_records=10, padding=5),
}


def history() -> EtcdHistory:
    model, randomness = EtcdHistory(), random.Random(5)
    for _ in range(400):
        key = b"/key/%d" % randomness.randrange(90)
        if randomness.random() < 0.2:
            model.delete(key)
        else:
            model.put(key, randomness.randbytes(randomness.randrange(400)), lease=randomness.choice((0, 7)))
    model.put(b"/large", bytes(50_000))
    model.compact(200)
    return model


@pytest.mark.every_etcd
@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES.keys())
def test_etcdutl_says_of_a_built_file_what_we_say(stock_tools: StockTools, shape: Shape, tmp_path: Path) -> None:
    """bbolt's own check passes the file, and hash, revision, size and count are ours."""
    path = tmp_path / "built.db"
    path.write_bytes(BoltFile(history().buckets(), shape).sealed())

    theirs, ours = stock_tools.snapshot_status(path), examine(path).status

    assert ours is not None
    assert (theirs["hash"], theirs["revision"], theirs["totalSize"]) == (
        ours.status_hash,
        ours.revision,
        ours.total_size_bytes,
    )
    counts_live_keys = stock_tools.binaries.release >= (3, 6)
    assert theirs["totalKey"] == (ours.live_key_count if counts_live_keys else ours.record_count)
