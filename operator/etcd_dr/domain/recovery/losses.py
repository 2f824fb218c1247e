"""What each way loses, in numbers where they are known and in a sentence always."""

from __future__ import annotations

from datetime import datetime, timedelta
from math import ceil

from etcd_dr.domain.catalogue import Snapshot
from etcd_dr.domain.cluster import id_text, quorum_size
from etcd_dr.domain.recovery.assessment import Assessment, MemberAssessment
from etcd_dr.domain.recovery.candidate import Loss

_FILE_TIMES = timedelta(seconds=1)
"""What a file's time, as nodes tell it, leaves open: stat's %Y and Talos' FileInfo.modified are whole seconds."""
NO_LOSS = Loss(seconds=0.0, revisions=0, keys=0, text="nothing is lost")


def restore_loss(assessment: Assessment, snapshot: Snapshot, *, pace: float | None) -> Loss:
    """Return what is lost with everything after the snapshot. `pace` is in revisions per second, for the sentence."""
    revision = snapshot.manifest.database.revision
    highest = assessment.highest_revision_seen or revision
    ended = writes_ended_at(assessment)
    until = ended or assessment.assessed_at
    seconds = max(0.0, (until - snapshot.taken_at).total_seconds())
    ahead = max(0, highest - revision)
    bound = "its members last wrote then" if ended else "nobody knows when the cluster stopped, so until now"
    told = f"everything written after {_text(snapshot.taken_at)}: at most {duration_text(seconds)} ({bound})"
    if ahead and was_recovered_since(assessment, snapshot):
        return Loss(
            seconds=seconds,
            text=f"{told}; a recovery since then raised the revisions, so it cannot be told how many of them were written",
        )
    if ahead:
        return Loss(seconds=seconds, revisions=ahead, text=f"{told}; at least {ahead} revisions, up to {highest}")
    if ended is not None and seconds == 0:
        return NO_LOSS
    about = f", about {pace * seconds:,.0f} revisions at the fastest pace seen" if pace else ""
    return Loss(seconds=seconds, text=told + about)


def was_recovered_since(assessment: Assessment, snapshot: Snapshot) -> bool:
    """Tell whether the cluster got a new id since the snapshot: revisions then differ by more than was written."""
    now = assessment.cluster_id
    return now is not None and snapshot.manifest.source.cluster_id not in ("", id_text(now))


def rebuild_loss(assessment: Assessment, survivor: MemberAssessment) -> Loss:
    """Return what is lost when the survivor's applied data counts."""
    revision = survivor.revision or 0
    ahead = max(0, (assessment.highest_revision_seen or 0) - revision)
    if ahead:
        written = survivor.data.written_at if survivor.data else None
        last = assessment.last_alive_at
        seconds = max(0.0, (last - written).total_seconds()) if written and last else None
        return Loss(
            seconds=seconds,
            revisions=ahead,
            text=f"at least {ahead} revisions that were seen elsewhere and never applied on {survivor.name}",
        )
    return Loss(
        seconds=0.0,
        revisions=0,
        keys=0,
        text=f"nothing that anybody shows; only entries that were confirmed elsewhere and never applied on "
        f"{survivor.name} would be missing",
    )


def writes_ended_at(assessment: Assessment) -> datetime | None:
    """Return when the last write can have been confirmed; None: not to be told.

    A write needs a majority. Where so many voters' data was seen that no majority exists without one of them, nothing
    was confirmed after the last of them wrote, at the latest at the end of the second that its file tells.
    """
    voters = assessment.voters
    written = [m.data.written_at for m in voters if m.data is not None and m.data.written_at is not None]
    if not voters or len(written) < len(voters) - quorum_size(len(voters)) + 1:
        return None
    return min(max(written) + _FILE_TIMES, assessment.assessed_at)


def duration_text(seconds: float) -> str:
    """Return a length of time for people, rounded up: `45 s`, `12 min`, `3 h 20 min`, `4 days`."""
    minutes = ceil(seconds / 60)
    if seconds < 120:
        return f"{ceil(seconds)} s"
    if minutes < 120:
        return f"{minutes} min"
    return f"{minutes // 60} h {minutes % 60} min" if minutes < 48 * 60 else f"{ceil(minutes / 1440)} days"


def _text(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
