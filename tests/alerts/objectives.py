"""Cases of the group etcd-dr.objectives."""

from __future__ import annotations

from alerts.case import Case, Fired
from alerts.snapshots import PLACE

_PLACE = 'cluster="prod", store="main"'
WOULD_BE_LOST = f"etcd_dr_rpo_seconds{{{_PLACE}}}"
MAY_BE_LOST = f"etcd_dr_rpo_objective_seconds{{{_PLACE}}}"
BUDGET = f"etcd_dr_rpo_budget_left_ratio{{{_PLACE}}}"


def status(objective: str, holds: str, *, pod: str = "") -> dict[str, float]:
    own = f', pod="{pod}"' if pod else ""
    return {
        f'etcd_dr_objective_status{{{_PLACE}, objective="{objective}", status="{each}"{own}}}': each == holds
        for each in ("unset", "met", "at-risk", "broken", "unknown")
    }


_RPO = Fired(
    "The RPO of prod will not be kept if nothing is done. "
    "The next snapshot comes too late, the last ones failed, or none is proven at all.",
    PLACE,
)
_RTO = Fired(
    "A recovery of prod would take longer than its objective allows, or nearly so. "
    "It is judged by the last drill that passed, and by how much the database has grown since.",
    PLACE,
)

OBJECTIVES = (
    Case(
        "EtcdDRRPOExceeded",
        "older than may be lost",
        1,
        {WOULD_BE_LOST: 7500, MAY_BE_LOST: 7200},
        (
            Fired(
                "More of prod would be lost than its objective allows. "
                "What was written in the last 2h 5m 0s is in no proven snapshot of main.",
                PLACE,
            ),
        ),
    ),
    Case("EtcdDRRPOExceeded", "younger", 30, {WOULD_BE_LOST: 7100, MAY_BE_LOST: 7200}),
    Case("EtcdDRRPOExceeded", "no objective", 30, {WOULD_BE_LOST: 1e9}),
    Case(
        "EtcdDRRPOExceeded",
        "one replica has not read the store since",
        30,
        {
            f'etcd_dr_rpo_seconds{{{_PLACE}, pod="a"}}': 7500,
            f'etcd_dr_rpo_seconds{{{_PLACE}, pod="b"}}': 60,
            MAY_BE_LOST: 7200,
        },
    ),
    Case("EtcdDRRPOAtRisk", "at risk", 11, status("rpo", "at-risk"), (_RPO,)),
    Case(
        "EtcdDRRPOAtRisk",
        "only the replica that takes them knows that they fail",
        11,
        {**status("rpo", "at-risk", pod="a"), **status("rpo", "met", pod="b")},
        (_RPO,),
    ),
    Case("EtcdDRRPOAtRisk", "met", 60, status("rpo", "met")),
    Case("EtcdDRRPOAtRisk", "no objective", 60, status("rpo", "unset")),
    Case("EtcdDRRPOAtRisk", "it is the other objective", 60, status("rto", "broken")),
    Case(
        "EtcdDRRPOBudgetSpent",
        "overdrawn",
        31,
        {BUDGET: -0.5},
        (
            Fired(
                "The RPO of prod was broken more often than it may be. "
                "Of the misses that its share of the window allows, -50% are left.",
                PLACE,
            ),
        ),
    ),
    Case("EtcdDRRPOBudgetSpent", "some is left", 60, {BUDGET: 0.2}),
    Case("EtcdDRRTOAtRisk", "broken", 11, status("rto", "broken"), (_RTO,)),
    Case("EtcdDRRTOAtRisk", "at risk", 11, status("rto", "at-risk"), (_RTO,)),
    Case("EtcdDRRTOAtRisk", "met", 60, status("rto", "met")),
    Case("EtcdDRRTOAtRisk", "nobody drilled", 60, status("rto", "unknown")),
)
