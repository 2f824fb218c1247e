"""The knobs of the fake do what their names say; its contract is checked with everybody else's."""

from __future__ import annotations

from datetime import timedelta

import pytest

from etcd_dr.errors import ObjectLocked, ObjectMissing, StoreDenied, StoreFull, StoreUnreachable
from fakes.object_store import BEGINNING, FakeObjectStore


@pytest.fixture
def store() -> FakeObjectStore:
    return FakeObjectStore()


def test_planned_failure_happens_once(store: FakeObjectStore) -> None:
    """The next call fails, the one after does not."""
    store.fail("put", StoreDenied("no"))

    with pytest.raises(StoreDenied):
        store.put("a", b"", if_absent=True)
    store.put("a", b"", if_absent=True)

    assert store.keys == ["a"]


def test_upload_dies_at_a_given_byte_and_stays_unfinished(store: FakeObjectStore) -> None:
    """What was written before is listed as unfinished and invisible."""
    store.faults.upload_dies_after_bytes = 10
    upload = store.begin_upload("a")
    upload.write(b"0123456789")

    with pytest.raises(StoreUnreachable):
        upload.write(b"x")

    assert store.keys == []
    assert [found.key for found in store.unfinished_uploads("")] == ["a"]


def test_full_store_counts_what_is_in_flight(store: FakeObjectStore) -> None:
    """Objects and open uploads share the capacity."""
    store.faults.capacity_bytes = 10
    store.put("a", b"12345", if_absent=True)

    with pytest.raises(StoreFull):
        store.begin_upload("b").write(b"123456")


def test_without_conditions_all_racing_writers_win() -> None:
    """Every writer that looked before the first one wrote gets through."""
    store = FakeObjectStore(put_if_absent=False)

    def write_meanwhile(key: str) -> None:
        store.faults.between_look_and_put = None
        store.put(key, b"other", if_absent=True)

    store.faults.between_look_and_put = write_meanwhile

    store.put("a", b"ours", if_absent=True)

    assert store.body("a") == b"ours"


def test_lock_holds_until_its_end() -> None:
    """Refused before, gone after; `head` tells the end."""
    now = [BEGINNING]
    store = FakeObjectStore(now=lambda: now[0])
    store.put("a", b"", if_absent=True)
    store.lock("a", until=BEGINNING + timedelta(days=1))

    with pytest.raises(ObjectLocked):
        store.delete("a")
    assert store.head("a").locked_until == BEGINNING + timedelta(days=1)
    now[0] += timedelta(days=2)
    store.delete("a")

    assert store.keys == []


def test_stored_bytes_can_be_damaged_and_lost(store: FakeObjectStore) -> None:
    """One bit, the tail, or everything."""
    store.put("a", b"\0\0\0", if_absent=True)

    store.flip_bit("a", offset=1, bit=3)
    assert store.body("a") == b"\0\x08\0"
    store.truncate("a", size_bytes=1)
    assert store.get("a", limit_bytes=9) == b"\0"
    store.lose("a")

    with pytest.raises(ObjectMissing):
        store.head("a")


def test_read_breaks_in_the_middle() -> None:
    """Some chunks, then StoreUnreachable."""
    store = FakeObjectStore(chunk_bytes=4)
    store.put("a", b"0123456789", if_absent=True)
    store.faults.read_breaks_after_bytes = 8

    with store.read("a") as chunks:
        assert next(chunks) + next(chunks) == b"01234567"
        with pytest.raises(StoreUnreachable):
            next(chunks)


def test_calls_are_in_order(store: FakeObjectStore) -> None:
    """For tests that the manifest is written last."""
    upload = store.begin_upload("data")
    upload.write(b"x")
    upload.commit()
    store.put("manifest.json", b"{}", if_absent=True)

    assert store.calls == [("begin_upload", "data"), ("commit", "data"), ("put", "manifest.json")]
