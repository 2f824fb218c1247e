"""What anybody may have written into a request, and what we write into it."""

from __future__ import annotations

from typing import Any

import pytest

from etcd_dr.adapters.kubernetes.resources import compose_status, compose_wish, parse, record_name
from etcd_dr.domain.request import Condition, RequestKind, RequestPhase, RequestStatus, Wish
from fakes.clock import MORNING


def document(spec: Any = None, status: Any = None, **metadata: Any) -> dict[str, Any]:
    named = {"name": "now", "uid": "u", "resourceVersion": "7", "creationTimestamp": "2026-08-20T03:00:00Z"}
    return {"metadata": {**named, **metadata}, "spec": spec, "status": status}


@pytest.mark.parametrize(
    "spec",
    [
        None,
        "prod",
        {},
        {"cluster": ""},
        {"cluster": 7},
        {"cluster": "prod", "pin": "yes"},
        {"cluster": "prod", "note": ["x"]},
        {"cluster": "prod", "snapshot": 1},
        {"cluster": "prod", "ttlSecondsAfterFinished": "1h"},
        {"cluster": "prod", "ttlSecondsAfterFinished": -1},
        {"cluster": "prod", "ttlSecondsAfterFinished": True},
    ],
)
def test_a_spec_without_our_schema_is_malformed_and_no_error(spec: Any) -> None:
    """A server that has another definition lets anything in: it is refused with a reason, and nothing breaks."""
    assert parse(RequestKind.SNAPSHOT, document(spec)).malformed


@pytest.mark.parametrize(
    "status",
    [
        "done",
        {"phase": "Dreaming"},
        {"phase": "Completed", "snapshotID": "x"},
        {"phase": "Completed", "snapshotID": "x", "takenAt": "yesterday", "finishedAt": 4},
        {"phase": "Completed", "snapshotID": "x", "takenAt": "2026-08-20T03:00:00Z", "revision": "many"},
        {"error": "boom", "proofs": 3},
    ],
)
def test_a_status_that_nobody_of_us_wrote_says_nothing(status: Any) -> None:
    """It is read as far as it can be, and never raises."""
    seen = parse(RequestKind.SNAPSHOT, document({"cluster": "prod"}, status))

    assert seen.answer is None
    assert seen.failure is None


def test_a_condition_keeps_its_time_while_it_stays() -> None:
    """`lastTransitionTime` tells when something became true, not when it was last said."""
    before = [{"type": "Accepted", "status": "True", "lastTransitionTime": "2026-08-19T00:00:00Z"}]
    status = RequestStatus(
        RequestPhase.RUNNING,
        (
            Condition("Accepted", holds=True, reason="Admitted", message="still"),
            Condition("Failed", holds=False, reason="Completed", message="not"),
        ),
    )

    composed = compose_status(RequestKind.SNAPSHOT, status, seen=(3, before), now=MORNING)

    assert [each["lastTransitionTime"] for each in composed["conditions"]] == [
        "2026-08-19T00:00:00Z",
        "2026-08-20T03:00:00Z",
    ]
    assert composed["observedGeneration"] == 3


def test_what_a_status_no_longer_has_is_taken_away() -> None:
    """A merge patch keeps what it does not name: so everything is named."""
    composed = compose_status(RequestKind.SNAPSHOT, RequestStatus(RequestPhase.PENDING), seen=None, now=MORNING)

    assert composed["claimedBy"] is None
    assert composed["snapshotID"] is None
    assert composed["error"] is None


def test_names_of_records_are_names_that_the_api_takes() -> None:
    """A cluster may have an underscore in its name, an object may not."""
    assert record_name("prod_eu", "20260820T030000Z-9f2c41d07b6a") == "prod-eu-20260820t030000z-9f2c41d07b6a"


def test_a_wish_says_only_what_was_said() -> None:
    """Defaults are the definition's."""
    assert compose_wish(Wish(RequestKind.DRILL, "prod"))["spec"] == {"cluster": "prod"}
    assert compose_wish(Wish(RequestKind.DRILL, "prod_eu"))["metadata"] == {"generateName": "prod-eu-"}
