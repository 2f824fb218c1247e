"""Which snapshots of a cluster are shown as records, and what must be written for that: a cache, bounded, never a truth.

- The newest ones are shown, up to a limit. One that was taken for a request is shown by that while it is there.
- The answer of such a request follows the store as well: a later proof, a pin, or damage that was found.
- What the store no longer has goes, and so does what is beyond the limit; what says something else is corrected.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from etcd_dr.domain.catalogue import Catalogue, Snapshot
from etcd_dr.domain.request import UID_LABEL, Request, RequestPhase, SnapshotAnswer
from etcd_dr.domain.request_status import snapshot_answer

_WRITTEN_WITHIN = timedelta(minutes=1)  # a record is written in two calls, and seen a moment later


@dataclass(frozen=True, slots=True)
class RecordChanges:
    """What to write, newest first, what to take away, and which answers say less than is known by now."""

    to_put: tuple[Snapshot, ...] = ()
    to_remove: tuple[Request, ...] = ()
    to_refresh: tuple[tuple[Request, Snapshot], ...] = ()


def plan_records(
    catalogue: Catalogue, seen: Iterable[Request], *, store: str, limit: int, now: datetime
) -> RecordChanges:
    """Return what makes the records of the catalogue's cluster right; `seen` are requests and records of any."""
    of_cluster = [each for each in seen if each.cluster == catalogue.cluster]
    asking = {each.uid for each in of_cluster if not each.is_record}
    newest = reversed(catalogue.snapshots[-limit:] if limit else ())
    wanted = {str(each.id): each for each in newest if each.manifest.labels.get(UID_LABEL) not in asking}
    records = {_id(each.answer): each for each in of_cluster if each.is_record}
    return RecordChanges(
        to_put=tuple(
            snapshot
            for snapshot_id, snapshot in wanted.items()
            if snapshot_id not in records or records[snapshot_id].answer != snapshot_answer(snapshot, store=store)
        ),
        to_remove=tuple(each for each in of_cluster if each.is_record and not _stays(each, records, wanted, now)),
        to_refresh=tuple(_outdated(catalogue, of_cluster, store=store)),
    )


def _outdated(catalogue: Catalogue, requests: Iterable[Request], *, store: str) -> Iterator[tuple[Request, Snapshot]]:
    """Yield completed requests whose snapshot has other proofs or another pin by now."""
    by_id = {str(each.id): each for each in catalogue.snapshots}
    for request in requests:
        answer = request.answer
        if request.is_record or request.phase is not RequestPhase.COMPLETED or not isinstance(answer, SnapshotAnswer):
            continue
        snapshot = by_id.get(answer.snapshot_id)
        if snapshot is not None and answer != snapshot_answer(snapshot, store=store):
            yield request, snapshot


def _stays(record: Request, records: dict[str, Request], wanted: dict[str, Snapshot], now: datetime) -> bool:
    """A record stays where its snapshot is wanted and no other record shows it; one that says nothing, for a moment."""
    if record.answer is None:
        return now - record.created_at < _WRITTEN_WITHIN
    snapshot_id = _id(record.answer)
    return snapshot_id in wanted and records[snapshot_id].uid == record.uid


def _id(answer: object) -> str:
    return answer.snapshot_id if isinstance(answer, SnapshotAnswer) else ""
