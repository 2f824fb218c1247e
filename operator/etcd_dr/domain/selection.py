"""Which snapshot somebody means: an id or the beginning of one, `latest`, `latest-verified`, a time, a revision.

Rules this module keeps:
- What a person typed is parsed once (`parse_selector`, `parse_moment`) and then is a value.
- No match is never a neighbour: `select` raises SnapshotNotFound and says what there is nearby.
- A time is the newest snapshot taken at or before it, a revision the newest state at or below it; the answer says
  whether it is exact.
- A time without a zone is UTC, and the answer says that this was assumed.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from etcd_dr.domain.catalogue import Catalogue, Snapshot, UnreadableEntry
from etcd_dr.domain.snapshot import parse_time_text
from etcd_dr.errors import (
    EtcdDrError,
    ManifestInvalid,
    ManifestVersionUnknown,
    SnapshotAmbiguous,
    SnapshotNotFound,
    StoreError,
    UsageError,
)

SHORTEST_PREFIX = 4
_MOST_NAMED = 8
_PREFIX = re.compile(r"[0-9a-ftz-]{1,40}")
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")


@dataclass(frozen=True, slots=True)
class ById:
    """A whole id, or the beginning of an id or of its token (at least 4 characters), in lower case."""

    text: str


@dataclass(frozen=True, slots=True)
class Latest:
    """The newest one; with `verified` the newest proven one."""

    verified: bool = False


@dataclass(frozen=True, slots=True)
class AtTime:
    """The newest one taken at or before `moment` (aware). `assumption` says what was read into the text."""

    moment: datetime
    assumption: str = ""


@dataclass(frozen=True, slots=True)
class AtRevision:
    """The one with the highest revision that is not above `revision`."""

    revision: int


Selector = ById | Latest | AtTime | AtRevision


@dataclass(frozen=True, slots=True)
class Selection:
    """The snapshot that was meant. `note` is for a person: what was assumed, how far it is from what was asked."""

    snapshot: Snapshot
    is_exact: bool = True
    note: str = ""


def parse_selector(text: str) -> Selector:
    """Return what a positional argument names: `latest`, `latest-verified`, or an id or its beginning.

    Raises UsageError for text that cannot be one.
    """
    text = text.strip().lower()
    if text in ("latest", "latest-verified"):
        return Latest(verified=text == "latest-verified")
    if not _PREFIX.fullmatch(text):
        raise UsageError(
            "is no snapshot id, latest or latest-verified",
            subject=repr(text[:80]),
            next_step="Take an id from: etcd-dr snapshot list (for a time use --at, for a revision --revision)",
        )
    if len(text) < SHORTEST_PREFIX:
        raise UsageError(
            f"is too short to name a snapshot: give at least {SHORTEST_PREFIX} characters of its id",
            subject=repr(text),
            next_step="Take an id from: etcd-dr snapshot list",
        )
    return ById(text)


def parse_moment(text: str) -> AtTime:
    """Return the moment that `text` names: RFC 3339, ISO 8601, `2026-08-20 03:00`, a date, or a snapshot's time.

    A missing zone is UTC, a date alone the beginning of that day, and `assumption` says so. Raises UsageError.
    """
    text = text.strip()
    try:
        return AtTime(parse_time_text(text))
    except ValueError:
        pass
    assumptions = ["the beginning of that day"] if _DATE.fullmatch(text) else []
    try:
        parsed = datetime.fromisoformat(text)
        if parsed.tzinfo is None:
            parsed = parsed.replace(tzinfo=UTC)
            assumptions.append("UTC")
        return AtTime(parsed.astimezone(UTC), " and ".join(assumptions))
    except (ValueError, OverflowError) as error:
        raise UsageError(
            "is not a time that can be read",
            subject=repr(text[:80]),
            next_step="Write it like 2026-08-20T03:00:00Z or 2026-08-20T05:00:00+02:00",
        ) from error


def select(catalogue: Catalogue, selector: Selector) -> Selection:
    """Return the snapshot that is meant.

    Raises SnapshotNotFound, SnapshotAmbiguous, and ManifestInvalid, ManifestVersionUnknown or StoreError for one that
    was named by its id and whose manifest cannot be read.
    """
    match selector:
        case ById(text):
            return Selection(_by_id(catalogue, text))
        case Latest(verified):
            return Selection(_latest(catalogue, verified=verified))
        case AtTime(moment, assumption):
            return _at_time(catalogue, moment, assumption)
        case AtRevision(revision):
            return _at_revision(catalogue, revision)


def _by_id(catalogue: Catalogue, text: str) -> Snapshot:
    matches = [s for s in catalogue.snapshots if _spelled(s).startswith(text) or s.id.token.startswith(text)]
    if len(matches) == 1:
        return matches[0]
    if matches:
        raise SnapshotAmbiguous(
            f"{text!r} begins {len(matches)} snapshots: {_names(matches)}",
            subject=catalogue.cluster,
            next_step="Add characters until it names one of them.",
            context={"matches": len(matches)},
        )
    for entry in catalogue.unreadable:
        if entry.name.lower().startswith(text):
            raise unreadable_error(catalogue, entry)
    for uncommitted in catalogue.uncommitted:
        if uncommitted.name.lower().startswith(text):
            raise _not_found(catalogue, f"{uncommitted.name} was never committed: its upload runs or was cut off")
    raise _not_found(catalogue, f"no snapshot begins with {text!r}", near=_alike(catalogue, text))


def unreadable_error(catalogue: Catalogue, entry: UnreadableEntry) -> EtcdDrError:
    """Return the error of a snapshot that is there and whose manifest cannot be read."""
    kinds = {kind.code: kind for kind in (ManifestInvalid, ManifestVersionUnknown)}
    place = f"--cluster {catalogue.cluster} {entry.name}"
    if entry.code == ManifestVersionUnknown.code:
        next_step = "Another etcd-dr wrote it, and reads it: use one at least as new. This one is: etcd-dr version"
    elif entry.code == ManifestInvalid.code:
        next_step = (
            f"Choose another one: etcd-dr snapshot list --cluster {catalogue.cluster}; what is left of this one can be "
            f"removed with: etcd-dr snapshot delete --broken {place}"
        )
    else:
        next_step = f"The store did not give it back; try again: etcd-dr snapshot show {place}"
    return kinds.get(entry.code, StoreError)(
        f"is there, but its manifest cannot be read: it {entry.reason}",
        subject=entry.name,
        next_step=next_step,
        context={"error_code": entry.code},
    )


def _latest(catalogue: Catalogue, *, verified: bool) -> Snapshot:
    found = catalogue.newest_proven if verified else catalogue.newest
    if found is not None:
        return found
    if not verified or catalogue.newest is None:
        raise _not_found(catalogue, "there is no committed snapshot")
    raise _not_found(
        catalogue,
        "the only snapshot is not proven"
        if len(catalogue.snapshots) == 1
        else f"none of the {len(catalogue.snapshots)} snapshots is proven",
        near=[catalogue.newest],
        next_step=f"Take a new one while there are members: etcd-dr snapshot save --cluster {catalogue.cluster}"
        if all(snapshot.is_damaged for snapshot in catalogue.snapshots)
        else f"Prove the newest one: etcd-dr snapshot verify --cluster {catalogue.cluster} latest",
    )


def _at_time(catalogue: Catalogue, moment: datetime, assumption: str) -> Selection:
    candidates = [s for s in catalogue.snapshots if s.taken_at <= moment]
    if not candidates:
        raise _not_found(catalogue, f"no snapshot was taken at or before {_text(moment)}", near=catalogue.snapshots[:1])
    found = max(candidates, key=lambda s: s.order)
    earlier = moment - found.taken_at
    notes = [f"{_text(moment)} was read as {assumption}"] if assumption else []
    if earlier:
        notes.append(f"taken {earlier} before {_text(moment)}")
    return Selection(found, is_exact=not earlier, note="; ".join(notes))


def _at_revision(catalogue: Catalogue, revision: int) -> Selection:
    candidates = [s for s in catalogue.snapshots if s.manifest.database.revision <= revision]
    if not candidates:
        lowest = sorted(catalogue.snapshots, key=lambda s: s.manifest.database.revision)[:1]
        raise _not_found(catalogue, f"no snapshot has a revision of {revision} or less", near=lowest)
    found = max(candidates, key=lambda s: (s.manifest.database.revision, s.order))
    missing = revision - found.manifest.database.revision
    note = f"its revision is {found.manifest.database.revision}, {missing} below {revision}" if missing else ""
    return Selection(found, is_exact=not missing, note=note)


def _alike(catalogue: Catalogue, text: str) -> list[Snapshot]:
    """Return the snapshots that share the longest beginning with `text`; none when they share nothing to speak of."""

    def shared(snapshot: Snapshot) -> int:
        return max(_shared_length(text, _spelled(snapshot)), _shared_length(text, snapshot.id.token))

    longest = max(map(shared, catalogue.snapshots), default=0)
    if longest < SHORTEST_PREFIX:
        return list(catalogue.snapshots[-1:])
    return [s for s in catalogue.snapshots if shared(s) == longest]


def _spelled(snapshot: Snapshot) -> str:
    return str(snapshot.id).lower()


def _shared_length(one: str, other: str) -> int:
    return next(
        (place for place, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other))
    )


def _not_found(
    catalogue: Catalogue, message: str, *, near: Sequence[Snapshot] = (), next_step: str = ""
) -> SnapshotNotFound:
    hint = f"; there is {_names(near)}" if near else ""
    listing = f"etcd-dr snapshot list --cluster {catalogue.cluster}"
    return SnapshotNotFound(
        f"{message}{hint}",
        subject=catalogue.cluster,
        next_step=next_step or f"See what there is: {listing}",
        context={"snapshots": len(catalogue.snapshots), "unreadable": len(catalogue.unreadable)},
    )


def _names(snapshots: Sequence[Snapshot]) -> str:
    named = [f"{s.id} (revision {s.manifest.database.revision})" for s in snapshots[:_MOST_NAMED]]
    more = len(snapshots) - len(named)
    return ", ".join(named) + (f" and {more} more" if more else "")


def _text(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
