"""The way of a snapshot: runs, phases, what is stored, and what the operator does besides."""

from __future__ import annotations

from collections.abc import Sequence

from .panels import BLUE, GREEN, ORANGE, RED, Panel, Query, Row
from .queries import PLACE, SELECTED, YES_NO, age, best, increase, worst

_STEPS_OF_TASKS = ((None, GREEN), (1, RED))
SNAPSHOTS: Sequence[Row | Panel] = (
    Row("Runs"),
    Panel("Newest snapshot", "stat", (Query(age("last_success_timestamp_seconds"), PLACE, instant=True),), unit="s"),
    Panel(
        "Newest proven snapshot",
        "stat",
        (Query(age("newest_restorable_timestamp_seconds"), PLACE, instant=True),),
        unit="s",
    ),
    Panel(
        "Next run",
        "stat",
        (Query(f"{best('next_run_timestamp_seconds')} - time()", PLACE, instant=True),),
        unit="s",
    ),
    Panel(
        "Failures in a row",
        "stat",
        (Query(best("snapshot_failures_in_a_row"), PLACE, instant=True),),
        steps=((None, GREEN), (1, ORANGE), (2, RED)),
    ),
    Panel(
        "Runs by result",
        "timeseries",
        (Query(increase("snapshot", "cluster, store, result"), f"{PLACE} {{{{result}}}}"),),
        width=12,
        height=8,
        stacked=True,
    ),
    Panel(
        "Duration",
        "timeseries",
        tuple(
            Query(
                f"histogram_quantile({share}, sum by (cluster, store, le) "
                f"(rate(etcd_dr_snapshot_duration_seconds_bucket{SELECTED}[1d])))",
                f"{PLACE} {name}",
            )
            for share, name in ((0.5, "median"), (0.95, "95 %"))
        ),
        "Of committed snapshots within a day.",
        width=12,
        height=8,
        unit="s",
    ),
    Panel(
        "Time in each phase of a run",
        "timeseries",
        (
            Query(
                f"sum by (cluster, store, phase) (increase(etcd_dr_snapshot_phase_seconds_total{SELECTED}[1d])) "
                "/ on (cluster, store) group_left () "
                f"(sum by (cluster, store) (increase(etcd_dr_snapshot_duration_seconds_count{SELECTED}[1d])) > 0)",
                f"{PLACE} {{{{phase}}}}",
            ),
        ),
        "Average of a day. Phases overlap: they are not the parts of a whole.",
        width=12,
        height=8,
        unit="s",
    ),
    Panel(
        "Throughput",
        "timeseries",
        (
            Query(
                f"sum by (cluster, store) (increase(etcd_dr_snapshot_stored_bytes_total{SELECTED}[1d])) "
                f"/ (sum by (cluster, store) (increase(etcd_dr_snapshot_duration_seconds_sum{SELECTED}[1d])) > 0)",
                PLACE,
            ),
        ),
        "Bytes as they are stored, by the time of the whole run; average of a day.",
        width=12,
        height=8,
        unit="Bps",
    ),
    Row("What is stored"),
    Panel(
        "Size of the newest snapshot",
        "timeseries",
        (
            Query(best("snapshot_size_bytes"), f"{PLACE} plain"),
            Query(best("snapshot_stored_size_bytes"), f"{PLACE} stored"),
        ),
        width=12,
        height=8,
        unit="bytes",
    ),
    Panel(
        "Compression",
        "timeseries",
        (Query(f"{best('snapshot_size_bytes')} / {best('snapshot_stored_size_bytes')}", PLACE),),
        "Plain size by stored size.",
        width=12,
        height=8,
    ),
    Panel(
        "The store can be read",
        "state-timeline",
        (Query(worst("store_probe_success"), PLACE),),
        width=12,
        words=YES_NO,
    ),
    Panel(
        "Hash equals that of live members",
        "state-timeline",
        (Query(worst("hashkv_match"), PLACE),),
        width=12,
        words=YES_NO,
    ),
    Panel(
        "Verified again",
        "timeseries",
        (Query(increase("verification", "cluster, store, result"), f"{PLACE} {{{{result}}}}"),),
        width=8,
        height=7,
    ),
    Panel(
        "Retention",
        "timeseries",
        (Query(increase("retention", "cluster, store, result"), f"{PLACE} {{{{result}}}}"),),
        width=8,
        height=7,
    ),
    Panel(
        "Folders without a manifest",
        "timeseries",
        (Query(best("catalog_uncommitted"), PLACE),),
        "Under way, or left by an interrupted run; swept after a day.",
        width=8,
        height=7,
    ),
    Row("The operator itself"),
    Panel(
        "Tasks that fail",
        "table",
        (Query(f"{best('job_failing', 'cluster, task')} == 1", instant=True, format="table"),),
        width=8,
        steps=_STEPS_OF_TASKS,
        columns={"cluster": "cluster", "task": "task"},
    ),
    Panel(
        "Errors",
        "timeseries",
        (Query(increase("job_errors", "cluster, task, code"), "{{cluster}} {{task}} {{code}}"),),
        width=8,
        height=7,
    ),
    Panel(
        "Messages",
        "timeseries",
        (
            Query(
                "sum by (receiver, result) (increase(etcd_dr_notifications_total[$__rate_interval]))",
                "{{receiver}} {{result}}",
            ),
        ),
        width=8,
        height=7,
    ),
    Panel(
        "Leads",
        "state-timeline",
        (Query(f"max by (cluster, instance) (etcd_dr_leader{SELECTED})", "{{cluster}} {{instance}}"),),
        "The one dashboard line that is told apart by process: which of the replicas does the work.",
        width=16,
        words={"0": ("watches", BLUE), "1": ("leads", GREEN)},
    ),
    Panel(
        "Without the Kubernetes API",
        "stat",
        (Query("max by (mode) (etcd_dr_leadership_mode == 1)", "{{mode}}", instant=True),),
        "sole: one process; leases: several; survival: the API does not answer, and work goes on.",
        width=8,
    ),
)
