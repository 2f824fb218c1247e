"""Judge everything that was gathered: who the members are, where each stands, and what that means for the quorum."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from etcd_dr.domain.catalogue import Snapshot
from etcd_dr.domain.certificate import CertificateRole
from etcd_dr.domain.cluster import id_text, parse_id_text, quorum_size
from etcd_dr.domain.cluster_view import ClusterView
from etcd_dr.domain.health_rules.alarms import alarm_kinds
from etcd_dr.domain.quorum import judge_quorum
from etcd_dr.domain.recovery.assessment import Assessment, MemberAssessment
from etcd_dr.domain.recovery.clues import Cause
from etcd_dr.domain.recovery.divergence import judge_divergence
from etcd_dr.domain.recovery.gathering import Gathered
from etcd_dr.domain.recovery.member_verdicts import judge_member
from etcd_dr.domain.recovery.roster import Roster, call_roster
from etcd_dr.domain.recovery.scene import Scene
from etcd_dr.domain.recovery.standing import judge_standing
from etcd_dr.domain.recovery.versions import common_version
from etcd_dr.errors import TlsRefused, UsageError

_LOOKING = timedelta(minutes=1)


def assess(gathered: Gathered) -> Assessment:
    """Return the assessment. Raises UsageError for a statement about nobody."""
    view = ClusterView.of(gathered.observation, expected_cluster_ids=gathered.marker_cluster_ids)
    cluster_id, doubt = _cluster_id(gathered, view)
    roster = call_roster(gathered, view, cluster_id=cluster_id)
    _check_statements(gathered, roster)
    scene, held_because = _scene(gathered, view, roster, cluster_id)
    members = tuple(_settled(judge_member(row, scene), scene) for row in roster.rows)
    verdict = judge_standing(members, is_held=scene.is_held, held_because=held_because)
    return Assessment(
        cluster=gathered.cluster,
        assessed_at=gathered.at,
        platform=gathered.platform,
        cluster_id=cluster_id,
        members=members,
        standing=verdict.standing,
        reason=verdict.reason,
        would_tell=verdict.would_tell,
        etcd_version=_version(gathered, members),
        highest_revision_seen=_highest(gathered, members),
        last_alive_at=_last_alive(gathered, members, is_held=scene.is_held),
        notes=tuple(_notes(gathered, roster, members, doubt)),
        known_cluster_ids=scene.known_ids,
        dispute=scene.divergence.dispute or _went_back(scene, members),
        statements=dict(gathered.statements),
        blinded=_blinded(gathered),
        alarms=tuple(sorted({kind for kinds in scene.alarms.values() for kind in kinds})),
    )


def _cluster_id(gathered: Gathered, view: ClusterView) -> tuple[int | None, str]:
    """Return the id of the cluster in question, and a doubt about it: the living say it, then the data, then the store.

    Data of a majority counts even where the store does not know its id: the cluster may have been recovered by other
    means, and its data must not be taken for a stranger's.
    """
    if view.cluster_id is not None:
        return view.cluster_id, ""
    found = Counter(_data_ids(gathered))
    known = gathered.marker_cluster_ids or _manifest_ids(gathered)
    ours = [value for value in found if value in known]
    if ours:
        return max(ours, key=lambda value: (found[value], known.index(value))), ""
    if found:
        best, votes = found.most_common(1)[0]
        if votes >= quorum_size(len(gathered.looks)) or not known:
            told = ", ".join(map(id_text, known))
            return best, f"the store knows this cluster as {told}, its data says {id_text(best)}" if known else ""
    return (known[-1] if known else None), ""


def _data_ids(gathered: Gathered) -> Iterator[int]:
    for look in gathered.looks:
        data = look.sight.value.data if look.sight.value else None
        if data is not None and data.cluster_id is not None:
            yield data.cluster_id


def _manifest_ids(gathered: Gathered) -> tuple[int, ...]:
    ids = [parse_id_text(s.manifest.source.cluster_id) for s in gathered.snapshots]
    return tuple(dict.fromkeys(value for value in ids if value is not None))


def _scene(gathered: Gathered, view: ClusterView, roster: Roster, cluster_id: int | None) -> tuple[Scene, str]:
    quorum = judge_quorum(view)
    alarms = alarm_kinds(view)
    is_held, because = quorum.verdict.is_held, quorum.reason
    if not is_held and _follows_though_corrupt(view, alarms):
        is_held, because = True, "a majority follows one leader; reads are refused because of the alarm CORRUPT"
    ids = (*gathered.marker_cluster_ids, *([cluster_id] if cluster_id is not None else []))
    scene = Scene(
        gathered=gathered,
        view=view,
        cluster_id=cluster_id,
        known_ids=tuple(dict.fromkeys(ids)),
        is_held=is_held,
        alarms=alarms,
        divergence=judge_divergence(view, gathered.hashes),
        leader_index=max((s.raft_index for _, s in view.statuses if not s.is_learner), default=0),
        has_live_list=roster.is_live,
    )
    return scene, because


def _follows_though_corrupt(view: ClusterView, alarms: dict[int, tuple[str, ...]]) -> bool:
    """A cluster with the alarm CORRUPT refuses reads, so they cannot prove its quorum; a followed leader does."""
    if view.members is None or not any("CORRUPT" in kinds for kinds in alarms.values()):
        return False
    voters = {member.id for member in view.members.voters}
    leaders = {s.member_id for _, s in view.statuses if s.is_leader}
    behind = [s for _, s in view.statuses if s.member_id in voters and s.leader_id in leaders]
    return len(leaders) == 1 and len(behind) >= quorum_size(len(voters))


def _settled(member: MemberAssessment, scene: Scene) -> MemberAssessment:
    """A learner that does not answer while the quorum lives is stuck: nothing will make it vote by itself."""
    if scene.is_held and member.id is not None and not member.is_voter and not member.verdict.answers:
        return replace(member, cause=Cause.LEARNER_STUCK)
    return member


def _check_statements(gathered: Gathered, roster: Roster) -> None:
    names = {name for row in roster.rows for name in (row.name, row.node) if name}
    unknown = sorted(gathered.statements.keys() - names)
    if unknown:
        raise UsageError(
            f"no member or node has this name; there are: {', '.join(sorted(names)) or 'none'}",
            subject=", ".join(unknown),
            next_step="Name members as this lists them: etcd-dr recover plan",
        )


def _version(gathered: Gathered, members: Sequence[MemberAssessment]) -> str | None:
    seen = common_version([member.version for member in members])
    told = [s.manifest.source.etcd_version for s in reversed(gathered.snapshots) if s.manifest.source.etcd_version]
    return seen or next(iter(told), None)


def _highest(gathered: Gathered, members: Sequence[MemberAssessment]) -> int | None:
    """Over everything, data of other ids included: a revision that is too high harms nobody."""
    live = [m.revision for m in members if m.revision is not None]
    stored = [s.manifest.database.revision for s in gathered.snapshots]
    foreign = [e.latest_status.revision for e in gathered.observation.endpoints if e.latest_status is not None]
    return max([*live, *stored, *foreign], default=None)


def _went_back(scene: Scene, members: Sequence[MemberAssessment]) -> str:
    """Return why the cluster that serves is not the one that was saved under its id; empty: it may be.

    Wiped members that are started with their usual flags make an empty cluster of the same id. Its quorum is no reason
    to set aside the data of a member that has kept it. A snapshot of just now may be ahead of what was asked before.
    """
    at = max((m.revision for m in members if m.verdict.answers and m.revision is not None), default=None)
    if not scene.is_held or at is None or scene.cluster_id is None:
        return ""
    until = scene.gathered.at - _LOOKING
    ours = [s for s in scene.gathered.snapshots if s.manifest.source.kind != "import" and s.taken_at <= until]
    ahead = [
        s
        for s in ours
        if s.manifest.source.cluster_id == id_text(scene.cluster_id) and s.manifest.database.revision > at
    ]
    if not ahead:
        return ""
    most = max(ahead, key=_revision)
    known = {id_text(each) for each in scene.known_ids}
    best = max((s for s in ours if s.manifest.source.cluster_id in known), key=_revision)
    return (
        f"the cluster that serves is at revision {at}, and snapshot {most.id} of it was at "
        f"{most.manifest.database.revision}: it was made anew (as wiped members do when they are started), or restored by "
        f"other means. Where a member has kept its data, stop etcd on the others, move their data aside, and plan again; or "
        f"go back to a snapshot: etcd-dr recover plan --roll-back --snapshot {best.id}"
    )


def _revision(snapshot: Snapshot) -> int:
    return snapshot.manifest.database.revision


def _last_alive(gathered: Gathered, members: Sequence[MemberAssessment], *, is_held: bool) -> datetime | None:
    if is_held:
        return gathered.at
    written = [m.data.written_at for m in members if m.data is not None and m.data.written_at is not None]
    taken = [s.taken_at for s in gathered.snapshots if s.manifest.source.kind != "import"]
    latest = max([*written, *taken], default=None)
    return None if latest is None else min(latest, gathered.at)


def _expired_own(gathered: Gathered) -> Iterator[str]:
    for certificate in gathered.observation.own_certificates.value or ():
        if certificate.role is CertificateRole.CLIENT and certificate.not_after <= gathered.at:
            yield (
                f"our own client certificate ({certificate.source}) expired at {certificate.not_after.isoformat()}: "
                "no member answers us until it is renewed, whatever its state"
            )


def _blinded(gathered: Gathered) -> str:
    """Return why the silence of all members says nothing about them; empty: it does, or somebody answers."""
    endpoints = gathered.observation.endpoints
    is_refused = any(e.status.failure_code == TlsRefused.code for e in endpoints)
    if not is_refused or any(e.latest_status is not None for e in endpoints):
        return ""
    return next(_expired_own(gathered), "")


def _notes(gathered: Gathered, roster: Roster, members: Sequence[MemberAssessment], doubt: str) -> Iterator[str]:
    yield f"the members are those of {roster.source}"
    if doubt:
        yield f"{doubt}: it may have been recovered by other means"
    if gathered.catalogue.failure is not None:
        yield f"the store could not be asked: {gathered.catalogue.failure}"
    if gathered.marker_problem:
        yield f"the store does not say which cluster ids are ours: {gathered.marker_problem}"
    yield from _expired_own(gathered)
    for member in members:
        if member.contradiction:
            yield f"{member.name}: {member.contradiction}; what is seen counts"
        if member.id is None and not member.is_voter:
            yield f"node {member.node} has no member in the list"
