"""Every kind of damage to a real snapshot is reported: by the trailer's digest, by the reader, or by both.

The digest covers every byte, so together nothing may pass. What the reader finds without a digest is counted
separately, because a database copied from a data directory has none; the table says both.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from etcd_dr.adapters.local_cluster import LocalCluster
from etcd_dr.adapters.local_cluster.gateway import EtcdGateway, encoded
from etcd_dr.boltdb import examine
from etcd_dr.domain.database import Examination
from real.peers.etcd_tools import StockTools

PAGE = 4096
TRAILER = 32
Damaged = Iterator[bytes]
Kind = Callable[[bytes, random.Random, int], Damaged]


@dataclass(frozen=True, slots=True)
class Tally:
    """How often one kind of damage was tried and who reported it."""

    kind: str
    tried: int
    by_digest: int
    by_reader: int
    missed: int


def bit_in_every_page(snapshot: bytes, randomness: random.Random, stride: int) -> Damaged:
    for page in range(0, len(snapshot) - TRAILER, PAGE * stride):
        damaged = bytearray(snapshot)
        damaged[page + randomness.randrange(PAGE)] ^= 1 << randomness.randrange(8)
        yield bytes(damaged)


def bit_in_every_page_header(snapshot: bytes, randomness: random.Random, stride: int) -> Damaged:
    for page in range(0, len(snapshot) - TRAILER, PAGE * stride):
        damaged = bytearray(snapshot)
        damaged[page + randomness.randrange(16)] ^= 1 << randomness.randrange(8)
        yield bytes(damaged)


def zeros_in_every_page(snapshot: bytes, randomness: random.Random, stride: int) -> Damaged:
    for page in range(0, len(snapshot) - TRAILER, PAGE * stride):
        at, size = page + randomness.randrange(PAGE - 64), randomness.randrange(8, 64)
        yield snapshot[:at] + bytes(size) + snapshot[at + size :]


def every_page_zeroed(snapshot: bytes, _: random.Random, stride: int) -> Damaged:
    for page in range(0, len(snapshot) - TRAILER, PAGE * stride):
        yield snapshot[:page] + bytes(PAGE) + snapshot[page + PAGE :]


def every_page_swapped(snapshot: bytes, randomness: random.Random, stride: int) -> Damaged:
    pages = (len(snapshot) - TRAILER) // PAGE
    for first in range(0, pages, stride):
        second = randomness.choice([page for page in range(pages) if page != first])
        low, high = sorted((first * PAGE, second * PAGE))
        yield (
            snapshot[:low]
            + snapshot[high : high + PAGE]
            + snapshot[low + PAGE : high]
            + snapshot[low : low + PAGE]
            + snapshot[high + PAGE :]
        )


def every_page_repeated(snapshot: bytes, _: random.Random, stride: int) -> Damaged:
    """A page written where its neighbour belongs: a lost or misdirected write."""
    for page in range(0, len(snapshot) - TRAILER - PAGE, PAGE * stride):
        yield snapshot[: page + PAGE] + snapshot[page : page + PAGE] + snapshot[page + 2 * PAGE :]


def cut_at_every_page(snapshot: bytes, _: random.Random, stride: int) -> Damaged:
    for size in range(0, len(snapshot) - TRAILER, PAGE * stride):
        yield snapshot[:size]


def cut_at_odd_places(snapshot: bytes, randomness: random.Random, stride: int) -> Damaged:
    for page in range(0, len(snapshot) - TRAILER, PAGE * stride):
        yield snapshot[: page + randomness.randrange(1, PAGE)]
    # Sizes that look like a snapshot with a trailer.
    for size in range(512 + 32, len(snapshot) - 512, PAGE * stride):
        yield snapshot[:size]


def trailer(snapshot: bytes, randomness: random.Random, _: int) -> Damaged:
    for at in range(len(snapshot) - TRAILER, len(snapshot)):
        damaged = bytearray(snapshot)
        damaged[at] ^= 1 << randomness.randrange(8)
        yield bytes(damaged)
    yield snapshot[:-TRAILER]
    yield snapshot[:-TRAILER] + bytes(TRAILER)
    yield snapshot[:-1]


def bytes_put_in(snapshot: bytes, randomness: random.Random, stride: int) -> Damaged:
    for page in range(0, len(snapshot) - TRAILER, PAGE * stride * 4):
        at = page + randomness.randrange(PAGE)
        yield snapshot[:at] + b"\0" + snapshot[at:]
        yield snapshot[:page] + bytes(PAGE) + snapshot[page:]


KINDS: dict[str, Kind] = {
    "one bit in each page": bit_in_every_page,
    "one bit in each page header": bit_in_every_page_header,
    "some bytes zeroed in each page": zeros_in_every_page,
    "each page zeroed": every_page_zeroed,
    "each page swapped with another": every_page_swapped,
    "each page written over the next": every_page_repeated,
    "cut at each page boundary": cut_at_every_page,
    "cut at odd places": cut_at_odd_places,
    "trailer: each byte, cut off, zeroed": trailer,
    "bytes put in": bytes_put_in,
}


def tally(kind: str, damage: Kind, snapshot: bytes, *, stride: int) -> Tally:
    seen: Counter[str] = Counter()
    for damaged in damage(snapshot, random.Random(kind), stride):
        if damaged == snapshot:
            continue
        examination = examine(damaged, check_trailer=True)
        by_digest, by_reader = reported_by_digest(examination), reported_by_reader(examination)
        seen.update(tried=1, digest=by_digest, reader=by_reader, missed=not (by_digest or by_reader))
    return Tally(kind, seen["tried"], seen["digest"], seen["reader"], seen["missed"])


def reported_by_digest(examination: Examination) -> bool:
    return examination.trailer.matches is False or not examination.trailer.present


def reported_by_reader(examination: Examination) -> bool:
    return any(not finding.code.startswith("trailer.") for finding in examination.findings)


def report(snapshot: bytes, tallies: list[Tally]) -> str:
    lines = [
        f"damage to a snapshot of {len(snapshot) / 1e6:.1f} MB ({(len(snapshot) - TRAILER) // PAGE} pages)",
        f"{'what was done':<36} {'tried':>6} {'digest':>7} {'reader':>7} {'missed':>7}",
    ]
    lines += [f"{t.kind:<36} {t.tried:>6} {t.by_digest:>7} {t.by_reader:>7} {t.missed:>7}" for t in tallies]
    return "\n".join(lines)


def real_snapshot(cluster: LocalCluster, tools: StockTools, path: Path, *, keys: int) -> bytes:
    """Take a snapshot with a history: updates, deletions, leases, large values, a compaction, a defrag."""
    randomness = random.Random(3)
    with cluster.gateway() as gateway:
        gateway.call("/v3/lease/grant", {"TTL": "3600", "ID": "7"})
        put_many(gateway, randomness, range(keys))
        revision = gateway.put(b"/large", randomness.randbytes(100_000), lease=7)
        put_many(gateway, randomness, range(0, keys, 3))
        gateway.call("/v3/kv/deleterange", {"key": encoded(b"/keys/0001"), "range_end": encoded(b"/keys/0002")})
        gateway.call("/v3/kv/compaction", {"revision": str(revision), "physical": True})
        tools.etcdctl(cluster, "defrag")
        put_many(gateway, randomness, range(1, keys, 20))
    return tools.save_snapshot(cluster, path).read_bytes()


def put_many(gateway: EtcdGateway, randomness: random.Random, numbers: range) -> None:
    for start in range(0, len(numbers), 100):
        puts = [
            {
                "requestPut": {
                    "key": encoded(b"/keys/%06d" % number),
                    "value": encoded(randomness.randbytes(randomness.randrange(600))),
                }
            }
            for number in numbers[start : start + 100]
        ]
        gateway.call("/v3/kv/txn", {"success": puts})


def assert_everything_is_reported(snapshot: bytes, *, stride: int, capsys: pytest.CaptureFixture[str]) -> None:
    assert examine(snapshot, check_trailer=True).is_intact

    tallies = [tally(kind, damage, snapshot, stride=stride) for kind, damage in KINDS.items()]

    with capsys.disabled():
        print(f"\n{report(snapshot, tallies)}")
    assert [t.kind for t in tallies if t.missed or not t.tried] == []
    by_kind = {t.kind: t for t in tallies}
    for certain in ("cut at each page boundary", "cut at odd places"):
        assert by_kind[certain].by_reader >= by_kind[certain].tried - 2, "the reader alone sees a missing end"


def test_every_damage_is_reported(
    fresh_cluster: Callable[..., LocalCluster],
    stock_tools: StockTools,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Nothing that was done to a snapshot of some MB goes unnoticed; the table says who noticed."""
    snapshot = real_snapshot(fresh_cluster(size=1), stock_tools, tmp_path / "whole.db", keys=4000)

    assert_everything_is_reported(snapshot, stride=12, capsys=capsys)


@pytest.mark.matrix
@pytest.mark.every_etcd
def test_every_damage_to_every_page_is_reported(
    fresh_cluster: Callable[..., LocalCluster],
    stock_tools: StockTools,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The same for every single page, of a file of each etcd at hand."""
    snapshot = real_snapshot(fresh_cluster(size=1), stock_tools, tmp_path / "whole.db", keys=4000)

    assert_everything_is_reported(snapshot, stride=1, capsys=capsys)
