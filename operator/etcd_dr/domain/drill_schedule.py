"""Whether a drill is due, as the store tells it: a restart of the process neither repeats nor forgets one."""

from __future__ import annotations

from datetime import datetime

from etcd_dr.domain.catalogue import Catalogue
from etcd_dr.domain.proof import ProofLevel
from etcd_dr.domain.schedule import CronSchedule


def drill_is_due(catalogue: Catalogue, schedule: CronSchedule, *, now: datetime) -> bool:
    """Return whether nobody has drilled since the last slot of the schedule. A drill that failed was one as well."""
    proofs = (snapshot.newest_proofs.get(ProofLevel.RESTORABLE) for snapshot in catalogue.snapshots)
    drilled_at = max((proof.at for proof in proofs if proof is not None), default=None)
    return drilled_at is None or drilled_at < schedule.start_of(schedule.last_at_or_before(now)) <= now
