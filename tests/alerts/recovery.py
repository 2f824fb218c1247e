"""Cases of the group etcd-dr.recovery."""

from __future__ import annotations

from alerts.case import Case, Fired, Values, steps

_ID = "20260820T040100Z-000000000001"
PLACE = {"cluster": "prod", "recovery": _ID}
_LABELS = f'cluster="prod", recovery="{_ID}"'
WRITTEN = f"etcd_dr_recovery_step_started_timestamp_seconds{{{_LABELS}}}"
_STATES = ("running", "stopped", "failed", "aborting", "finished", "aborted", "locked", "damaged")


def _state(name: str, *, pod: str = "") -> str:
    more = f', pod="{pod}", instance="{pod}:9379", job="etcd-dr"' if pod else ""
    return f'etcd_dr_recovery_state{{{_LABELS}, state="{name}"{more}}}'


def _written(pod: str) -> str:
    return WRITTEN.replace("}", f', pod="{pod}", instance="{pod}:9379", job="etcd-dr"}}')


def _standing(name: str, written: Values) -> dict[str, Values]:
    """Return what a process exposes of one that stands so all the time."""
    return {WRITTEN: written, **{_state(each): float(each == name) for each in _STATES}}


def _failed_for(text: str) -> Fired:
    return Fired(
        "A step of a recovery of prod failed, and nobody has gone on or back. "
        f"{_ID} has stood still for {text}. The cluster is as the step left it.",
        PLACE,
    )


def _stuck_for(text: str) -> Fired:
    return Fired(
        "A recovery of prod was begun and does not go on. "
        f"{_ID} has written nothing for {text}, and is neither finished nor aborted.",
        PLACE,
    )


RECOVERY = (
    Case("EtcdDRRecoveryFailed", "nobody went on", 40, _standing("failed", 1200), (_failed_for("20m 0s"),)),
    Case("EtcdDRRecoveryFailed", "somebody sits before it", 24, _standing("failed", 1200)),
    Case("EtcdDRRecoveryFailed", "under way", 40, _standing("running", 60)),
    Case("EtcdDRRecoveryFailed", "none", 40, {"etcd_dr_build_info": 1}),
    Case(
        "EtcdDRRecoveryFailed",
        "the other replica has not read yet that somebody went on",
        40,
        {
            _written("a"): 600,
            _state("failed", pod="a"): 1,
            _written("b"): 2280,
            _state("failed", pod="b"): 0,
            _state("running", pod="b"): 1,
        },
    ),
    Case(
        "EtcdDRRecoveryFailed",
        "gone on with, and finished",
        60,
        {
            WRITTEN: steps((0, 0), (4, 240)),
            _state("failed"): steps((0, 1), (4, 0)),
            _state("finished"): steps((0, 0), (4, 1)),
        },
    ),
    Case("EtcdDRRecoveryStuck", "not a word", 60, _standing("running", 600), (_stuck_for("50m 0s"),)),
    Case("EtcdDRRecoveryStuck", "waits for a person", 60, _standing("stopped", 600), (_stuck_for("50m 0s"),)),
    Case("EtcdDRRecoveryStuck", "taken back half way", 60, _standing("aborting", 600), (_stuck_for("50m 0s"),)),
    Case("EtcdDRRecoveryStuck", "a lock left behind", 60, _standing("locked", 600), (_stuck_for("50m 0s"),)),
    Case("EtcdDRRecoveryStuck", "its journal is damaged", 60, _standing("damaged", 600), (_stuck_for("50m 0s"),)),
    Case("EtcdDRRecoveryStuck", "goes on", 60, _standing("running", 3000)),
    Case(
        "EtcdDRRecoveryStuck", "goes on, step by step", 60, _standing("running", steps((0, 0), (25, 1500), (50, 3000)))
    ),
    Case("EtcdDRRecoveryStuck", "failed, which has an alert of its own", 60, _standing("failed", 600)),
    Case("EtcdDRRecoveryStuck", "finished", 60, _standing("finished", 600)),
    Case("EtcdDRRecoveryStuck", "aborted", 60, _standing("aborted", 600)),
    Case(
        "EtcdDRRecoveryStuck",
        "the other replica has not read yet that it is over",
        60,
        {_written("a"): 600, _state("running", pod="a"): 1, _written("b"): 700, _state("finished", pod="b"): 1},
    ),
)
