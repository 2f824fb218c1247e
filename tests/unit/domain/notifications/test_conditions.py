"""What counts as wrong, and where the help is."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from etcd_dr.domain.answer import Failure
from etcd_dr.domain.catalogue import Snapshot
from etcd_dr.domain.health import HealthReport, Severity
from etcd_dr.domain.health_rules import evaluate
from etcd_dr.domain.notifications.conditions import Standing, conditions_of, runbook_page
from etcd_dr.domain.proof import Proof, ProofLevel, ProofOrigin, ProofResult
from fakes.catalogue import catalogue_of, moment, snapshot
from fakes.observations import healthy, silent

DOCS = Path(__file__).resolve().parents[4] / "docs"


def report(*silent_members: str) -> HealthReport:
    return evaluate(silent(healthy(3), *silent_members), cluster="prod")


def codes(standing: Standing) -> list[str]:
    return [condition.code for condition in conditions_of(standing)]


def test_healthy_cluster_and_a_fresh_process_are_silent() -> None:
    """What is not known yet is no news."""
    assert codes(Standing()) == []
    assert codes(Standing(report=report(), catalogue=catalogue_of(snapshot("2026-08-20 03:00")))) == []


def test_findings_are_conditions_worst_first() -> None:
    """Lost quorum stands before the members that are down."""
    found = conditions_of(Standing(report=report("m2", "m3")))

    assert [c.severity.rank for c in found] == sorted((c.severity.rank for c in found), reverse=True)
    assert {"member.unreachable"} < {c.code for c in found}
    assert all(c.next_step for c in found)


def test_what_is_only_worth_reading_is_no_condition() -> None:
    """Nobody is told of infos."""
    assert all(c.severity is not Severity.INFO for c in conditions_of(Standing(report=report("m2"))))


def test_one_failed_run_is_repeated_before_anybody_is_told() -> None:
    """The retry comes within a minute or two; from the second one on it is told with its reason."""
    failure = Failure("store.denied", "the key is expired", "Renew it.")

    assert codes(Standing(failures=1, last_failure=failure)) == []
    [told] = conditions_of(Standing(failures=3, last_failure=failure))
    assert (told.code, told.next_step) == ("snapshot.failing", "Renew it.")
    assert "the key is expired" in told.summary


def test_every_damaged_snapshot_is_told_by_itself() -> None:
    """The newest one is told by the health rules."""
    old, middle, newest = (snapshot(f"2026-08-{day} 03:00", state="damaged") for day in (18, 19, 20))

    found = conditions_of(Standing(catalogue=catalogue_of(old, middle, newest)))

    assert [c.about for c in found] == [str(old.id), str(middle.id)]


def test_failed_drill_is_told_until_a_later_one_passes() -> None:
    """Whoever ran them."""
    first, second = snapshot("2026-08-19 03:00"), snapshot("2026-08-20 03:00")
    failed = _drilled(first, ProofResult.FAILED)

    assert "drill.failed" in codes(Standing(catalogue=catalogue_of(failed, second)))
    assert "drill.failed" not in codes(Standing(catalogue=catalogue_of(failed, _drilled(second, ProofResult.PASSED))))


def test_every_code_has_a_runbook_that_exists() -> None:
    """A link to a missing page is worse than none."""
    documented = set(re.findall(r"^\| `([a-z]+\.[a-z_]+)`", (DOCS / "health.md").read_text(), flags=re.MULTILINE))
    own = {"snapshot.failing", "snapshot.damaged", "drill.failed"}

    assert len(documented) > 40
    assert {code for code in documented | own if not (DOCS / "runbooks" / runbook_page(code)).is_file()} == set()
    assert own <= set(re.findall(r"`([a-z]+\.[a-z_]+)`", (DOCS / "notifications.md").read_text()))


def _drilled(chosen: Snapshot, result: ProofResult) -> Snapshot:
    proof = Proof(
        level=ProofLevel.RESTORABLE,
        result=result,
        at=moment(chosen.taken_at) + timedelta(hours=1),
        made_from=ProofOrigin.STORED_OBJECT,
        detail="etcd would not start",
        tool_version="0",
    )
    return replace(chosen, proofs=(*chosen.proofs, proof))
