"""A few pages tell a database's revision, applied index and term, and damage on the way is said."""

from __future__ import annotations

import pytest

from etcd_dr.boltdb.peek import Peeked, PeekFailed, peek
from fakes.bolt_file import BoltFile, Content, Shape


def revision_key(main: int, sub: int = 0) -> bytes:
    return main.to_bytes(8) + b"_" + sub.to_bytes(8)


def database(records: int, *, shape: Shape | None = None, **meta: bytes) -> BoltFile:
    content: Content = {
        b"key": {revision_key(number): b"v" * 50 for number in range(2, 2 + records)},
        b"meta": {name.encode(): value for name, value in sorted(meta.items())},
        b"members": {},
    }
    return BoltFile(content, shape) if shape is not None else BoltFile(content)


def reader(raw: bytes) -> tuple[list[tuple[int, int]], object]:
    asked: list[tuple[int, int]] = []

    def read_at(offset: int, count: int) -> bytes:
        asked.append((offset, count))
        return raw[offset : offset + count]

    return asked, read_at


def peek_at(file: BoltFile) -> Peeked:
    _, read_at = reader(file.sealed())
    return peek(read_at)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "shape",
    [
        Shape(),
        Shape(leaf_records=3, branch_children=3),
        Shape(inline=False),
        Shape(leaf_records=2, branch_children=2, uneven=True),
        Shape(page_size=1024, leaf_records=2),
        Shape(page_size=65536),
    ],
    ids=["flat", "deep", "not-inline", "uneven", "small-pages", "large-pages"],
)
def test_numbers_are_read_whatever_the_tree_looks_like(shape: Shape) -> None:
    """The last revision is at the right-hand edge, at whatever depth."""
    file = database(40, shape=shape, consistent_index=(77).to_bytes(8), term=(5).to_bytes(8))

    assert peek_at(file) == Peeked(revision=41, consistent_index=77, term=5)


def test_compaction_after_the_last_record_counts() -> None:
    """A compaction may have removed the newest records; the revision was reached all the same."""
    file = database(3, scheduledCompactRev=revision_key(900))

    assert peek_at(file).revision == 900


def test_store_without_records_is_at_revision_one() -> None:
    """As etcd has it."""
    assert peek_at(database(0)) == Peeked(revision=1, consistent_index=None, term=None)


def test_only_a_few_pages_are_read() -> None:
    """The file may be gigabytes away."""
    file = database(5000, shape=Shape(leaf_records=10, branch_children=10))
    asked, read_at = reader(file.sealed())

    peek(read_at)  # type: ignore[arg-type]

    assert len(asked) < 12
    assert sum(count for _, count in asked[1:]) < 20 * 4096


def test_page_that_is_another_one_is_damage() -> None:
    """A page must say its own number."""
    file = database(40, shape=Shape(leaf_records=3, branch_children=3))
    file.page(file.leaves(b"key")[-1]).page_id = 1

    with pytest.raises(PeekFailed, match="says that it is page 1"):
        peek_at(file)


def test_file_that_ends_early_is_damage() -> None:
    """What a full disk leaves behind."""
    file = database(400, shape=Shape(leaf_records=3, branch_children=3))
    _, read_at = reader(file.sealed()[: 3 * 4096])

    with pytest.raises(PeekFailed):
        peek(read_at)  # type: ignore[arg-type]


@pytest.mark.parametrize("raw", [b"", b"\0" * 100, b"\0" * 200_000, b"not a database" * 10_000])
def test_other_files_are_refused(raw: bytes) -> None:
    """With words, never with a number."""
    _, read_at = reader(raw)

    with pytest.raises(PeekFailed):
        peek(read_at)  # type: ignore[arg-type]


def test_database_of_another_program_is_refused() -> None:
    """bbolt is used by many."""
    with pytest.raises(PeekFailed, match="not etcd's"):
        peek_at(BoltFile({b"widgets": {b"a": b"1"}}))


def test_every_byte_may_be_wrong() -> None:
    """Whatever a byte becomes, the answer is a number or PeekFailed: no other error, and it comes to an end."""
    whole = database(30, shape=Shape(leaf_records=3, branch_children=3), term=(5).to_bytes(8)).sealed()
    for place in range(0, len(whole), 13):
        raw = bytearray(whole)
        raw[place] ^= 0xFF
        _, read_at = reader(bytes(raw))
        try:
            peek(read_at)  # type: ignore[arg-type]
        except PeekFailed:
            continue
