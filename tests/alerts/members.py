"""Cases of the group etcd-dr.members."""

from __future__ import annotations

from alerts.case import Case, Fired, steps

CLUSTER = {"cluster": "prod"}
M2 = {"cluster": "prod", "member": "m2"}
_VERDICTS = ("held", "held-without-tolerance", "lost-may-return", "cannot-tell")


def verdict(holds: str, *, pod: str = "") -> dict[str, float]:
    own = f', pod="{pod}"' if pod else ""
    return {f'etcd_dr_quorum_verdict{{cluster="prod", verdict="{each}"{own}}}': each == holds for each in _VERDICTS}


def finding(code: str, severity: str, member: str = "m2") -> str:
    return f'etcd_dr_finding{{cluster="prod", code="{code}", severity="{severity}", member="{member}"}}'


def of_member(name: str, member: str = "m2", **more: str) -> str:
    labels = ", ".join(f'{key}="{value}"' for key, value in {"member": member, **more}.items())
    return f'etcd_dr_{name}{{cluster="prod", {labels}}}'


VOTERS = 'etcd_dr_voters{cluster="prod"}'
_LOST = Fired(
    "prod has lost its quorum, or nobody can be asked. "
    "Writes and linearizable reads fail. Wipe nothing, remove no member; begin with the runbook.",
    CLUSTER,
)

_QUORUM = (
    Case("EtcdDRQuorumLost", "lost for a minute", 2, verdict("lost-may-return"), (_LOST,)),
    Case("EtcdDRQuorumLost", "nobody answers", 2, verdict("cannot-tell"), (_LOST,)),
    Case(
        "EtcdDRQuorumLost",
        "the verdict changes its word meanwhile",
        3,
        {
            'etcd_dr_quorum_verdict{cluster="prod", verdict="lost-may-return"}': steps((0, 1), (2, 0)),
            'etcd_dr_quorum_verdict{cluster="prod", verdict="cannot-tell"}': steps((0, 0), (2, 1)),
            'etcd_dr_quorum_verdict{cluster="prod", verdict="held"}': 0,
        },
        (_LOST,),
    ),
    Case("EtcdDRQuorumLost", "held", 10, verdict("held")),
    Case("EtcdDRQuorumLost", "held without tolerance", 10, verdict("held-without-tolerance")),
    Case(
        "EtcdDRQuorumLost",
        "one replica is cut off, the other has proof",
        10,
        {**verdict("cannot-tell", pod="a"), **verdict("held", pod="b")},
    ),
    Case(
        "EtcdDRNoFaultTolerance",
        "ten minutes with one of three down",
        11,
        {**verdict("held-without-tolerance"), VOTERS: 3},
        (
            Fired(
                "One more lost member ends the quorum of prod. "
                "A member is down or lags. Bring it back, or replace it, before anything else is done.",
                CLUSTER,
            ),
        ),
    ),
    Case("EtcdDRNoFaultTolerance", "a restart", 9, {**verdict("held-without-tolerance"), VOTERS: 3}),
    Case("EtcdDRNoFaultTolerance", "a cluster of one", 60, {**verdict("held-without-tolerance"), VOTERS: 1}),
    Case("EtcdDRNoFaultTolerance", "all are there", 60, {**verdict("held"), VOTERS: 3}),
    Case(
        "EtcdDRNoFaultTolerance",
        "one replica does not see them all",
        60,
        {**verdict("held-without-tolerance", pod="a"), **verdict("held", pod="b"), VOTERS: 3},
    ),
)

_MEMBERS = (
    Case(
        "EtcdDRMemberDown",
        "ten minutes",
        11,
        {of_member("member_up", "m1", role="leader"): 1, of_member("member_up", role="voter"): 0},
        (
            Fired(
                "Member m2 of prod does not answer. "
                "It is down, was never started, or cannot be reached from where etcd-dr runs.",
                M2,
            ),
        ),
    ),
    Case("EtcdDRMemberDown", "a restart", 20, {of_member("member_up", role="voter"): steps((0, 1), (5, 0), (12, 1))}),
    Case(
        "EtcdDRMemberDown",
        "it changed its role",
        30,
        {
            of_member("member_up", role="follower"): steps((0, 1), (10, None)),
            of_member("member_up", role="leader"): steps((0, None), (10, 1)),
        },
    ),
    Case(
        "EtcdDRLearnerStuck",
        "stuck",
        6,
        {finding("member.learner_stuck", "warning"): 1},
        (
            Fired(
                "Member m2 of prod stays a learner. "
                "It has no vote, so the cluster tolerates no more than it did without it.",
                M2,
            ),
        ),
    ),
    Case("EtcdDRLearnerStuck", "a learner on its way", 30, {finding("member.learner", "info"): 1}),
    Case(
        "EtcdDRRevisionLag",
        "m2 is far behind",
        6,
        {of_member("member_revision", "m1"): 50_000, of_member("member_revision"): 30_000},
        (
            Fired(
                "Member m2 of prod lags behind. "
                "It is 20000 revisions behind the newest member, and answers local reads from the past.",
                M2,
            ),
        ),
    ),
    Case(
        "EtcdDRRevisionLag",
        "two replicas looked at different times",
        30,
        {
            of_member("member_revision", "m1", pod="a"): 50_000,
            of_member("member_revision", "m2", pod="a"): 50_000,
            of_member("member_revision", "m1", pod="b"): 30_000,
            of_member("member_revision", "m2", pod="b"): 30_000,
        },
    ),
    Case(
        "EtcdDRRevisionLag", "close", 30, {of_member("member_revision", "m1"): 500, of_member("member_revision"): 400}
    ),
)

_DATA = (
    Case(
        "EtcdDRMembersDiverged",
        "two hashes",
        1,
        {finding("members.diverged", "critical", ""): 1},
        (
            Fired(
                "Members of prod hold different data. "
                "The same revision has different content; clients read one or the other, by chance.",
                CLUSTER,
            ),
        ),
    ),
    Case("EtcdDRMembersDiverged", "seen in one round only", 30, {finding("members.diverged", "warning", ""): 1}),
    Case(
        "EtcdDRAlarmActive",
        "NOSPACE",
        1,
        {of_member("alarm", type="NOSPACE"): 1},
        (
            Fired(
                "Member m2 of prod raised NOSPACE. "
                "With NOSPACE the cluster takes no writes; with CORRUPT a member's data is not to be trusted.",
                {**M2, "type": "NOSPACE"},
            ),
        ),
    ),
    Case("EtcdDRAlarmActive", "disarmed", 10, {of_member("alarm", type="NOSPACE"): steps((0, 1), (5, None))}),
    Case(
        "EtcdDRDatabaseNearQuota",
        "nine tenths",
        11,
        {of_member("member_db_size_bytes"): 1.8e9, of_member("member_db_quota_bytes"): 2e9},
        (
            Fired(
                "The database of m2 of prod is nearly full. "
                "90% of its quota is taken. At the quota the whole cluster refuses writes.",
                M2,
            ),
        ),
    ),
    Case(
        "EtcdDRDatabaseNearQuota",
        "half",
        60,
        {of_member("member_db_size_bytes"): 1e9, of_member("member_db_quota_bytes"): 2e9},
    ),
    Case("EtcdDRDatabaseNearQuota", "the quota is not known", 60, {of_member("member_db_size_bytes"): 1e12}),
)

_WHOSE = {"cluster": "prod", "role": "server", "source": "https://10.0.0.1:2379", "subject": "CN=m1"}
_DAY = 86_400


def ends(days: float, *, of: float = 365) -> dict[str, float]:
    labels = ", ".join(f'{key}="{value}"' for key, value in _WHOSE.items())
    return {
        f"etcd_dr_cert_not_after_seconds{{{labels}}}": days * _DAY,
        f"etcd_dr_cert_lifetime_seconds{{{labels}}}": of * _DAY,
    }


_CERTIFICATES = (
    Case(
        "EtcdDRCertificateExpiry",
        "twenty days",
        60,
        ends(20),
        (
            Fired(
                "A certificate of prod ends soon (server). CN=m1 of https://10.0.0.1:2379 ends in 19d 23h 0m 0s.",
                _WHOSE,
            ),
        ),
    ),
    Case("EtcdDRCertificateExpiry", "a year", 120, ends(365)),
    Case("EtcdDRCertificateExpiry", "one of ten days, with half of them to come", 120, ends(5, of=10)),
    Case(
        "EtcdDRCertificateExpiryCritical",
        "three days",
        60,
        ends(3),
        (
            Fired(
                "A certificate of prod is about to end (server). CN=m1 of https://10.0.0.1:2379 ends in 2d 23h 0m 0s.",
                _WHOSE,
            ),
        ),
    ),
    Case("EtcdDRCertificateExpiryCritical", "twenty days", 120, ends(20)),
    Case("EtcdDRCertificateExpiryCritical", "one of a day, with half of it to come", 120, ends(0.5, of=1)),
)

_BROKEN = "A health rule of etcd-dr says that something is broken, or will be within days."
_LOOK = "A health rule of etcd-dr says that somebody should look, soon."
_FINDINGS = (
    Case(
        "EtcdDRFindingCritical",
        "a clock that is far off",
        6,
        {finding("clock.skew", "critical"): 1},
        (Fired(f"prod: clock.skew (m2). {_BROKEN}", {**M2, "code": "clock.skew"}),),
    ),
    Case(
        "EtcdDRFindingCritical",
        "one of the cluster as a whole",
        6,
        {finding("store.marker_damaged", "critical", ""): 1},
        (Fired(f"prod: store.marker_damaged. {_BROKEN}", {**CLUSTER, "code": "store.marker_damaged"}),),
    ),
    Case("EtcdDRFindingCritical", "an alert of its own tells it", 60, {finding("alarm.nospace", "critical"): 1}),
    Case("EtcdDRFindingCritical", "so is mass deletion", 60, {finding("data.mass_deletion", "critical", ""): 1}),
    Case("EtcdDRFindingCritical", "a warning", 60, {finding("clock.skew", "warning"): 1}),
    Case(
        "EtcdDRFindingWarning",
        "half an hour",
        31,
        {finding("disk.slow_fsync", "warning"): 1},
        (Fired(f"prod: disk.slow_fsync (m2). {_LOOK}", {**M2, "code": "disk.slow_fsync"}),),
    ),
    Case("EtcdDRFindingWarning", "a short while", 20, {finding("disk.slow_fsync", "warning"): 1}),
    Case("EtcdDRFindingWarning", "an alert of its own tells it", 60, {finding("member.unreachable", "warning"): 1}),
    Case("EtcdDRFindingWarning", "so are objectives", 60, {finding("objective.rpo_at_risk", "warning", ""): 1}),
    Case(
        "EtcdDRFindingWarning",
        "a schedule that is too slow has none",
        31,
        {finding("objective.schedule_too_slow", "warning", ""): 1},
        (Fired(f"prod: objective.schedule_too_slow. {_LOOK}", {**CLUSTER, "code": "objective.schedule_too_slow"}),),
    ),
    Case("EtcdDRFindingWarning", "worth reading only", 60, {finding("disk.slow_fsync", "info"): 1}),
)

MEMBERS = (*_QUORUM, *_MEMBERS, *_DATA, *_CERTIFICATES, *_FINDINGS)
