"""Cases of the group etcd-dr.snapshots: the schedule is hourly."""

from __future__ import annotations

from alerts.case import Case, Fired, Growing, steps

_PLACE = 'cluster="prod", store="main"'
PLACE = {"cluster": "prod", "store": "main"}
RESTORABLE = f"etcd_dr_newest_restorable_timestamp_seconds{{{_PLACE}}}"
INTERVAL = f"etcd_dr_schedule_interval_seconds{{{_PLACE}}}"
ENABLED = f"etcd_dr_schedule_enabled{{{_PLACE}}}"
POINTS = f"etcd_dr_restorable_points{{{_PLACE}}}"
DAMAGED = f"etcd_dr_catalog_corrupt_objects{{{_PLACE}}}"
HASH = f"etcd_dr_hashkv_match{{{_PLACE}}}"
KEYS = f"etcd_dr_live_keys{{{_PLACE}}}"
PROBE = f"etcd_dr_store_probe_success{{{_PLACE}}}"
FAILURES = f"etcd_dr_snapshot_failures_in_a_row{{{_PLACE}}}"
REFUSED = f'etcd_dr_retention_total{{{_PLACE}, result="refused"}}'


def levels(**counts: int) -> dict[str, float]:
    return {f'etcd_dr_snapshots{{{_PLACE}, level="{level}"}}': count for level, count in counts.items()}


_STALE = (
    Case("EtcdDRSnapshotStale", "younger than 1.5 hours", 95, {RESTORABLE: 600, INTERVAL: 3600}),
    Case(
        "EtcdDRSnapshotStale",
        "older than 1.5 hours for five minutes",
        107,
        {RESTORABLE: 600, INTERVAL: 3600},
        (
            Fired(
                "The newest proven snapshot of prod is older than its schedule allows. "
                "It was taken 1h 37m 0s ago. What was written since would be lost.",
                PLACE,
            ),
        ),
    ),
    Case("EtcdDRSnapshotStale", "the same age on a daily schedule", 107, {RESTORABLE: 600, INTERVAL: 86400}),
    Case("EtcdDRSnapshotStale", "no schedule, so nothing is late", 600, {RESTORABLE: 600}),
    Case("EtcdDRSnapshotStale", "none is proven, which has an alert of its own", 600, {RESTORABLE: 0, INTERVAL: 3600}),
    Case("EtcdDRSnapshotStale", "taken at last", 200, {RESTORABLE: steps((0, 600), (195, 11700)), INTERVAL: 3600}),
    Case(
        "EtcdDRSnapshotStale",
        "one replica has not read the store since",
        110,
        {
            f'etcd_dr_newest_restorable_timestamp_seconds{{{_PLACE}, pod="a"}}': 600,
            f'etcd_dr_newest_restorable_timestamp_seconds{{{_PLACE}, pod="b"}}': steps((0, 600), (60, 3600)),
            INTERVAL: 3600,
        },
    ),
    Case("EtcdDRSnapshotStaleCritical", "older than 1.5 intervals only", 150, {RESTORABLE: 600, INTERVAL: 3600}),
    Case(
        "EtcdDRSnapshotStaleCritical",
        "older than three",
        196,
        {RESTORABLE: 600, INTERVAL: 3600},
        (
            Fired(
                "The newest proven snapshot of prod is far older than its schedule allows. "
                "It was taken 3h 6m 0s ago. What was written since would be lost.",
                PLACE,
            ),
        ),
    ),
    Case("EtcdDRSnapshotStaleCritical", "none is proven", 600, {RESTORABLE: 0, INTERVAL: 3600}),
)

_NEVER = (
    Case(
        "EtcdDRSnapshotNeverSucceeded",
        "half an hour without any",
        31,
        {RESTORABLE: 0, ENABLED: 1},
        (
            Fired(
                "prod has a schedule and not one proven snapshot. Nothing could be restored today from the store main.",
                PLACE,
            ),
        ),
    ),
    Case("EtcdDRSnapshotNeverSucceeded", "the first one is under way", 29, {RESTORABLE: 0, ENABLED: 1}),
    Case("EtcdDRSnapshotNeverSucceeded", "on demand only", 600, {RESTORABLE: 0, ENABLED: 0}),
    Case("EtcdDRSnapshotNeverSucceeded", "there is one", 600, {RESTORABLE: 600, ENABLED: 1}),
    Case("EtcdDRSnapshotNeverSucceeded", "the store was never read", 600, {ENABLED: 1}),
)

_FAILING = (
    Case(
        "EtcdDRSnapshotFailing",
        "two runs failed",
        20,
        {FAILURES: steps((0, 0), (5, 1), (10, 2))},
        (
            Fired(
                "Snapshots of prod fail. 2 runs in a row failed; the log has the reason of each (snapshot.failed).",
                PLACE,
            ),
        ),
    ),
    Case("EtcdDRSnapshotFailing", "one failed, which is repeated soon", 20, {FAILURES: 1}),
    Case("EtcdDRSnapshotFailing", "went well again", 20, {FAILURES: steps((0, 3), (19, 0))}),
)

_POINTS = (
    Case(
        "EtcdDRTooFewRestorePoints",
        "one of three is proven",
        31,
        {POINTS: 1, **levels(consistent=1, none=2)},
        (
            Fired(
                "Few snapshots of prod are proven. 1 of them could be restored; at least 2 are wanted in main.",
                PLACE,
            ),
        ),
    ),
    Case("EtcdDRTooFewRestorePoints", "a young store", 600, {POINTS: 1, **levels(consistent=1, none=0)}),
    Case("EtcdDRTooFewRestorePoints", "enough", 600, {POINTS: 2, **levels(consistent=2, none=2)}),
)

_DAMAGE = (
    Case(
        "EtcdDRStoredObjectDamaged",
        "one is damaged",
        1,
        {DAMAGED: 1},
        (
            Fired(
                "A stored snapshot of prod is damaged. 1 in the store main are not what was written, or not what the members held.",
                PLACE,
            ),
        ),
    ),
    Case("EtcdDRStoredObjectDamaged", "none is", 60, {DAMAGED: 0}),
    Case(
        "EtcdDRHashMismatch",
        "the hashes differ",
        1,
        {HASH: 0},
        (
            Fired(
                "The newest snapshot of prod does not hold what the live members hold. "
                "HashKV of the file and of a live member differ at the same revision and compact revision.",
                PLACE,
            ),
        ),
    ),
    Case("EtcdDRHashMismatch", "they are equal", 60, {HASH: 1}),
    Case("EtcdDRHashMismatch", "nobody could be asked", 60, {POINTS: 1}),
)

_DAY = 24 * 60
_ANOMALY = "The newest snapshot of prod holds far more or far fewer keys than those of the last week. The number of live keys is "
_SIZES = (
    Case(
        "EtcdDRSnapshotSizeAnomaly",
        "nine keys of ten are gone",
        _DAY + 120,
        {KEYS: steps((0, 50_000), (_DAY + 60, 5_000))},
        (Fired(f"{_ANOMALY}89.29% off the week's average.", PLACE),),
        step=4,
    ),
    Case("EtcdDRSnapshotSizeAnomaly", "steady", _DAY + 120, {KEYS: 50_000}, step=4),
    Case(
        "EtcdDRSnapshotSizeAnomaly",
        "a small cluster",
        _DAY + 120,
        {KEYS: steps((0, 900), (_DAY + 60, 90))},
        step=4,
    ),
    Case(
        "EtcdDRSnapshotSizeAnomaly",
        "a young one has no history to be judged by",
        12 * 60,
        {KEYS: steps((0, 50_000), (11 * 60, 5_000))},
        step=4,
    ),
)

_STORE = (
    Case(
        "EtcdDRStoreUnreachable",
        "a quarter of an hour",
        16,
        {PROBE: 0},
        (
            Fired(
                "The store main cannot be read. Snapshots of prod can be neither written nor checked from there.",
                PLACE,
            ),
        ),
    ),
    Case(
        "EtcdDRStoreUnreachable",
        "from one of two replicas",
        16,
        {
            f'etcd_dr_store_probe_success{{{_PLACE}, pod="a"}}': 1,
            f'etcd_dr_store_probe_success{{{_PLACE}, pod="b"}}': 0,
        },
        (
            Fired(
                "The store main cannot be read. Snapshots of prod can be neither written nor checked from there.",
                PLACE,
            ),
        ),
    ),
    Case("EtcdDRStoreUnreachable", "a short while", 30, {PROBE: steps((0, 1), (10, 0), (20, 1))}),
    Case(
        "EtcdDRStoreUnreachableCritical",
        "two hours",
        121,
        {PROBE: 0},
        (
            Fired(
                "Nobody can read the store main any more. "
                "No snapshot of prod is taken, and none could be fetched for a recovery.",
                PLACE,
            ),
        ),
    ),
    Case("EtcdDRStoreUnreachableCritical", "one hour", 60, {PROBE: 0}),
    Case(
        "EtcdDRStoreUnreachableCritical",
        "the other replica reads it",
        300,
        {
            f'etcd_dr_store_probe_success{{{_PLACE}, pod="a"}}': 1,
            f'etcd_dr_store_probe_success{{{_PLACE}, pod="b"}}': 0,
        },
    ),
    Case(
        "EtcdDRRetentionBlocked",
        "refused all day",
        _DAY + 60,
        {REFUSED: Growing(0.1)},
        (
            Fired(
                "The store main refuses to let old snapshots of prod go. "
                "A lock outlives the retention policy, so the store grows.",
                PLACE,
            ),
        ),
        step=4,
    ),
    Case("EtcdDRRetentionBlocked", "nothing is refused", _DAY + 60, {REFUSED: 7}, step=4),
)

VANISHED = f"etcd_dr_mass_deletion{{{_PLACE}}}"


def answer(holds: str, *, pod: str = "") -> dict[str, float]:
    own = f', pod="{pod}"' if pod else ""
    return {
        f'etcd_dr_recoverable{{{_PLACE}, answer="{each}"{own}}}': each == holds
        for each in ("yes", "yes-but", "unknown", "no")
    }


def reason(code: str) -> str:
    return f'etcd_dr_recoverable_reason{{{_PLACE}, code="{code}", weight="reservation"}}'


_RECOVERABLE = (
    Case(
        "EtcdDRMassDeletion",
        "noticed",
        1,
        {VANISHED: 1},
        (
            Fired(
                "Many keys of prod have vanished. "
                "The last good snapshot is pinned, and one was taken of what is left. Restore nothing yet.",
                PLACE,
            ),
        ),
    ),
    Case("EtcdDRMassDeletion", "somebody said that it was meant", 30, {VANISHED: steps((0, 1), (20, 0))}),
    Case(
        "EtcdDRCompanionsMissing",
        "asked for and not there",
        31,
        {reason("companions.missing"): 1},
        (
            Fired(
                "The newest snapshot of prod lacks files that a recovery needs beside the database. "
                "Certificates, manifests or the encryption configuration were asked for and are not in it.",
                PLACE,
            ),
        ),
    ),
    Case("EtcdDRCompanionsMissing", "nobody asked for them", 60, {reason("companions.not_kept"): 1}),
    Case(
        "EtcdDRNotRecoverable",
        "no",
        31,
        {**answer("no"), ENABLED: 0},
        (
            Fired(
                "prod could not be recovered right now. "
                "There is nothing proven in main to begin with; etcd-dr readiness says why.",
                PLACE,
            ),
        ),
    ),
    Case("EtcdDRNotRecoverable", "a schedule has an alert of its own", 60, {**answer("no"), ENABLED: 1}),
    Case("EtcdDRNotRecoverable", "yes, but", 60, answer("yes-but")),
    Case("EtcdDRNotRecoverable", "nobody can tell", 60, answer("unknown")),
    Case(
        "EtcdDRNotRecoverable",
        "one replica has not read the store since",
        60,
        {**answer("no", pod="a"), **answer("yes", pod="b")},
    ),
)

SNAPSHOTS = (*_STALE, *_NEVER, *_FAILING, *_POINTS, *_DAMAGE, *_SIZES, *_STORE, *_RECOVERABLE)
