"""The ways that touch no data: do nothing, start what is down, remove a cause."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from etcd_dr.domain.cluster import quorum_size
from etcd_dr.domain.recovery.assessment import Assessment, MemberAssessment, MemberVerdict, QuorumStanding
from etcd_dr.domain.recovery.candidate import Candidate, Loss, NodeEffect, Way
from etcd_dr.domain.recovery.clues import Cause
from etcd_dr.domain.recovery.losses import NO_LOSS
from etcd_dr.domain.recovery.rates import Rates
from etcd_dr.domain.recovery.startable import held_back, startable_members

_STARTED = "etcd is started; its data is not touched"
_WAITED_FOR = (
    "its process runs and says nothing; it is waited for. Alone it waits for a majority; if it hangs all the same, restart "
    "it by hand (systemctl restart etcd; kubeadm: crictl stop ID)"
)
_SMALL_FLAWS = (Cause.NONE, Cause.LEARNER_BEHIND)


def nothing(assessment: Assessment) -> Candidate:
    """Return the way of leaving it alone."""
    return Candidate(
        way=Way.NOTHING,
        summary="leave it alone: the cluster serves",
        reasons=(assessment.reason,),
        obstacle=_why_not_nothing(assessment),
        loss=NO_LOSS,
        expected_seconds=0.0,
    )


def _why_not_nothing(assessment: Assessment) -> str:
    if assessment.standing is not QuorumStanding.HELD:
        return f"the cluster does not serve: {assessment.reason}"
    if assessment.dispute:
        return assessment.dispute
    ailing = [m for m in assessment.members if not _is_well(m)]
    alarms = [f"the alarm {kind} is raised" for kind in assessment.alarms]
    return "; ".join([*(_ailment(m) for m in ailing), *alarms])


def _ailment(member: MemberAssessment) -> str:
    return f"{member.name} is {member.verdict.value}" + (f" ({member.cause.value})" if member.cause else "")


def _is_well(member: MemberAssessment) -> bool:
    return member.verdict in (MemberVerdict.HEALTHY, MemberVerdict.LEARNER) and member.cause in _SMALL_FLAWS


def start(assessment: Assessment, rates: Rates) -> Candidate:
    """Return the way of starting what is down with its data; where all of it runs, of waiting for it."""
    members = startable_members(assessment)
    by_hand = [m for m in assessment.members if m.verdict is MemberVerdict.SAID_INTACT]
    return Candidate(
        way=Way.START,
        target=",".join(m.name for m in members),
        summary=f"start {_names(members)}: the data is there" if members else "wait until the members find one another",
        reasons=tuple(m.evidence[-1] for m in members if m.evidence),
        obstacle=_why_not_start(assessment, members, by_hand),
        loss=NO_LOSS,
        expected_seconds=rates.serve_seconds(keys=None),
        effects=tuple(NodeEffect(node=m.node, effect=_WAITED_FOR if m.is_silent else _STARTED) for m in members),
        needs_hands=tuple(
            f"start etcd on {m.node or m.name}: it cannot be reached from here (systemctl start etcd; on kubeadm see "
            "that /etc/kubernetes/manifests/etcd.yaml is there and the kubelet runs)"
            for m in by_hand
        ),
    )


def _why_not_start(
    assessment: Assessment, members: Sequence[MemberAssessment], by_hand: Sequence[MemberAssessment]
) -> str:
    if assessment.blinded:
        return assessment.blinded
    if assessment.standing is QuorumStanding.HELD:
        return "" if members or by_hand else "nothing that is down has its data"
    answering = [m for m in assessment.voters if m.verdict.answers and m not in held_back(assessment)]
    could_vote = [m for m in (*answering, *members, *by_hand) if m.is_voter]
    needed = quorum_size(len(assessment.voters))
    if assessment.voters and len(could_vote) >= needed:
        return ""
    return f"with everything started that can be, {len(could_vote)} of {len(assessment.voters)} voters would vote; {needed} are needed"


def repairs(assessment: Assessment, rates: Rates) -> Iterator[Candidate]:
    """Yield one way for each cause that was found; one with its obstacle where none was."""
    found = [*alarm_repairs(assessment, rates), *_hand_repairs(assessment)]
    yield from found or [
        Candidate(
            way=Way.REPAIR,
            summary="remove what keeps members down",
            obstacle="no cause was found that could be removed (certificate, disk, quota, manifest)",
            loss=NO_LOSS,
        )
    ]


def alarm_repairs(assessment: Assessment, rates: Rates) -> Iterator[Candidate]:
    """Yield one way for each alarm that can be taken back."""
    is_held = assessment.standing is QuorumStanding.HELD
    obstacle = "" if is_held else "an alarm can only be taken back through the quorum, which is not held"
    answering = [m for m in assessment.members if m.verdict.answers]
    if "NOSPACE" in assessment.alarms:
        size = sum(m.database_bytes or 0 for m in answering)
        yield Candidate(
            way=Way.REPAIR,
            target=Cause.NO_SPACE.value,
            summary="make room: compact, defragment one member after the other, take the alarm NOSPACE back",
            reasons=("the database reached its quota, and every write is refused",),
            obstacle=obstacle,
            loss=Loss(
                seconds=0.0, revisions=0, keys=0, text="no data; only the history of keys, which clients may watch"
            ),
            expected_seconds=size / rates.defragment_bytes_per_second + rates.election_seconds,
            effects=tuple(
                NodeEffect(node=m.node or m.name, effect=f"{m.name} answers nothing while it is defragmented")
                for m in answering
            ),
        )
    accused = [m for m in answering if "CORRUPT" in m.alarms]
    if accused and all(m.cause is Cause.FALSE_CORRUPT for m in accused):
        yield Candidate(
            way=Way.REPAIR,
            target=Cause.FALSE_CORRUPT.value,
            summary="take the alarm CORRUPT back: it is a false one",
            reasons=tuple(m.evidence[-1] for m in accused),
            obstacle=obstacle or assessment.dispute,
            loss=NO_LOSS,
            expected_seconds=rates.election_seconds,
        )


def _hand_repairs(assessment: Assessment) -> Iterator[Candidate]:
    waiting = held_back(assessment)
    for cause in dict.fromkeys(m.cause for m in waiting):
        members = [m for m in waiting if m.cause is cause]
        yield Candidate(
            way=Way.REPAIR,
            target=cause.value,
            summary=f"remove what is wrong with {_names(members)} ({cause.value}), then start what is down",
            reasons=tuple(m.evidence[-1] for m in members if m.evidence),
            obstacle=_why_not_repair(assessment),
            loss=NO_LOSS,
            expected_seconds=None,
            effects=tuple(
                NodeEffect(node=m.node, effect="etcd is started again, where it is down") for m in members if m.node
            ),
            needs_hands=tuple(f"{m.node or m.name}: {_instruction(assessment, m)}" for m in members),
        )


def _why_not_repair(assessment: Assessment) -> str:
    if assessment.blinded:
        return assessment.blinded
    able = [m for m in assessment.voters if m.verdict.may_vote_again]
    needed = quorum_size(len(assessment.voters))
    if assessment.standing is QuorumStanding.HELD or len(able) >= needed:
        return ""
    return f"even then {len(able)} of {len(assessment.voters)} voters would vote; {needed} are needed"


def _instruction(assessment: Assessment, member: MemberAssessment) -> str:
    """Return what a person does, with the commands of the platform."""
    is_kubeadm = assessment.platform == "static-pod"
    directory = member.data.directory if member.data else "DATA_DIR"
    match member.cause:
        case Cause.CERTIFICATE_EXPIRED if is_kubeadm:
            return (
                "renew its certificates: kubeadm certs check-expiration; kubeadm certs renew etcd-server; "
                "kubeadm certs renew etcd-peer; kubeadm certs renew apiserver-etcd-client"
            )
        case Cause.CERTIFICATE_EXPIRED:
            return (
                "renew its certificates, with the same authority and the same names, in the same files: "
                "openssl x509 -noout -subject -enddate -in CERT_FILE"
            )
        case Cause.DISK_FULL:
            return (
                f"make room on its disk, and touch no file of etcd's own: df -h {directory}; "
                f"du -xh --max-depth=2 $(findmnt -no TARGET -T {directory}) | sort -h | tail"
            )
        case _ if is_kubeadm:
            return (
                "correct how etcd is started, by what its log says: cat /etc/kubernetes/manifests/etcd.yaml; "
                "crictl logs $(crictl ps -aq --name etcd | head -1)"
            )
        case _:
            return "correct how etcd is started, by what its log says: systemctl cat etcd; journalctl -u etcd -n 50"


def _names(members: Sequence[MemberAssessment]) -> str:
    return ", ".join(member.name for member in members)
