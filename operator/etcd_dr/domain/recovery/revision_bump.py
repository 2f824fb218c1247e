"""How far a restored cluster's revision is moved up, so that nobody who watched the old one is misled.

Without it revisions are handed out a second time: a watch opened before the disaster silently misses what is written
under the numbers it has seen (etcd-io/etcd#16028). With it, and with everything below marked as compacted, such a
watch fails at once and its owner reads everything anew.

- The bump is counted from the last revision of the file: the result must exceed every revision ever issued.
- What was seen of the old cluster is a lower bound of that. Where its pace is known, the writes since it was last seen
  are estimated too; then comes a tenfold margin, and never less than a million.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from datetime import datetime
from math import ceil

from etcd_dr.domain.catalogue import Snapshot

LEAST_BUMP = 1_000_000
MARGIN = 10
_HIGHEST_REVISION = (1 << 62) - 1  # revisions are int64; half of them are left for the life of the new cluster


def bump_for(*, file_revision: int, highest_seen: int | None, estimated: int | None = None) -> int:
    """Return the bump for a file whose last revision is `file_revision`.

    `highest_seen` is the highest revision that anything shows, `estimated` what the cluster may have reached.
    """
    reached = max(file_revision, highest_seen or 0, estimated or 0)
    return min(max(LEAST_BUMP, MARGIN * (reached - file_revision)), _HIGHEST_REVISION - file_revision)


def revisions_per_second(snapshots: Sequence[Snapshot]) -> float | None:
    """Return the fastest pace between two neighbouring snapshots of one cluster id; None: fewer than two.

    Pairs less than a minute apart say nothing about pace and are left out.
    """
    paces = []
    for older, newer in itertools.pairwise(snapshots):
        seconds = (newer.taken_at - older.taken_at).total_seconds()
        revisions = newer.manifest.database.revision - older.manifest.database.revision
        if older.manifest.source.cluster_id == newer.manifest.source.cluster_id and seconds >= 60 and revisions >= 0:
            paces.append(revisions / seconds)
    return max(paces, default=None)


def estimated_revision(snapshots: Sequence[Snapshot], *, until: datetime) -> int | None:
    """Return the revision that the cluster may have reached by `until`, at its fastest pace; None: no pace known.

    `snapshots` are oldest first. `until` is the latest moment at which it can have served.
    """
    pace = revisions_per_second(snapshots)
    if pace is None:
        return None
    newest = snapshots[-1]
    seconds = max(0.0, (until - newest.taken_at).total_seconds())
    return newest.manifest.database.revision + ceil(pace * seconds)
