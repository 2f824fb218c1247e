"""Files made to hurt the reader cost it no more than their size: no hang, no crash, no flood of memory."""

from __future__ import annotations

import os
import struct
import threading
import time
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest

from etcd_dr.boltdb import examine, hash_kv, iter_records
from etcd_dr.domain.database import Examination
from etcd_dr.errors import FileUnreadable, SnapshotDamaged
from fakes.bolt_file import BRANCH, LEAF, BoltFile, Shape
from fakes.etcd_history import EtcdHistory

PAGE = 4096
MEBIBYTE = 1 << 20


@pytest.fixture(autouse=True)
def _bounded() -> Iterator[None]:
    """Every test here must stay within a few seconds and 64 MiB."""
    examine(BoltFile(EtcdHistory().buckets()).sealed())  # what is loaded once does not count
    tracemalloc.start()
    started = time.process_time()
    yield
    spent = time.process_time() - started
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert spent < 10, f"{spent:.1f} s of processor time"
    assert peak < 64 * MEBIBYTE, f"{peak / MEBIBYTE:.0f} MiB"


def codes(examination: Examination) -> set[str]:
    return {finding.code for finding in examination.errors}


def with_key_root(pages: list[bytes]) -> bytes:
    """Return a file whose bucket `key` begins at page 3; `pages` are pages 3 and following."""
    file = BoltFile({b"key": {b"x": b""}}, Shape(inline=False))
    root = file.page(file.root)
    _, position, key_size, _ = root.element(0)
    struct.pack_into("<Q", file.data, root.offset + 16 + position + key_size, file.high_water)
    shifted = b"".join(pages)
    first = file.high_water
    file.high_water += len(shifted) // PAGE
    for number in (0, 1):
        file.write_meta(number)
    assert first == 4
    return bytes(file.data) + shifted


def branch(page: int, children: list[int], key: bytes = b"k") -> bytes:
    table, data = b"", b""
    for index, child in enumerate(children):
        table += struct.pack("<IIQ", 16 * (len(children) - index) + len(data), len(key), child)
        data += key
    return (struct.pack("<QHHI", page, BRANCH, len(children), 0) + table + data).ljust(PAGE, b"\0")


def test_tree_of_a_thousand_levels_is_damage() -> None:
    """A chain of branches is given up after 64 levels."""
    chain = [branch(page, [page + 1]) for page in range(4, 1004)]

    assert "tree.depth" in codes(examine(with_key_root(chain)))


def test_cycle_between_branches_ends() -> None:
    """Pages that refer to each other are entered once."""
    assert "page.shared" in codes(examine(with_key_root([branch(4, [5]), branch(5, [4])])))


def test_fan_of_references_to_one_page_ends() -> None:
    """Two hundred references to one page do not read it two hundred times."""
    file = with_key_root([branch(4, [5] * 200), branch(5, [6] * 200), branch(6, [5] * 200)])

    examination = examine(file)

    assert "page.shared" in codes(examination)
    assert len(examination.findings) <= 200


def test_elements_that_share_bytes_are_not_read_again_and_again() -> None:
    """65535 elements of half a megabyte each in a page of two would be 32 GB: they are refused unread."""
    count, size = 65_535, 2 * MEBIBYTE
    begin = 16 + 16 * count
    table = b"".join(struct.pack("<IIII", 0, begin - 16 - 16 * index, size // 4, size // 4) for index in range(count))
    page = struct.pack("<QHHI", 4, LEAF, count, size // PAGE - 1) + table
    for bucket in (
        with_key_root([page.ljust(size, b"k")]),
        with_key_root([page.ljust(size, b"k")]).replace(b"key", b"kex"),
    ):
        assert "element.overlap" in codes(examine(bucket))


def test_nested_buckets_have_a_bottom() -> None:
    """A thousand buckets inside one another are given up after sixteen."""
    content: bytes = struct.pack("<QHHI", 0, LEAF, 0, 0)
    for _ in range(300):
        value = struct.pack("<QQ", 0, 0) + content
        content = struct.pack("<QHHI", 0, LEAF, 1, 0) + struct.pack("<IIII", 1, 16, 1, len(value)) + b"b" + value
    file = BoltFile({b"key": {}, b"nest": {b"a": bytes(20_000)}})
    leaf = file.page(file.leaves(b"nest")[0])
    value = struct.pack("<QQ", 0, 0) + content
    leaf.set_element(0, 1, 16, 1, len(value))
    file.data[leaf.offset + 33 : leaf.offset + 33 + len(value)] = value

    assert "bucket.depth" in codes(examine(file.raw()))


def test_numbers_that_overflow_are_damage() -> None:
    """Page ids, counts and sizes near 2^64 meet no arithmetic that wraps."""
    for field, value in (("high_water", (1 << 64) - 1), ("high_water", 1 << 52), ("root", (1 << 64) - 2)):
        file = BoltFile(EtcdHistory().buckets())
        for number in (0, 1):
            changes = {"high_water": (1 << 64) - 1} | {field: value}
            file.write_meta(number, **changes)

        examination = examine(file.raw())

        assert codes(examination) & {"file.truncated", "meta.root"}
        assert examination.status is None


def test_millions_of_pages_in_the_meta_cost_nothing() -> None:
    """The high-water mark is a claim; what is there is counted by the file's size."""
    file = BoltFile(EtcdHistory().buckets())
    for number in (0, 1):
        file.write_meta(number, high_water=1 << 40, page_size=4096)

    with pytest.raises(SnapshotDamaged):
        hash_kv(file.raw())


def test_flood_of_malformed_records_is_counted_not_listed() -> None:
    """Twenty thousand wrong records give a short list and a count."""
    history = EtcdHistory()
    buckets = history.buckets()
    buckets[b"key"] = {(2 + n).to_bytes(8) + b"_" + bytes(8): b"\xff" for n in range(20_000)}

    examination = examine(BoltFile(buckets).raw())

    assert len(examination.findings) < 200
    assert examination.suppressed_finding_count > 19_900


def test_flood_of_members_is_bounded() -> None:
    """Nobody has ten thousand members."""
    buckets = EtcdHistory().buckets()
    buckets[b"members_removed"] = {b"%x" % n: b"removed" for n in range(1, 30_000)}

    examination = examine(BoltFile(buckets).raw())

    assert examination.status is not None
    assert len(examination.status.removed_member_ids) == 10_000
    assert not examination.is_intact


def test_named_pipe_does_not_block(tmp_path: Path) -> None:
    """Opening a pipe without a writer is refused at once."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    refused: list[Exception] = []

    def read() -> None:
        try:
            examine(pipe)
        except FileUnreadable as error:
            refused.append(error)

    thread = threading.Thread(target=read, daemon=True)
    thread.start()
    thread.join(60)

    assert len(refused) == 1


def test_listing_a_bucket_can_be_left_early(tmp_path: Path) -> None:
    """A caller that wants a few records does not pay for the rest, and leaves no file open."""
    history = EtcdHistory()
    for number in range(3000):
        history.put(b"/key/%d" % number, bytes(100))
    path = tmp_path / "file.db"
    path.write_bytes(BoltFile(history.buckets()).sealed())

    records = iter_records(path, b"key")
    first = next(records)
    records.close()  # type: ignore[attr-defined]  # a generator

    assert first[0] == (2).to_bytes(8) + b"_" + bytes(8)
    assert path not in [each.readlink() for each in Path("/proc/self/fd").iterdir() if each.is_symlink()]
