"""Which snapshot a restore uses, and what is said beside it."""

from __future__ import annotations

from dataclasses import replace

from etcd_dr.domain.catalogue import Pin, Snapshot
from etcd_dr.domain.key_count import KeyFall
from etcd_dr.domain.recovery.snapshot_choice import choose_snapshot
from etcd_dr.domain.recovery.wishes import Wishes
from etcd_dr.domain.tripwire import PINNED_BY
from fakes.catalogue import catalogue_of, moment, snapshot

AT = moment("2026-08-20 02:10")
FALL = KeyFall(keys_before=2000, before_at=AT, keys_after=500, at=AT)


def with_keys(one: Snapshot, live_keys: int) -> Snapshot:
    database = one.manifest.database.model_copy(update={"live_keys": live_keys})
    return replace(one, manifest=one.manifest.model_copy(update={"database": database}))


GOOD = replace(with_keys(snapshot("2026-08-20 02:00"), 2000), pin=Pin(at=AT, by=PINNED_BY, reason="", fall=FALL))


def test_snapshot_that_has_the_vanished_keys_is_named_beside_the_newest_one() -> None:
    """The newest one is of what a mass deletion left, and whoever restores it in the night loses the rest for good."""
    left = with_keys(snapshot("2026-08-20 03:00"), 510)

    choice = choose_snapshot(catalogue_of(GOOD, left), known_cluster_ids=(), wishes=Wishes())

    assert choice.snapshot == left
    [reason] = choice.reasons
    assert f"--snapshot {GOOD.id}" in reason


def test_nothing_is_said_once_the_keys_are_back_or_it_was_acknowledged() -> None:
    """An old pin is no news."""
    back, left = with_keys(snapshot("2026-08-20 03:00"), 1990), with_keys(snapshot("2026-08-20 03:00"), 510)

    assert choose_snapshot(catalogue_of(GOOD, back), known_cluster_ids=(), wishes=Wishes()).reasons == ()
    acknowledged = catalogue_of(replace(GOOD, pin=None), left)
    assert choose_snapshot(acknowledged, known_cluster_ids=(), wishes=Wishes()).reasons == ()
