"""Each kind of damage has a code of its own, says where it is, and keeps wrong numbers from being stated."""

from __future__ import annotations

import struct
from collections.abc import Callable

import pytest

from etcd_dr.boltdb import MAX_FINDINGS, examine, iter_records
from etcd_dr.domain.database import DamageSeverity
from etcd_dr.errors import SnapshotDamaged
from fakes.bolt_file import BRANCH, FREELIST, LEAF, BoltFile, Content, Shape
from fakes.etcd_history import EtcdHistory, key_value, revision_key

SHAPE = Shape(leaf_records=4, branch_children=4, free_pages=3)
KEY = b"key"


def whole_file(shape: Shape = SHAPE) -> BoltFile:
    history = EtcdHistory()
    for number in range(60):
        history.put(b"/key/%02d" % number, bytes(30))
    return BoltFile(history.buckets(), shape)


def leaf(file: BoltFile, index: int = 3) -> int:
    return file.leaves(KEY)[index]


def branch(file: BoltFile, index: int = 1) -> int:
    return file.branches(KEY)[index]


def patch(file: BoltFile, at: int, raw: bytes) -> None:
    file.data[at : at + len(raw)] = raw


def swap_elements(file: BoltFile, page: int) -> None:
    """Exchange two keys in place, so that layout stays right and order does not."""
    view = file.page(page)
    first, second = view.key_offset(0), view.key_offset(1)
    a, b = file.data[first : first + 17], file.data[second : second + 17]
    patch(file, first, bytes(b))
    patch(file, second, bytes(a))


def grow_last_value(file: BoltFile, page: int) -> None:
    view = file.page(page)
    flags, position, key_size, _ = view.element(view.count - 1)
    view.set_element(view.count - 1, flags, position, key_size, 5000)


def overlap(file: BoltFile, page: int) -> None:
    view = file.page(page)
    flags, position, key_size, value_size = view.element(1)
    view.set_element(1, flags, position - 10, key_size, value_size)


LOSSES: dict[str, tuple[str, Callable[[BoltFile], object]]] = {
    "leaf zeroed": ("page.self_id", lambda f: patch(f, leaf(f) * 4096, bytes(4096))),
    "leaf of another type": ("page.type", lambda f: setattr(f.page(leaf(f)), "flags", FREELIST)),
    "two types at once": ("page.type", lambda f: setattr(f.page(leaf(f)), "flags", BRANCH | LEAF)),
    "wrong self id": ("page.self_id", lambda f: setattr(f.page(leaf(f)), "page_id", 9999)),
    "count beyond the page": ("page.count", lambda f: setattr(f.page(leaf(f)), "count", 60_000)),
    "count below the table": ("page.count", lambda f: setattr(f.page(leaf(f)), "count", 2)),
    "branch count below the table": ("page.count", lambda f: setattr(f.page(branch(f)), "count", 2)),
    "leaf emptied": ("page.empty", lambda f: setattr(f.page(leaf(f)), "count", 0)),
    "overflow beyond the file": ("page.overflow", lambda f: setattr(f.page(leaf(f)), "overflow", 0xFFFFFFFF)),
    "overflow over a neighbour": ("page.shared", lambda f: setattr(f.page(leaf(f)), "overflow", 1)),
    "element beyond the page": ("element.bounds", lambda f: grow_last_value(f, leaf(f))),
    "elements that overlap": ("element.overlap", lambda f: overlap(f, leaf(f))),
    "child far outside": ("page.out_of_bounds", lambda f: f.page(branch(f)).set_element(1, *f.page(branch(f)).element(1)[:2], 1 << 63)),
    "child is a meta page": ("page.out_of_bounds", lambda f: f.page(branch(f)).set_element(1, *f.page(branch(f)).element(1)[:2], 1)),
    "child twice": ("page.shared", lambda f: f.page(branch(f)).set_element(1, *f.page(branch(f)).element(1)[:2], leaf(f, 0))),
    "child is its own parent": ("page.shared", lambda f: f.page(branch(f)).set_element(1, *f.page(branch(f)).element(1)[:2], branch(f))),
    "end cut off": ("file.truncated", lambda f: f.data.__delitem__(slice(-4096, None))),
    "end cut off inside a page": ("file.truncated", lambda f: f.data.__delitem__(slice(-100, None))),
    "both metas zeroed": ("meta.magic", lambda f: patch(f, 0, bytes(8192))),
    "root beyond the file": ("meta.root", lambda f: [f.write_meta(n, root=f.high_water) for n in (0, 1)]),
    "unknown version": ("meta.version", lambda f: [f.write_meta(n, version=3) for n in (0, 1)]),
    "absurd page size": ("meta.page_size", lambda f: [f.write_meta(n, page_size=1 << 31) for n in (0, 1)]),
    "page size of no power": ("meta.page_size", lambda f: [f.write_meta(n, page_size=4097) for n in (0, 1)]),
    "key of 16 bytes": ("key.malformed", lambda f: f.page(leaf(f)).set_element(0, *_resized(f, leaf(f), 16))),
    "no separator in a key": ("key.malformed", lambda f: patch(f, f.page(leaf(f)).key_offset(0) + 8, b"-")),
    "negative revision": ("key.malformed", lambda f: patch(f, f.page(leaf(f)).key_offset(1), b"\xff")),
    "bucket among records": ("record.bucket", lambda f: f.page(leaf(f)).set_element(0, 1, *f.page(leaf(f)).element(0)[1:])),
}  # fmt: skip

ERRORS: dict[str, tuple[str, Callable[[BoltFile], object]]] = {
    "records out of order": ("key.order", lambda f: swap_elements(f, leaf(f))),
    "separators out of order": ("key.order", lambda f: swap_elements(f, branch(f))),
    "separator above its page": ("key.order", lambda f: patch(f, f.page(branch(f)).key_offset(1) + 7, b"\xf0")),
    "record below its separator": ("key.order", lambda f: patch(f, f.page(leaf(f)).key_offset(0) + 6, b"\x00\x01")),
    "record above the next separator": ("key.order", lambda f: patch(f, f.page(leaf(f)).key_offset(3) + 6, b"\x01\x01")),
    "separator is no revision": ("key.malformed", lambda f: patch(f, f.page(branch(f)).key_offset(1) + 8, b"-")),
    "unknown element flag": ("element.flags", lambda f: f.page(leaf(f)).set_element(0, 8, *f.page(leaf(f)).element(0)[1:])),
    "record that is no protobuf": ("record.malformed", lambda f: patch(f, f.page(leaf(f)).key_offset(0) + 17, b"\x0f")),
    "record whose key runs over": ("record.malformed", lambda f: patch(f, f.page(leaf(f)).key_offset(0) + 18, b"\x7f")),
    "record of another revision": ("record.implausible", lambda f: patch(f, f.page(leaf(f)).key_offset(0) + 17 + 12, b"\x01")),
}  # fmt: skip

WARNINGS: dict[str, tuple[str, Callable[[BoltFile], object]]] = {
    "first meta zeroed": ("meta.magic", lambda f: patch(f, 0, bytes(4096))),
    "second meta zeroed": ("meta.magic", lambda f: patch(f, 4096, bytes(4096))),
    "bit in the newer meta": ("meta.checksum", lambda f: patch(f, 16 + 24, b"\x55")),
    "meta page with a wrong id": ("page.self_id", lambda f: setattr(f.page(1), "page_id", 5)),
    "meta page with a wrong type": ("page.type", lambda f: setattr(f.page(0), "flags", LEAF)),
    "bytes before the trailer": ("file.excess", lambda f: f.data.extend(bytes(4096))),
}


def _resized(file: BoltFile, page: int, key_size: int) -> list[int]:
    flags, position, old, value_size = file.page(page).element(0)
    return [flags, position, key_size, value_size + old - key_size]


def codes(file: BoltFile, severity: DamageSeverity) -> set[str]:
    return {finding.code for finding in examine(file.sealed()).findings if finding.severity is severity}


@pytest.mark.parametrize(("code", "bend"), LOSSES.values(), ids=LOSSES.keys())
def test_damage_that_hides_records_is_an_error_without_numbers(code: str, bend: Callable[[BoltFile], object]) -> None:
    """Where records could not be read there is no status at all."""
    file = whole_file()

    bend(file)

    assert code in codes(file, DamageSeverity.ERROR)
    assert examine(file.sealed()).status is None
    assert not examine(file.sealed()).is_intact


@pytest.mark.parametrize(("code", "bend"), ERRORS.values(), ids=ERRORS.keys())
def test_damage_to_what_could_be_read_is_an_error_with_numbers(code: str, bend: Callable[[BoltFile], object]) -> None:
    """Every record was read, so etcd's hash can be stated; live keys and HashKV cannot."""
    file = whole_file()

    bend(file)

    examination = examine(file.sealed(), with_hash_kv=True)
    assert code in codes(file, DamageSeverity.ERROR)
    assert not examination.is_intact
    assert examination.status is not None
    assert (examination.status.live_key_count, examination.status.hash_kv) == (None, None)


@pytest.mark.parametrize(("code", "bend"), WARNINGS.values(), ids=WARNINGS.keys())
def test_damage_that_costs_nothing_is_a_warning(code: str, bend: Callable[[BoltFile], object]) -> None:
    """One sound meta is enough, and the numbers are those of the undamaged file."""
    file, undamaged = whole_file(), examine(whole_file().sealed()).status
    assert undamaged is not None

    bend(file)

    examination = examine(file.sealed())
    assert codes(file, DamageSeverity.WARNING) == {code}
    assert examination.is_intact
    assert examination.status is not None
    assert examination.status.status_hash == undamaged.status_hash


def test_findings_say_where() -> None:
    """A finding names bucket and page, so that a person can look."""
    file = whole_file()
    file.page(leaf(file)).flags = 0

    [finding] = [finding for finding in examine(file.sealed()).findings if finding.code == "page.type"]

    assert finding.where == f"bucket key, page {leaf(file)}"


def test_neighbours_of_a_damaged_page_are_still_checked() -> None:
    """One damaged page does not hide the next one."""
    file = whole_file()
    file.page(leaf(file, 2)).flags = 0
    file.page(leaf(file, 7)).page_id = 1

    assert {"page.type", "page.self_id"} <= codes(file, DamageSeverity.ERROR)


def test_findings_are_bounded_and_counted() -> None:
    """However much is wrong, the list stays short and the rest is counted; errors are never crowded out."""
    history = EtcdHistory()
    for number in range(2000):
        history.put(b"/key/%04d" % number)
    buckets = history.buckets()
    for key in list(buckets[KEY])[::2]:
        buckets[KEY][key] = b"\xff"

    examination = examine(BoltFile(buckets).sealed())

    assert len(examination.findings) <= MAX_FINDINGS
    assert examination.suppressed_finding_count + len(examination.findings) == 1000
    assert not examination.is_intact


def test_layout_of_another_writer_is_read_with_a_warning() -> None:
    """Elements with gaps between table and data are sound, and give the same numbers."""
    plain, padded = whole_file(), whole_file(Shape(leaf_records=4, branch_children=4, padding=5))

    examinations = [examine(file.sealed(), with_hash_kv=True) for file in (plain, padded)]

    assert {finding.code for finding in examinations[1].findings} == {"page.layout"}
    assert examinations[1].is_intact
    statuses = [examination.status for examination in examinations]
    assert statuses[0] is not None
    assert statuses[1] is not None
    assert statuses[0].status_hash == statuses[1].status_hash
    assert statuses[0].hash_kv == statuses[1].hash_kv
    assert statuses[0].live_key_count == statuses[1].live_key_count == 60


@pytest.mark.parametrize(
    ("bend", "code"),
    [
        (lambda entries, file: [*entries, leaf(file)], "freelist.reachable"),
        (lambda entries, _: [*entries, entries[0]], "freelist.double"),
        (lambda entries, _: entries[1:], "freelist.leaked"),
        (lambda entries, _: [*entries, 1 << 40], "freelist.bounds"),
        (lambda entries, _: [*entries, 0], "freelist.bounds"),
    ],
)
def test_synced_freelist_must_be_exact(bend: Callable[..., list[int]], code: str) -> None:
    """A page twice, in use, outside, or neither free nor in use is an error, as bbolt's own check has it."""
    file = whole_file(Shape(leaf_records=4, free_pages=3, synced_freelist=True))
    page = file.page(file.freelist)
    entries = bend(list(file.free), file)

    patch(file, page.offset + 16, struct.pack(f"<{len(entries)}Q", *entries))
    page.count = len(entries)

    assert codes(file, DamageSeverity.ERROR) == {code}
    assert examine(file.sealed()).status is not None


def test_long_freelist_has_its_count_in_the_first_entry() -> None:
    """From 65535 entries on the page's own count is a mark; an absurd real count is an error."""
    file = BoltFile(EtcdHistory().buckets(), Shape(page_size=1024, synced_freelist=True, free_pages=0))
    page = file.page(file.freelist)
    page.count = 0xFFFF

    patch(file, page.offset + 16, struct.pack("<Q", 0))
    assert examine(file.sealed()).is_intact

    patch(file, page.offset + 16, struct.pack("<Q", 1 << 60))
    assert codes(file, DamageSeverity.ERROR) == {"freelist.count"}


MALFORMED: dict[str, dict[bytes, Content | bytes]] = {
    "member is no JSON": {b"members": {b"2f": b"{"}},
    "member is JSON of another kind": {b"members": {b"2f": b"[1]"}},
    "member nested beyond reason": {b"members": {b"2f": b"[" * 100_000}},
    "member of another id": {b"members": {b"2f": b'{"id": 1}'}},
    "member with a number as name": {b"members": {b"2f": b'{"id": 47, "name": 1}'}},
    "member key is no id": {b"members": {b"self": b'{"id": 1}'}},
    "removed member key is no id": {b"members_removed": {b"/2f": b"removed"}},
    "alarm is no protobuf": {b"alarm": {b"\x0f": b""}},
    "auth neither on nor off": {b"auth": {b"authEnabled": b"yes"}},
    "user is no protobuf": {b"authUsers": {b"root": b"\x0b"}},
    "version is none": {b"cluster": {b"clusterVersion": b"new"}},
    "lease of another id": {b"lease": {(1).to_bytes(8): b"\x08\x02"}},
    "lease key too short": {b"lease": {b"\x01": b"\x08\x01"}},
    "term of four bytes": {b"meta": {b"term": bytes(4)}},
    "compaction at no revision": {b"meta": {b"scheduledCompactRev": b"100"}},
    "storage version is binary": {b"meta": {b"storageVersion": b"\xff\xfe"}},
}


@pytest.mark.parametrize("change", MALFORMED.values(), ids=MALFORMED.keys())
def test_malformed_records_of_small_buckets_are_errors(change: dict[bytes, Content | bytes]) -> None:
    """What etcd itself could not read makes the file not intact, and the finding names bucket and key."""
    file = BoltFile({**EtcdHistory().buckets(), **change})

    [finding] = examine(file.sealed()).findings

    assert finding.code == "record.malformed"
    assert finding.where.startswith(f"bucket {next(iter(change)).decode()}, ")


@pytest.mark.parametrize(
    ("stored", "code"),
    [
        (key_value(b"/a", create=2, mod=3, version=1), "record.implausible"),
        (key_value(b"/a", create=3, mod=2, version=1), "record.implausible"),
        (key_value(b"/a", create=2, mod=2, version=-1), "record.implausible"),
        (key_value(b"/a"), "record.implausible"),
        (key_value(b"/a") * 2 + key_value(b"", create=2, mod=2, version=1), "record.malformed"),
        (key_value(b"", create=2, mod=2, version=1), "record.malformed"),
        (key_value(b"/a", create=2, mod=2, version=1)[:-1], "record.malformed"),
        (key_value(b"/a", create=2, mod=2, version=1) + b"\x2a\x05ab", "record.malformed"),
        (key_value(b"/a", create=2, mod=2, version=1) + b"\x33", "record.malformed"),
    ],
)
def test_key_values_must_be_what_etcd_writes(stored: bytes, code: str) -> None:
    """A record must parse, have a key, and agree with the revision it is stored under."""
    file = BoltFile({**EtcdHistory().buckets(), KEY: {revision_key(2, 0): stored}})

    [finding] = examine(file.sealed()).findings

    assert finding.code == code
    assert "revision 2_0" in finding.where


def test_one_revision_stored_twice_is_out_of_order() -> None:
    """A put and a deletion at the same revision cannot both be: bytewise they are in order all the same."""
    stored = key_value(b"/a", create=2, mod=2, version=1)
    content = {revision_key(2, 0): stored, revision_key(2, 0) + b"t": key_value(b"/a")}

    [finding] = examine(BoltFile({**EtcdHistory().buckets(), KEY: content}).sealed()).findings

    assert finding.code == "key.order"


def test_file_of_another_program_is_named_as_such() -> None:
    """A sound bbolt file without the bucket `key` is no database of etcd; records in the root are none of its own."""
    other = examine(BoltFile({b"blobs": {b"a": b"1"}}).sealed())
    rooted = examine(BoltFile({**EtcdHistory().buckets(), b"zz": b"loose"}).sealed())

    assert [finding.code for finding in other.findings] == ["bucket.missing"]
    assert [finding.code for finding in rooted.findings] == ["root.record"]


def test_nested_buckets_are_checked_to_the_last_page() -> None:
    """etcd has none; where there are, their pages count as in use and their damage is found."""
    content = {
        **EtcdHistory().buckets(),
        b"outer": {b"inner": {b"%04d" % n: bytes(50) for n in range(200)}, b"z": b"1"},
    }
    whole, bent = BoltFile(content, SHAPE), BoltFile(content, SHAPE)
    bent.page(bent.leaves(b"outer/inner")[3]).flags = 0

    assert examine(whole.sealed()).is_intact
    assert "page.type" in codes(bent, DamageSeverity.ERROR)


def test_missing_trailer_is_a_warning_and_a_wrong_one_an_error() -> None:
    """A database from a data directory has none; one that does not match means other bytes than were sent."""
    file = whole_file()

    bare = examine(file.raw(), check_trailer=True)
    wrong = examine(file.raw() + bytes(32), check_trailer=True)
    unchecked = examine(file.raw() + bytes(32))

    assert ([finding.code for finding in bare.findings], bare.is_intact) == (["trailer.absent"], True)
    assert ([finding.code for finding in wrong.findings], wrong.is_intact) == (["trailer.mismatch"], False)
    assert unchecked.trailer.matches is None
    assert unchecked.is_intact


def test_records_are_listed_until_the_damage() -> None:
    """Listing a bucket gives its records in order and ends with an error where the structure does."""
    file = whole_file()
    records = list(iter_records(file.sealed(), KEY))
    file.page(leaf(file)).flags = 0

    assert [key for key, _ in records] == sorted(key for key, _ in records)
    assert len(records) == 60
    assert list(iter_records(file.sealed(), b"nothing")) == []
    with pytest.raises(SnapshotDamaged):
        list(iter_records(file.sealed(), KEY))
