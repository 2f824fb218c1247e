"""Cases of the group etcd-dr.itself."""

from __future__ import annotations

from alerts.case import Case, Fired, Growing, Values, steps

BUILD = 'etcd_dr_build_info{version="1"}'
ROUND = 'etcd_dr_health_round_timestamp_seconds{cluster="prod"}'
FAILED = 'etcd_dr_notifications_total{receiver="oncall", result="failed"}'
LEADS = 'etcd_dr_leader{cluster="prod"}'
_ABSENT = Fired(
    "Nobody watches etcd. "
    "Prometheus has had no metrics of etcd-dr for 15 minutes, so none of its other alerts can fire."
)


def failing(task: str) -> str:
    return f'etcd_dr_job_failing{{cluster="prod", task="{task}"}}'


def leads(pod: str, value: Values) -> dict[str, Values]:
    return {f'etcd_dr_leader{{cluster="prod", pod="{pod}"}}': value}


def mode(holds: str) -> dict[str, Values]:
    return {f'etcd_dr_leadership_mode{{mode="{each}"}}': each == holds for each in ("sole", "leases", "survival")}


_NOBODY = Fired(
    "No process of etcd-dr leads prod. It is watched, and nobody takes or verifies its snapshots.", {"cluster": "prod"}
)

ITSELF = (
    Case("EtcdDRMetricsAbsent", "nothing was ever scraped", 20, {}, (_ABSENT,)),
    Case("EtcdDRMetricsAbsent", "gone for a quarter of an hour", 50, {BUILD: steps((0, 1), (30, None))}, (_ABSENT,)),
    Case("EtcdDRMetricsAbsent", "a restart", 40, {BUILD: steps((0, 1), (30, None))}),
    Case("EtcdDRMetricsAbsent", "there", 60, {BUILD: 1}),
    Case(
        "EtcdDRWatchStale",
        "the last round is a quarter of an hour old",
        20,
        {ROUND: 300},
        (
            Fired(
                "Nobody has looked at the members of prod for long. "
                "The last health round began 15m 0s ago. What is said about its quorum is as old.",
                {"cluster": "prod"},
            ),
        ),
    ),
    Case("EtcdDRWatchStale", "rounds go on", 20, {ROUND: 1100}),
    Case(
        "EtcdDRWatchStale",
        "one of two replicas makes them",
        20,
        {
            'etcd_dr_health_round_timestamp_seconds{cluster="prod", pod="a"}': 0,
            'etcd_dr_health_round_timestamp_seconds{cluster="prod", pod="b"}': 1190,
        },
    ),
    Case("EtcdDRNoLeader", "ten minutes", 11, {**leads("a", 0), **leads("b", 0)}, (_NOBODY,)),
    Case("EtcdDRNoLeader", "one of two leads", 60, {**leads("a", 0), **leads("b", 1)}),
    Case(
        "EtcdDRNoLeader",
        "a hand-over",
        60,
        {**leads("a", steps((0, 1), (30, 0))), **leads("b", steps((0, 0), (35, 1)))},
    ),
    Case("EtcdDRNoLeader", "in survival mode nobody leads", 60, {**leads("a", 0), **mode("survival")}),
    Case(
        "EtcdDRSeveralLeaders",
        "two processes without leases",
        16,
        {**leads("a", 1), **leads("b", 1)},
        (
            Fired(
                "2 processes of etcd-dr lead prod. They run without leases (no config.kubernetes) or in different "
                "namespaces, and do all work twice.",
                {"cluster": "prod"},
            ),
        ),
    ),
    Case("EtcdDRSeveralLeaders", "one leads", 60, {**leads("a", 1), **leads("b", 0)}),
    Case(
        "EtcdDRSurvivalMode",
        "ten minutes",
        11,
        mode("survival"),
        (
            Fired(
                "etcd-dr cannot reach the Kubernetes API, and goes on without it. Health, metrics and scheduled "
                "snapshots go on; requests by kubectl, verification and drills wait.",
                {"mode": "survival"},
            ),
        ),
    ),
    Case("EtcdDRSurvivalMode", "leases", 60, mode("leases")),
    Case("EtcdDRSurvivalMode", "one process only", 60, mode("sole")),
    Case(
        "EtcdDRJobFailing",
        "verification fails",
        16,
        {failing("verification"): 1, LEADS: 1},
        (
            Fired(
                "prod: verification ended with an error. "
                "The log has the reason (verification.failed), and what to do about it.",
                {"cluster": "prod", "task": "verification"},
            ),
        ),
    ),
    Case("EtcdDRJobFailing", "snapshots have an alert of their own", 60, {failing("snapshot"): 1, LEADS: 1}),
    Case("EtcdDRJobFailing", "goes well", 60, {failing("retention"): 0, LEADS: 1}),
    Case("EtcdDRJobFailing", "it failed where another replica leads now", 60, {failing("retention"): 1, LEADS: 0}),
    Case(
        "EtcdDRNotificationsFailing",
        "some fail",
        60,
        {FAILED: Growing(0.1)},
        (
            Fired(
                "Messages of etcd-dr to oncall do not arrive. "
                "Within 30 minutes 3 could not be delivered; the log has the reason (notification.failed).",
                {"receiver": "oncall"},
            ),
        ),
    ),
    Case("EtcdDRNotificationsFailing", "none fails", 60, {FAILED: 4}),
)
