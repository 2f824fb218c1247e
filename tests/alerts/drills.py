"""Cases of the group etcd-dr.drills."""

from __future__ import annotations

from alerts.case import Case, Fired, steps
from alerts.snapshots import PLACE

_PLACE = 'cluster="prod", store="main"'
RESULT = f"etcd_dr_drill_last_result{{{_PLACE}}}"
PASSED_AT = f"etcd_dr_drill_last_success_timestamp_seconds{{{_PLACE}}}"
MAX_AGE = f"etcd_dr_drill_max_age_seconds{{{_PLACE}}}"
_DAY = 24 * 60

DRILLS = (
    Case(
        "EtcdDRDrillFailed",
        "the last one failed",
        1,
        {RESULT: 0},
        (
            Fired(
                "The last drill of prod could not restore its snapshot. "
                "A real etcd refused the restored data, or held something else than was saved.",
                PLACE,
            ),
        ),
    ),
    Case("EtcdDRDrillFailed", "a later one passed", 30, {RESULT: steps((0, 0), (20, 1))}),
    Case("EtcdDRDrillFailed", "nobody drilled", 30, {PASSED_AT: 0}),
    Case(
        "EtcdDRDrillStale",
        "older than it may be",
        _DAY + 80,
        {PASSED_AT: 600, MAX_AGE: 86_400},
        (Fired("No snapshot of prod was rehearsed for long. The last drill that passed was 1d 1h 10m 0s ago.", PLACE),),
        step=4,
    ),
    Case("EtcdDRDrillStale", "young enough", _DAY, {PASSED_AT: 600, MAX_AGE: 2 * 86_400}, step=4),
    Case(
        "EtcdDRDrillStale",
        "nobody said how old, and the last one is nine days ago",
        9 * _DAY,
        {PASSED_AT: 600},
        (
            Fired(
                "No snapshot of prod was rehearsed for long. The last drill that passed was 8d 23h 50m 0s ago.", PLACE
            ),
        ),
        step=4,
    ),
    Case("EtcdDRDrillStale", "nobody said how old, three days", 3 * _DAY, {PASSED_AT: 600}, step=4),
    Case("EtcdDRDrillStale", "none ever passed", 300, {PASSED_AT: 0, MAX_AGE: 3600}),
    Case(
        "EtcdDRDrillNever",
        "asked for since a day",
        _DAY + 20,
        {PASSED_AT: 0, MAX_AGE: 86_400},
        (
            Fired(
                "No drill of prod has ever passed. "
                "Drills are asked for, and none has shown yet that a snapshot in main can be restored.",
                PLACE,
            ),
        ),
        step=4,
    ),
    Case("EtcdDRDrillNever", "asked for since an hour", 60, {PASSED_AT: 0, MAX_AGE: 86_400}),
    Case("EtcdDRDrillNever", "nobody asks", 2 * _DAY, {PASSED_AT: 0}, step=4),
)
