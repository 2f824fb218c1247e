"""Which stored snapshots are verified again in one run: the oldest proof first, a share of all.

- A snapshot's age of proof is that of its newest conclusive `stored` proof; one that has none comes first.
- One that is known to be damaged is left out: asking again changes nothing.
- A run that comes again within the same period takes on only what is left of its share, so that a restart of the
  process, or a second process, does not read the whole store.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from etcd_dr.domain.catalogue import Snapshot
from etcd_dr.domain.proof import ProofLevel, ProofResult

_NEVER = datetime.min.replace(tzinfo=UTC)
_PERIOD = timedelta(hours=20)  # less than a day, so that a daily run that starts a little early is not empty


def choose_for_reverification(
    snapshots: Iterable[Snapshot], *, fraction: float, now: datetime, period: timedelta = _PERIOD
) -> tuple[Snapshot, ...]:
    """Return the snapshots to verify now. `fraction` (0 to 1) of all of them is the share of one period."""
    sound = [s for s in snapshots if not s.is_damaged]
    share = math.ceil(len(sound) * fraction)
    done = sum(_was_reverified(s, since=now - period) for s in sound)
    due = [s for s in sound if _proven_at(s) <= now - period]
    oldest_first = sorted(due, key=lambda s: (_proven_at(s), s.order))
    return tuple(oldest_first[: max(0, share - done)])


def _proven_at(snapshot: Snapshot) -> datetime:
    proof = snapshot.newest_proofs.get(ProofLevel.STORED)
    if proof is None or proof.result is ProofResult.INCONCLUSIVE:
        return _NEVER
    return proof.at


def _was_reverified(snapshot: Snapshot, *, since: datetime) -> bool:
    """Whether a run verified it within the period; the proof made when it was taken is not one of a run."""
    proof = snapshot.newest_proofs.get(ProofLevel.STORED)
    return proof is not None and proof.at > since and proof.at > snapshot.manifest.finished_at
