"""The definitions of our kinds, as far as they can be judged without a server."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from etcd_dr.adapters.kubernetes.resources import GROUP_VERSION, PLURALS, compose_status, compose_wish
from etcd_dr.domain.answer import Failure
from etcd_dr.domain.drill import DrillCheck, DrillRecord
from etcd_dr.domain.proof import Proof, ProofLevel, ProofOrigin, ProofResult
from etcd_dr.domain.request import Request, RequestKind, RequestPhase, RequestStatus, Wish
from etcd_dr.domain.request_status import drill_completed, failed, refused, running, snapshot_completed
from fakes.catalogue import snapshot
from fakes.clock import MORNING

DEFINITIONS = Path(__file__).resolve().parents[2] / "charts" / "etcd-dr" / "files" / "crds"

pytestmark = pytest.mark.skipif(not DEFINITIONS.is_dir(), reason="the chart is not part of this copy")


def definition(kind: RequestKind) -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((DEFINITIONS / f"{PLURALS[kind]}.yaml").read_text())
    return loaded


def schema(kind: RequestKind) -> dict[str, Any]:
    [version] = definition(kind)["spec"]["versions"]
    root: dict[str, Any] = version["schema"]["openAPIV3Schema"]
    return root


@pytest.mark.parametrize("kind", RequestKind)
def test_the_spec_cannot_be_changed_and_says_its_cluster(kind: RequestKind) -> None:
    """Kubernetes 1.25 and later hold to the rule; a test on a real one tries it where there is one."""
    spec = schema(kind)["properties"]["spec"]

    assert [rule["rule"] for rule in spec["x-kubernetes-validations"]] == ["self == oldSelf"]
    assert spec["required"] == ["cluster"]
    assert f"{definition(kind)['spec']['group']}/v1alpha1" == GROUP_VERSION


@pytest.mark.parametrize("kind", RequestKind)
def test_every_text_and_list_of_a_person_is_bounded(kind: RequestKind) -> None:
    """What anybody may create must not fill etcd."""
    for name, field in schema(kind)["properties"]["spec"]["properties"].items():
        if field["type"] == "string":
            assert "maxLength" in field, name


@pytest.mark.parametrize("status", ["pending", "running", "refused", "failed", "done"])
@pytest.mark.parametrize("kind", RequestKind)
def test_everything_that_is_written_is_in_the_schema(kind: RequestKind, status: str) -> None:
    """The API drops unknown fields without a word: an answer would be lost."""
    request = Request(kind, "now", "u", "1", "prod", created_at=MORNING, claimed_by="here", started_at=MORNING)

    composed = compose_status(kind, statuses(request)[status], seen=(1, ()), now=MORNING)

    assert list(unknown(composed, schema(kind)["properties"]["status"], at="status")) == []


@pytest.mark.parametrize("kind", RequestKind)
def test_everything_that_is_asked_for_is_in_the_schema(kind: RequestKind) -> None:
    """A wish that the API drops would not be fulfilled."""
    is_drill = kind is RequestKind.DRILL
    wish = Wish(
        kind, "prod", note="" if is_drill else "why", wants_pin=not is_drill, selector="fresh" if is_drill else ""
    )

    assert list(unknown(compose_wish(wish)["spec"], schema(kind)["properties"]["spec"], at="spec")) == []


@pytest.mark.parametrize("kind", RequestKind)
def test_every_column_shows_a_field_of_the_schema(kind: RequestKind) -> None:
    """A column with a typo is empty for ever."""
    [version] = definition(kind)["spec"]["versions"]

    for column in version["additionalPrinterColumns"]:
        found = schema(kind)
        path = column["jsonPath"].removeprefix(".").split(".")
        if path[0] == "metadata":
            continue
        for part in path:
            found = found["properties"][part]


def statuses(request: Request) -> dict[str, RequestStatus]:
    shown = snapshot("2026-08-20 03:00")
    proof = Proof(
        level=ProofLevel.RESTORABLE,
        result=ProofResult.PASSED,
        at=MORNING,
        made_from=ProofOrigin.STORED_OBJECT,
        detail="same",
        tool_version="0",
    )
    record = DrillRecord(phases={}, rto_seconds=1.0, objective_seconds=2.0)
    checks = (DrillCheck("hash", "same", passed=True),)
    return {
        "pending": RequestStatus(RequestPhase.PENDING),
        "running": running(claimed_by="here", at=MORNING),
        "refused": refused(reason="UnknownCluster", message="no", at=MORNING),
        "failed": failed(request, Failure("etcd.timeout", "slow", "Wait."), at=MORNING),
        "done": drill_completed(request, shown, proof=proof, record=record, checks=checks, at=MORNING)
        if request.kind is RequestKind.DRILL
        else snapshot_completed(request, shown, store="main", at=MORNING),
    }


def unknown(value: Any, field: dict[str, Any], *, at: str) -> Iterator[str]:
    """Yield what a value has and its schema has not, and values that its enumerations do not know."""
    if isinstance(value, dict):
        for key, each in value.items():
            if key not in field.get("properties", {}):
                yield f"{at}.{key}"
            elif each is not None:
                yield from unknown(each, field["properties"][key], at=f"{at}.{key}")
    elif isinstance(value, list):
        for each in value:
            yield from unknown(each, field["items"], at=f"{at}[]")
    elif "enum" in field and value not in field["enum"]:
        yield f"{at}: {value} is none of {field['enum']}"
