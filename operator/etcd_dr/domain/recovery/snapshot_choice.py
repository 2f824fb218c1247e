"""Which snapshot a restore uses: the newest proven one of this cluster, or the one that was wished for.

- A damaged or unproven snapshot is passed over, and said so: an older proven one restores, a newer broken one does not.
- One that was taken after a mass deletion is used, because nobody but a person knows whether that was meant; the
  pinned one that still has the keys is named beside it.
- A snapshot of another etcd cluster is refused: somebody else's data under this cluster's names is worse than none.
- A file that was imported names no cluster; it is used only where it is wished for. One that Talos sent names none
  either, because Talos does not tell etcd's id: it lies under this cluster's name because we put it there.
"""

from __future__ import annotations

from dataclasses import dataclass

from etcd_dr.domain.catalogue import Catalogue, Snapshot
from etcd_dr.domain.cluster import id_text, parse_id_text
from etcd_dr.domain.recovery.wishes import Wishes
from etcd_dr.domain.selection import select
from etcd_dr.domain.tripwire import is_of_what_is_left

_MOST_NAMED = 3


@dataclass(frozen=True, slots=True)
class SnapshotChoice:
    """`reasons` say what was passed over. `obstacle`: why there is none, or why the one wished for is refused."""

    snapshot: Snapshot | None
    reasons: tuple[str, ...] = ()
    obstacle: str = ""


def choose_snapshot(catalogue: Catalogue, *, known_cluster_ids: tuple[int, ...], wishes: Wishes) -> SnapshotChoice:
    """Return the snapshot to restore. Raises SnapshotNotFound, SnapshotAmbiguous for a wish that names none."""
    if wishes.selector is not None:
        selection = select(catalogue, wishes.selector)
        refusal = _refusal(selection.snapshot, known_cluster_ids, wishes, is_wished=True)
        notes = ("it is the one that was asked for", *([selection.note] if selection.note else []))
        return SnapshotChoice(selection.snapshot, notes, refusal)
    passed_over: list[str] = []
    for snapshot in reversed(catalogue.snapshots):
        refusal = _refusal(snapshot, known_cluster_ids, wishes, is_wished=False)
        if not refusal:
            return SnapshotChoice(snapshot, (*_vanished(catalogue, snapshot), *_told(passed_over)))
        passed_over.append(f"{snapshot.id} is passed over: {refusal}")
    unreadable = [f"{entry.name} is passed over: {entry.reason}" for entry in catalogue.unreadable]
    why = "; ".join(_told([*passed_over, *unreadable]))
    return SnapshotChoice(None, (), f"no proven snapshot of this cluster is in the store{f': {why}' if why else ''}")


def is_foreign(snapshot: Snapshot, known_cluster_ids: tuple[int, ...]) -> bool:
    """Tell whether the snapshot names a cluster that is not this one. Where no id is known, none is foreign."""
    found = parse_id_text(snapshot.manifest.source.cluster_id)
    return bool(known_cluster_ids) and found is not None and found not in known_cluster_ids


def _refusal(snapshot: Snapshot, known: tuple[int, ...], wishes: Wishes, *, is_wished: bool) -> str:
    if snapshot.is_damaged:
        return f"it is damaged: {snapshot.damage}"
    if is_foreign(snapshot, known) and not wishes.foreign_snapshot:
        ours = ", ".join(id_text(value) for value in known)
        return f"it is of etcd cluster {snapshot.manifest.source.cluster_id}, this one is {ours}"
    if is_wished:
        return ""
    if not snapshot.is_proven:
        return f"it is not proven; to prove it: etcd-dr snapshot verify {snapshot.id}"
    if snapshot.manifest.source.cluster_id is None and snapshot.manifest.source.kind != "talos":
        return "it was imported and names no cluster; it is used where it is asked for by its id"
    return ""


def _vanished(catalogue: Catalogue, chosen: Snapshot) -> tuple[str, ...]:
    """Return the newest mass deletion that is not acknowledged and whose keys the chosen snapshot lacks."""
    held = [
        (snapshot.pin.fall, snapshot.id)
        for snapshot in catalogue.snapshots
        if snapshot.pin is not None and snapshot.pin.fall is not None and snapshot.order < chosen.order
    ]
    if not held:
        return ()
    fall, good = max(held, key=lambda entry: entry[0].at)
    if not is_of_what_is_left(chosen, fall):
        return ()
    told = f"{fall.percent:.0f} % of all keys vanished at {fall.at:%Y-%m-%d %H:%M} UTC, and this one lacks them"
    return (f"{told}; if nobody meant it, take the one that has them: --snapshot {good}",)


def _told(passed_over: list[str]) -> tuple[str, ...]:
    more = len(passed_over) - _MOST_NAMED
    return (*passed_over[:_MOST_NAMED], *([f"and {more} more are passed over"] if more > 0 else []))
