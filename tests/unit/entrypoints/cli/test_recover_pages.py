"""What the pages of `etcd-dr recover` say where a recovery was begun before."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import pytest

from etcd_dr.domain.recovery.candidate import Candidate, Way
from etcd_dr.domain.recovery.journal import EntryKind
from etcd_dr.domain.recovery.losses import NO_LOSS
from etcd_dr.entrypoints.cli.recover.assessment_page import assessment_page
from etcd_dr.entrypoints.cli.recover.candidate_page import candidate_block
from etcd_dr.entrypoints.cli.recover.outcome_page import outcome_page
from etcd_dr.entrypoints.cli.recover.progress_page import RunPage
from etcd_dr.entrypoints.cli.tables import draw
from etcd_dr.entrypoints.cli.terminal import Screen
from etcd_dr.errors import PlanStale
from etcd_dr.workflows.recovery.hold_lock import read_lock
from etcd_dr.workflows.recovery.run_plan import run_plan
from scenarios.recovery_world import RecoveryWorld


def test_step_that_is_carried_out_again_is_counted_once(tmp_path: Path) -> None:
    """On another machine what was fetched and built is made again; no step is the 13th of 11."""
    world, out = RecoveryWorld(tmp_path), io.StringIO()
    plan = world.restore_plan()
    world.run(plan)
    done = [entry for entry in world.stored_journal(plan) if entry.kind is EntryKind.DONE]
    page = RunPage(Screen(out), plan, done=[entry.step for entry in done[:4]])

    for entry in done[2:]:
        page.tell(entry)

    counts = [line[1:6] for line in out.getvalue().splitlines()]
    whole = len(plan.steps)
    assert counts[:3] == [f" 4/{whole}", f" 4/{whole}", f" 5/{whole}"]
    assert counts[-1] == f"{whole}/{whole}"


def test_old_data_is_named_node_by_node(tmp_path: Path) -> None:
    """Each on a line of its own, to be copied."""
    world, out = RecoveryWorld(tmp_path), io.StringIO()
    outcome = world.run(world.restore_plan())
    report = outcome.report.model_copy(update={"set_aside": {"cp1": "/d/one", "cp2": "/d/two"}})

    draw(Screen(out), outcome_page(replace(outcome, report=report), report_path="/state/report.md"))

    said = out.getvalue()
    assert "/state/report.md" in said
    assert "as predicted" in said
    assert "\\n" not in said
    assert [line.split()[-2:] for line in said.splitlines() if "/d/" in line] == [
        ["cp1:", "/d/one"],
        ["cp2:", "/d/two"],
    ]


def test_refused_plan_is_not_told_as_taken_back(tmp_path: Path) -> None:
    """Nothing was done, so there was nothing to take back."""
    world, out = RecoveryWorld(tmp_path), io.StringIO()
    plan = world.restore_plan()
    other = plan.facts.model_copy(update={"snapshot_id": "another"})
    page = RunPage(Screen(out), plan)

    with pytest.raises(PlanStale):
        run_plan(plan, world.ports(), by="me", facts_now=lambda: other, on_entry=page.tell)

    assert out.getvalue() == ""


def test_recovery_that_is_under_way_is_told_before_anybody_plans_another(tmp_path: Path) -> None:
    """Not after four screens, when the lock refuses it."""
    world, out = RecoveryWorld(tmp_path), io.StringIO()
    plan = world.restore_plan()
    world.run(plan)
    world.store.put(f"{world.layout.recoveries}lock.json", _lock(plan.recovery_id), if_absent=False)
    lock = read_lock(world.store, world.layout)

    draw(Screen(out), assessment_page(world.assessment(), lock))

    said = " ".join(out.getvalue().split())
    assert "me@there began a recovery of it" in said
    assert f"etcd-dr recover resume {plan.recovery_id}" in said


def _lock(recovery_id: str) -> bytes:
    return (
        f'{{"version":1,"recovery_id":"{recovery_id}","by":"me@there","place":"/x","since":"2026-01-01T00:00:00Z"}}'
    ).encode()


def test_talos_derived_identity_is_not_called_etcds_own(tmp_path: Path) -> None:
    """Nobody shall look for it in etcd's own answers."""
    out = io.StringIO()
    assessment = replace(RecoveryWorld(tmp_path).assessment(), platform="talos", cluster_id=0xABC)

    draw(Screen(out), assessment_page(assessment, None))

    assert "identity derived from Talos' cluster abc" in out.getvalue()
    assert "etcd cluster id" not in out.getvalue()


def test_node_that_the_member_list_does_not_know_is_not_called_a_learner(tmp_path: Path) -> None:
    """A learner is a member that waits for its vote; this is a machine that nobody could look at."""
    out = io.StringIO()
    assessment = RecoveryWorld(tmp_path).assessment()
    stranger = replace(assessment.members[0], name="cp9", node="cp9", id=None, is_voter=False)

    draw(Screen(out), assessment_page(replace(assessment, members=(stranger, *assessment.members[1:])), None))

    [row] = [line for line in out.getvalue().splitlines() if line.startswith("cp9 ")]
    assert ", no member" in row
    assert "learner" not in row


def test_doing_nothing_has_no_measured_time() -> None:
    """`about 0.0s, from measured rates` is a number that nobody has measured."""
    way = Candidate(way=Way.NOTHING, summary="leave it alone", loss=NO_LOSS, expected_seconds=0.0)
    out = io.StringIO()

    draw(Screen(out), candidate_block(way, number=1))

    assert "takes:" not in out.getvalue()
