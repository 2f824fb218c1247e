"""The contract of the object store, over the fake and the real things alike.

Subjects: the fake, the fake without conditional writes, a directory, an S3 server that keeps its word (weed) and one
that ignores If-None-Match (rclone). What a subject cannot do is stated in its `Traits` and asserted as such: a store
that suddenly can is as much news as one that no longer can.
"""

from __future__ import annotations

import itertools
import threading
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from etcd_dr.adapters.stores import DirectorySettings, open_store
from etcd_dr.adapters.system_clock import SystemClock, SystemTokens
from etcd_dr.errors import ObjectExists, ObjectMissing, StoreError
from etcd_dr.ports.object_store import ObjectStore, UnfinishedUpload
from fakes.object_store import FakeObjectStore
from real.peers.s3_server import S3Server
from real.store_settings import MIB, PART_BYTES, open_bucket, s3_settings


@dataclass(frozen=True)
class Traits:
    """What differs. `has_dates_of_now`: its clock is the machine's, not a test's."""

    put_if_absent: bool = True
    orders_by_key: bool = True
    """Lists in order of the whole key, as S3 promises; weed walks a tree, so `a/b` comes before `a-b`."""
    forgets_folders_at_once: bool = True
    """A folder is gone with its last object; weed takes a few seconds."""
    can_plant: bool = True
    """Other programs can put names there that are no keys of ours."""
    has_dates_of_now: bool = True


@dataclass(frozen=True)
class Subject:
    store: ObjectStore
    traits: Traits
    plant: Callable[[str, bytes], object]
    """Write as another program would, past the port."""


def _fake(request: pytest.FixtureRequest) -> Subject:
    store = FakeObjectStore()
    return Subject(store, Traits(has_dates_of_now=False), store.plant)


def _fake_without_conditional_writes(request: pytest.FixtureRequest) -> Subject:
    store = FakeObjectStore(put_if_absent=False)
    return Subject(store, Traits(put_if_absent=False, has_dates_of_now=False), store.plant)


def _directory(request: pytest.FixtureRequest) -> Subject:
    root: Path = request.getfixturevalue("tmp_path")

    def plant(name: str, body: bytes) -> None:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(body)

    return Subject(open_store(DirectorySettings(root), clock=SystemClock(), tokens=SystemTokens()), Traits(), plant)


def _s3(server: S3Server, traits: Traits, request: pytest.FixtureRequest) -> Subject:
    bucket = server.make_bucket(f"contract-{uuid.uuid4().hex[:12]}")
    settings = s3_settings(server, bucket, request.getfixturevalue("tmp_path"))
    client = server.client()
    return Subject(
        open_bucket(settings),
        traits,
        lambda key, body: client.put_object(Bucket=bucket, Key=key, Body=body),
    )


def _weed(request: pytest.FixtureRequest) -> Subject:
    return _s3(
        request.getfixturevalue("s3_server"), Traits(orders_by_key=False, forgets_folders_at_once=False), request
    )


def _rclone(request: pytest.FixtureRequest) -> Subject:
    traits = Traits(put_if_absent=False, can_plant=False)
    return _s3(request.getfixturevalue("lying_s3_server"), traits, request)


_SUBJECTS = {
    "fake": _fake,
    "fake-without-conditions": _fake_without_conditional_writes,
    "directory": _directory,
    "weed": _weed,
    "rclone": _rclone,
}


@pytest.fixture(params=[pytest.param(name, marks=pytest.mark.xdist_group(f"store-{name}")) for name in _SUBJECTS])
def subject(request: pytest.FixtureRequest) -> Iterator[Subject]:
    made = _SUBJECTS[request.param](request)
    yield made
    made.store.close()


@pytest.fixture
def store(subject: Subject) -> ObjectStore:
    return subject.store


def body_of(size: int) -> bytes:
    """Bytes that differ everywhere, so that a part in the wrong place shows."""
    return b"".join(number.to_bytes(8, "big") for number in range(size // 8 + 1))[:size]


def read_all(store: ObjectStore, key: str) -> bytes:
    with store.read(key) as chunks:
        return b"".join(chunks)


def upload(store: ObjectStore, key: str, body: bytes, *, chunk: int = 300_001) -> None:
    """Upload in pieces that fit no part."""
    pending = store.begin_upload(key)
    for start in range(0, len(body), chunk):
        pending.write(memoryview(body)[start : start + chunk])
    pending.commit()


def keys(store: ObjectStore, prefix: str = "") -> list[str]:
    return [found.key for found in store.list(prefix)]


def test_what_is_put_can_be_got_read_headed_and_listed(subject: Subject) -> None:
    """All ways to an object tell the same of it."""
    store = subject.store
    before = datetime.now(UTC) - timedelta(seconds=5)

    put = store.put("v1/prod/cluster.json", b'{"a": 1}', if_absent=False)

    (listed,) = store.list("v1/")
    headed = store.head("v1/prod/cluster.json")
    assert store.get("v1/prod/cluster.json", limit_bytes=8) == read_all(store, "v1/prod/cluster.json") == b'{"a": 1}'
    assert {(o.key, o.size_bytes) for o in (put, headed, listed)} == {("v1/prod/cluster.json", 8)}
    if subject.traits.has_dates_of_now:
        after = datetime.now(UTC) + timedelta(seconds=5)
        assert all(before < o.modified_at < after for o in (put, headed, listed))
    assert all(o.modified_at.tzinfo is not None for o in (put, headed, listed))


def test_put_if_absent_refuses_a_taken_key(store: ObjectStore) -> None:
    """The second put raises ObjectExists and changes nothing, with or without conditional writes."""
    store.put("v1/marker", b"first", if_absent=True)

    with pytest.raises(ObjectExists) as raised:
        store.put("v1/marker", b"second", if_absent=True)

    assert store.get("v1/marker", limit_bytes=100) == b"first"
    assert raised.value.subject == store.url("v1/marker")


def test_plain_put_replaces(store: ObjectStore) -> None:
    """Without `if_absent` the last writer wins."""
    store.put("v1/marker", b"first", if_absent=False)

    store.put("v1/marker", b"second one", if_absent=False)

    assert store.get("v1/marker", limit_bytes=100) == b"second one"
    assert store.head("v1/marker").size_bytes == 10


def test_guarantees_say_what_the_store_does(subject: Subject) -> None:
    """The probe sees whether conditional writes are honoured, explains it, and leaves nothing to be listed."""
    seen = subject.store.guarantees()

    assert seen.put_if_absent is subject.traits.put_if_absent
    assert len(seen.detail) > 20
    assert subject.store.guarantees() is seen or subject.store.guarantees() == seen
    assert keys(subject.store) == []
    assert list(subject.store.list_folders("")) == []


def test_of_racing_writers_one_wins_where_that_is_guaranteed(subject: Subject) -> None:
    """Twelve writers of one key at once: exactly one winner, whose bytes stay. Elsewhere at least one wins."""
    start = threading.Barrier(12)
    subject.store.guarantees()

    def write(number: int) -> int | None:
        start.wait()
        try:
            subject.store.put("v1/race", b"%d" % number, if_absent=True)
        except ObjectExists:
            return None
        return number

    with ThreadPoolExecutor(12) as threads:
        winners = [number for number in threads.map(write, range(12)) if number is not None]

    assert winners
    if subject.traits.put_if_absent:
        assert len(winners) == 1
        assert subject.store.get("v1/race", limit_bytes=10) == b"%d" % winners[0]


@pytest.mark.parametrize("size", [0, 1, PART_BYTES - 1, PART_BYTES, PART_BYTES + 1, 3 * PART_BYTES + 17])
def test_upload_of_any_size_is_read_back(store: ObjectStore, size: int) -> None:
    """Sizes around the part boundaries, written in pieces that fit none of them."""
    body = body_of(size)

    upload(store, "v1/prod/data", body)

    assert store.head("v1/prod/data").size_bytes == size
    assert read_all(store, "v1/prod/data") == body


def test_upload_does_not_keep_the_callers_buffer(store: ObjectStore) -> None:
    """The buffer may be filled anew as soon as `write` returned."""
    buffer = bytearray(MIB)
    pending = store.begin_upload("v1/data")

    for number in range(12):
        buffer[:] = bytes([number]) * MIB
        pending.write(buffer)
    pending.commit()

    assert read_all(store, "v1/data") == b"".join(bytes([number]) * MIB for number in range(12))


def test_upload_is_invisible_until_committed(subject: Subject) -> None:
    """Whatever was written already, no reader sees a part of it; the sweep does."""
    store = subject.store
    pending = store.begin_upload("v1/prod/data")

    pending.write(body_of(PART_BYTES + 5))

    assert keys(store) == []
    with pytest.raises(ObjectMissing):
        store.head("v1/prod/data")
    assert [found.key for found in store.unfinished_uploads("")] == ["v1/prod/data"]
    pending.abort()


def test_aborted_upload_leaves_nothing(store: ObjectStore) -> None:
    """Neither an object nor an unfinished upload; a second abort is no error."""
    pending = store.begin_upload("v1/prod/data")
    pending.write(body_of(2 * PART_BYTES))

    pending.abort()
    pending.abort()

    assert keys(store) == []
    assert list(store.unfinished_uploads("")) == []


@pytest.mark.parametrize("size", [10, PART_BYTES + 10])
def test_upload_never_replaces_an_object(store: ObjectStore, size: int) -> None:
    """Commit raises ObjectExists, abort is safe afterwards, and the first object is untouched."""
    store.put("v1/data", b"first", if_absent=True)
    pending = store.begin_upload("v1/data")
    pending.write(body_of(size))

    with pytest.raises(ObjectExists):
        pending.commit()
    pending.abort()

    assert store.get("v1/data", limit_bytes=10) == b"first"
    assert list(store.unfinished_uploads("")) == []


def test_an_ended_upload_takes_nothing_more(store: ObjectStore) -> None:
    """Writing to a committed or aborted upload is an error, not a silent loss."""
    committed, aborted = store.begin_upload("v1/a"), store.begin_upload("v1/b")
    committed.commit()
    aborted.abort()

    for ended, action in itertools.product((committed, aborted), ("write", "commit")):
        with pytest.raises(StoreError):
            ended.write(b"more") if action == "write" else ended.commit()


def test_abort_after_commit_keeps_the_object(store: ObjectStore) -> None:
    """`abort` in a finally block must not undo a success."""
    pending = store.begin_upload("v1/data")
    pending.write(b"whole")
    pending.commit()

    pending.abort()

    assert store.get("v1/data", limit_bytes=10) == b"whole"


def test_unfinished_uploads_are_found_below_their_prefix_and_ended(store: ObjectStore) -> None:
    """They name key and beginning, only those asked for are listed, and ending one twice is no error."""
    for cluster in ("prod", "test"):
        store.begin_upload(f"v1/{cluster}/data").write(body_of(PART_BYTES))

    (found,) = store.unfinished_uploads("v1/prod/")
    store.abort_unfinished(found)
    store.abort_unfinished(found)

    assert isinstance(found, UnfinishedUpload)
    assert found.key == "v1/prod/data"
    assert found.begun_at.tzinfo is not None
    assert [left.key for left in store.unfinished_uploads("")] == ["v1/test/data"]
    assert keys(store) == []


def test_missing_objects_are_missing_to_every_reader(store: ObjectStore) -> None:
    """head, get and read raise ObjectMissing, naming the object; so does a folder's name."""
    store.put("v1/prod/cluster.json", b"{}", if_absent=True)

    for key, ask in itertools.product(
        ("v1/prod/nothing", "v1/prod", "v1/prod/cluster.json/deeper", "v2"),
        (store.head, lambda key: store.get(key, limit_bytes=10), lambda key: read_all(store, key)),
    ):
        with pytest.raises(ObjectMissing) as raised:
            ask(key)
        assert raised.value.subject == store.url(key)


def test_get_refuses_what_is_larger_than_expected(store: ObjectStore) -> None:
    """A manifest of a gigabyte is not read into memory."""
    store.put("v1/manifest.json", b"x" * 1001, if_absent=True)

    with pytest.raises(StoreError) as raised:
        store.get("v1/manifest.json", limit_bytes=1000)

    assert not isinstance(raised.value, ObjectMissing)
    assert len(store.get("v1/manifest.json", limit_bytes=1001)) == 1001


def test_read_yields_bounded_chunks(store: ObjectStore) -> None:
    """No chunk is empty or larger than 1 MiB, and leaving early is allowed."""
    store.put("v1/data", body_of(3 * MIB + 1), if_absent=True)

    with store.read("v1/data") as chunks:
        sizes = [len(chunk) for chunk in chunks]
    with store.read("v1/data") as chunks:
        next(chunks)

    assert sum(sizes) == 3 * MIB + 1
    assert all(0 < size <= MIB for size in sizes)


def test_list_is_in_order_of_key_and_only_below_the_prefix(store: ObjectStore) -> None:
    """A prefix is text, not a folder; neighbours that merely begin alike are told apart by the slash."""
    names = ["v1/prod/a", "v1/prod/b/c", "v1/prod/b/d", "v1/prod2/a", "v1/test/a"]
    for name in reversed(names):
        store.put(name, b"x", if_absent=True)

    assert keys(store) == names
    assert keys(store, "v1/prod/") == names[:3]
    assert keys(store, "v1/prod") == names[:4]
    assert keys(store, "v1/prod/b/d") == ["v1/prod/b/d"]
    assert keys(store, "v9/") == []


def test_order_is_that_of_whole_keys(subject: Subject) -> None:
    """The slash has no special place: `a-b` comes before `a/b`, as in S3."""
    for name in ("a/b", "a-b", "a.b/c"):
        subject.store.put(f"v1/x{name}", b"x", if_absent=True)

    listed = keys(subject.store)

    assert (listed == sorted(listed)) is subject.traits.orders_by_key


def test_folders_are_those_directly_below_with_objects_in_them(store: ObjectStore) -> None:
    """Objects beside them are no folders, deeper folders do not count, and an emptied one is gone."""
    for name in ("v1/prod/snapshots/one/data", "v1/prod/snapshots/two/x/y", "v1/prod/snapshots/file", "v1/test/a"):
        store.put(name, b"x", if_absent=True)

    assert list(store.list_folders("v1/prod/snapshots/")) == ["one", "two"]
    assert list(store.list_folders("v1/")) == ["prod", "test"]
    assert list(store.list_folders("")) == ["v1"]
    assert list(store.list_folders("v9/")) == []


def test_folder_goes_with_its_last_object(subject: Subject) -> None:
    """A folder is nothing but the names below it."""
    if not subject.traits.forgets_folders_at_once:
        pytest.skip("this server removes emptied folders some seconds later")
    for name in ("v1/one/data", "v1/two/x/y"):
        subject.store.put(name, b"x", if_absent=True)

    subject.store.delete("v1/two/x/y")

    assert list(subject.store.list_folders("v1/")) == ["one"]


def test_deleting_twice_is_no_error(store: ObjectStore) -> None:
    """Missing is success, for a key, a folder, and a key below an object; nothing else goes away."""
    store.put("v1/prod/data", b"x", if_absent=True)
    store.put("v1/prod/kept", b"x", if_absent=True)

    for key in ("v1/prod/data", "v1/prod/data", "v1/prod", "v1/prod/kept/deeper", "never/was"):
        store.delete(key)

    assert keys(store) == ["v1/prod/kept"]


def test_a_deleted_key_may_be_written_again(store: ObjectStore) -> None:
    """Deletion leaves nothing that put-if-absent would trip over."""
    store.put("v1/pin.json", b"one", if_absent=True)
    store.delete("v1/pin.json")

    store.put("v1/pin.json", b"two", if_absent=True)

    assert store.get("v1/pin.json", limit_bytes=10) == b"two"


@pytest.mark.parametrize(
    "key",
    ["", "/etc/passwd", "v1//data", "v1/../../etc", "v1/./data", ".uploads/x", "v1/", "a\nb", "\u202egnp", "x" * 300],
)
def test_names_that_are_no_keys_are_refused(store: ObjectStore, key: str) -> None:
    """Every operation refuses a hostile name before it touches anything."""
    for act in (
        lambda: store.put(key, b"x", if_absent=False),
        lambda: store.begin_upload(key),
        lambda: store.get(key, limit_bytes=10),
        lambda: store.head(key),
        lambda: read_all(store, key),
        lambda: store.delete(key),
    ):
        with pytest.raises(StoreError) as raised:
            act()
        assert type(raised.value) is StoreError


def test_foreign_names_are_left_alone(subject: Subject) -> None:
    """Hidden and impossible names of other programs are neither listed nor in the way."""
    if not subject.traits.can_plant:
        pytest.skip("this server maps keys to paths and takes no odd names")
    subject.store.put("v1/prod/data", b"x", if_absent=True)

    for name in ("v1/prod/.nfs000123", ".hidden/file", "v1/prod/new\nline"):
        subject.plant(name, b"not ours")

    assert keys(subject.store) == ["v1/prod/data"]
    assert list(subject.store.list_folders("")) == ["v1"]


def test_names_of_other_tools_can_be_read(store: ObjectStore) -> None:
    """Blanks, colons, plus signs and letters of any script are keys like others; import depends on it."""
    for name in ("k3s/on demand+1:2 (x)=y", "größe/快照.db"):
        store.put(name, b"x", if_absent=True)

    assert keys(store) == ["größe/快照.db", "k3s/on demand+1:2 (x)=y"] or keys(store) == sorted(keys(store))
    assert all(store.get(name, limit_bytes=1) == b"x" for name in keys(store))


def test_one_store_serves_several_threads(store: ObjectStore) -> None:
    """Uploads, puts and lists from eight threads at once do not disturb one another."""

    def work(number: int) -> bool:
        body = body_of(40_000 + number)
        upload(store, f"v1/t{number}/data", body, chunk=9_001)
        store.put(f"v1/t{number}/manifest.json", b"%d" % number, if_absent=True)
        return read_all(store, f"v1/t{number}/data") == body and len(keys(store, f"v1/t{number}/")) == 2

    with ThreadPoolExecutor(8) as threads:
        assert all(threads.map(work, range(16)))

    assert len(keys(store)) == 32


def test_url_names_the_store_and_the_object(store: ObjectStore) -> None:
    """An object's URL is the store's, followed by the key."""
    assert store.url("v1/data") == store.url().rstrip("/") + "/v1/data"


def test_close_may_be_called_twice(store: ObjectStore) -> None:
    """Closing is safe to repeat."""
    store.close()
    store.close()
