"""Reading a catalogue from a bucket in which anything may lie."""

from __future__ import annotations

from datetime import timedelta

import pytest

from etcd_dr.domain.catalogue import DataState
from etcd_dr.domain.manifest import canonical_json
from etcd_dr.domain.proof import ProofLevel, ProofResult
from etcd_dr.domain.selection import Latest, select
from etcd_dr.errors import ManifestInvalid, ManifestVersionUnknown, StoreUnreachable
from etcd_dr.workflows.read_catalogue import RecordCache, read_catalogue
from fakes.catalogue import moment, snapshot
from scenarios.kept_world import KeptWorld


@pytest.fixture
def world() -> KeptWorld:
    return KeptWorld()


def test_snapshots_come_in_order_of_time_with_proofs_and_pins(world: KeptWorld) -> None:
    """Oldest first, each with what is known of it."""
    later = world.plant(snapshot("2026-08-20 04:00", pinned=True))
    earlier = world.plant(snapshot("2026-08-20 03:00", state="stored"))

    found = world.catalogue.snapshots

    assert [s.id for s in found] == [earlier.id, later.id]
    assert [s.is_proven for s in found] == [False, True]
    assert [s.pin is not None for s in found] == [False, True]


@pytest.mark.parametrize(("first", "second"), [("000000000001", "ffffffffffff"), ("ffffffffffff", "000000000001")])
def test_of_two_snapshots_of_one_second_the_one_finished_later_is_newer(
    world: KeptWorld, first: str, second: str
) -> None:
    """Ids count whole seconds, and tokens are random: neither tells which of the two has the newer data."""
    older = world.plant(snapshot("2026-08-20 03:00", token=first, minutes=0.003))
    newer = world.plant(snapshot("2026-08-20 03:00", token=second, minutes=0.012))

    whole, cut = world.catalogue, read_catalogue(world.store, world.layout, newest=1)

    assert [s.id for s in whole.snapshots] == [older.id, newer.id]
    assert select(whole, Latest(verified=True)).snapshot.id == newer.id
    assert [s.id for s in cut.snapshots] == [newer.id]
    assert [decision.id for decision in world.prune(keep_last=1).removed] == [older.id]


def test_data_that_are_gone_or_cut_off_show_in_the_listing(world: KeptWorld) -> None:
    """The sizes are in the listing anyway; nobody should learn it from a failed restore."""
    planted = world.plant_days(18, 19, 20)
    world.store.lose(world.layout.data(planted[19].id))
    world.store.truncate(world.layout.data(planted[20].id), size_bytes=3)

    found = world.catalogue

    assert [s.data for s in found.snapshots] == [DataState.PRESENT, DataState.MISSING, DataState.SIZE_DIFFERS]
    assert [s.is_proven for s in found.snapshots] == [True, False, False]
    assert found.newest_proven is not None
    assert found.newest_proven.id == planted[18].id


def test_store_that_goes_away_while_manifests_are_read_is_not_asked_for_each_of_them(world: KeptWorld) -> None:
    """A thousand snapshots must not mean a thousand timeouts."""
    for hour in range(24):
        for day in (18, 19):
            world.plant(snapshot(f"2026-08-{day} {hour:02d}:00"))
    world.store.calls.clear()
    world.store.fail("get", StoreUnreachable("no answer"), times=1000)

    with pytest.raises(StoreUnreachable):
        _ = world.catalogue

    assert sum(call[0] == "get" for call in world.store.calls) <= 16


def test_empty_prefix_is_an_empty_catalogue(world: KeptWorld) -> None:
    """Nothing stored yet is no error."""
    assert world.catalogue.snapshots == ()


@pytest.mark.parametrize(
    "name",
    [
        "not-a-snapshot",
        "20260230T030000Z-0123456789ab",
        "\u0662\u0660260820T030000Z-0123456789ab",
        "20260820T030000Z-0123456789AB",
        "x" * 200,
    ],
)
def test_strange_names_are_reported_escaped_and_hide_nothing(world: KeptWorld, name: str) -> None:
    """A name that etcd-dr would not give is shown so that a terminal survives it, once, and nothing of it is read."""
    kept = world.plant(snapshot("2026-08-20 03:00"))
    for part in ("manifest.json", "data"):
        world.store.plant(f"{world.layout.snapshots}{name}/{part}", b"{}")

    catalogue = world.catalogue

    [entry] = catalogue.unreadable
    assert [s.id for s in catalogue.snapshots] == [kept.id]
    assert entry.code == ManifestInvalid.code
    assert entry.name.isprintable()
    assert entry.name.isascii()


@pytest.mark.parametrize("name", ["..", "20260820T030000Z-0123456789ab\x1b[31m", "x" * 900])
def test_names_that_no_store_lists_hide_nothing(world: KeptWorld, name: str) -> None:
    """Keys that climb, carry control characters or are too long never get past the store."""
    kept = world.plant(snapshot("2026-08-20 03:00"))
    world.store.plant(f"{world.layout.snapshots}{name}/manifest.json", b"{}")

    assert [s.id for s in world.catalogue.snapshots] == [kept.id]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", ManifestInvalid.code),
        (b"[]", ManifestInvalid.code),
        (b"{" * 100_000, ManifestInvalid.code),
        (b'{"version": 2}', ManifestVersionUnknown.code),
        (b'{"version": 1}', ManifestInvalid.code),
        (b"\xff\xfe\x00", ManifestInvalid.code),
        (b"x" * (2 << 20), "store"),
    ],
    ids=["empty", "a list", "deep", "newer", "no fields", "not UTF-8", "huge"],
)
def test_manifest_that_cannot_be_read_is_reported_and_hides_nothing(world: KeptWorld, body: bytes, code: str) -> None:
    """One bad manifest is one entry; the snapshot beside it stays selectable."""
    kept = world.plant(snapshot("2026-08-20 03:00"))
    bad = world.plant(snapshot("2026-08-20 04:00"))
    world.store.plant(world.layout.manifest(bad.id), body)

    catalogue = world.catalogue

    assert [s.id for s in catalogue.snapshots] == [kept.id]
    assert [(e.name, e.code) for e in catalogue.unreadable] == [(str(bad.id), code)]


def test_manifest_in_another_ones_place_is_reported(world: KeptWorld) -> None:
    """A copied manifest would tie a snapshot to other bytes."""
    first = world.plant(snapshot("2026-08-20 03:00"))
    second = world.plant(snapshot("2026-08-20 04:00"))
    world.store.plant(world.layout.manifest(second.id), canonical_json(first.manifest))

    catalogue = world.catalogue

    assert [s.id for s in catalogue.snapshots] == [first.id]
    assert [e.name for e in catalogue.unreadable] == [str(second.id)]


def test_manifest_of_another_cluster_is_reported(world: KeptWorld) -> None:
    """What was copied in from another cluster's prefix is not ours to restore or prune."""
    world.plant(snapshot("2026-08-20 03:00", cluster="staging"))

    catalogue = world.catalogue

    assert catalogue.snapshots == ()
    assert "staging" in catalogue.unreadable[0].reason


def test_bad_proof_hides_neither_snapshot_nor_other_proofs(world: KeptWorld) -> None:
    """At 3 a.m. a snapshot whose proof was garbled is still a snapshot."""
    kept = world.plant(snapshot("2026-08-20 03:00"))
    world.store.plant(f"{world.layout.proofs(kept.id)}stored-20260820T040000Z-ffffffffffff.json", b"garbled")
    world.store.plant(f"{world.layout.proofs(kept.id)}intact-20260820T040000Z-ffffffffffff.json", b'{"version": 9}')
    world.store.plant(f"{world.layout.proofs(kept.id)}notes.txt", b"hello")

    catalogue = world.catalogue

    assert catalogue.snapshots[0].is_proven
    assert len(catalogue.unreadable) == 2


def test_pin_that_cannot_be_read_is_a_pin(world: KeptWorld) -> None:
    """In doubt a snapshot is kept."""
    kept = world.plant(snapshot("2026-08-20 03:00"))
    world.store.plant(world.layout.pin(kept.id), b"garbled")

    assert world.catalogue.snapshots[0].pin is not None


def test_folder_without_manifest_is_uncommitted(world: KeptWorld) -> None:
    """An upload under way, or its remains, is told apart by its age."""
    begun = snapshot("2026-08-20 03:00")
    world.store.plant(world.layout.data(begun.id), b"x" * 10, modified_at=moment("2026-08-20 03:01"))

    [entry] = world.catalogue.uncommitted

    assert (entry.name, entry.size_bytes, entry.object_count) == (str(begun.id), 10, 1)
    assert not entry.is_stale(now=moment("2026-08-20 04:00"), grace=timedelta(hours=24))
    assert entry.is_stale(now=moment("2026-08-21 04:00"), grace=timedelta(hours=24))


def test_snapshot_deleted_while_reading_is_left_out(world: KeptWorld) -> None:
    """Retention of another process may run at any moment."""
    gone = world.plant(snapshot("2026-08-20 03:00"))
    kept = world.plant(snapshot("2026-08-20 04:00"))
    listing = list(world.store.list(world.layout.snapshots))
    world.store.lose(world.layout.manifest(gone.id))
    world.store.list = lambda prefix: iter(listing)  # type: ignore[method-assign]  # the listing from before

    catalogue = world.catalogue

    assert [s.id for s in catalogue.snapshots] == [kept.id]
    assert catalogue.unreadable == ()


def test_one_manifest_that_the_store_does_not_give_back_hides_nothing(world: KeptWorld) -> None:
    """A bad disk under one object does not take the others away."""
    for hour in (3, 4, 5):
        world.plant(snapshot(f"2026-08-20 0{hour}:00"))
    world.store.fail("get", StoreUnreachable("internal error"))

    catalogue = world.catalogue

    assert len(catalogue.snapshots) == 2
    assert [e.code for e in catalogue.unreadable] == [StoreUnreachable.code]


def test_store_that_gives_nothing_back_is_an_error(world: KeptWorld) -> None:
    """A failure is never turned into an empty list."""
    world.plant(snapshot("2026-08-20 03:00"))
    world.store.fail("get", StoreUnreachable("internal error"), times=10)

    with pytest.raises(StoreUnreachable):
        _ = world.catalogue


def test_only_deciding_proofs_are_read(world: KeptWorld) -> None:
    """A snapshot that was verified every day costs no more to list than a new one."""
    kept = world.plant(snapshot("2026-08-01 03:00"))
    passed = kept.newest_proofs[ProofLevel.STORED]
    for day in range(2, 20):
        at = moment(f"2026-08-{day:02d} 03:00")
        body = canonical_json(passed.model_copy(update={"at": at}))
        world.store.plant(
            f"{world.layout.proofs(kept.id)}stored-202608{day:02d}T030000Z-00000000000{day % 10}.json", body
        )
    world.store.calls.clear()

    catalogue = world.catalogue

    assert catalogue.snapshots[0].newest_proofs[ProofLevel.STORED].at == moment("2026-08-19 03:00")
    assert sum(operation == "get" for operation, _ in world.store.calls) == 3


def test_inconclusive_proof_does_not_hide_the_conclusive_one_before(world: KeptWorld) -> None:
    """A store that could not be read today proves nothing about yesterday's answer."""
    kept = world.plant(snapshot("2026-08-01 03:00"))
    open_question = kept.newest_proofs[ProofLevel.STORED].model_copy(
        update={"at": moment("2026-08-02 03:00"), "result": ProofResult.INCONCLUSIVE}
    )
    world.store.plant(
        f"{world.layout.proofs(kept.id)}stored-20260802T030000Z-000000000000.json", canonical_json(open_question)
    )

    assert world.catalogue.snapshots[0].is_proven


def test_two_thousand_snapshots_take_one_listing(world: KeptWorld) -> None:
    """Requests grow with what is read, never with a listing per snapshot."""
    for number in range(2000):
        at = moment("2026-01-01 00:00") + timedelta(hours=number)
        world.plant(snapshot(at, state="stored"))
    world.store.calls.clear()

    catalogue = world.catalogue

    assert len(catalogue.snapshots) == 2000
    assert [operation for operation, _ in world.store.calls if operation != "get"] == ["list"]


def test_cheap_reading_stops_at_the_newest(world: KeptWorld) -> None:
    """A list of the newest five reads five manifests."""
    for hour in range(10):
        world.plant(snapshot(f"2026-08-20 {hour:02d}:00"))
    world.store.calls.clear()

    catalogue = read_catalogue(world.store, world.layout, newest=5, with_proofs=False)

    assert [s.taken_at.hour for s in catalogue.snapshots] == [5, 6, 7, 8, 9]
    assert sum(operation == "get" for operation, _ in world.store.calls) == 5


def test_cache_makes_the_second_reading_one_listing(world: KeptWorld) -> None:
    """Manifests and proofs never change, so a long process reads each of them once."""
    for hour in range(5):
        world.plant(snapshot(f"2026-08-20 {hour:02d}:00"))
    cache = RecordCache()
    first = read_catalogue(world.store, world.layout, cache=cache)
    world.store.calls.clear()

    second = read_catalogue(world.store, world.layout, cache=cache)

    assert second == first
    assert [operation for operation, _ in world.store.calls] == ["list"]
