"""`etcd-dr recover` as people and programs meet it: a real cluster on local nodes, and a disaster."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pexpect
import pytest

from etcd_dr.adapters.local_cluster import LocalCluster
from etcd_dr.domain.recovery.record import RecoveryLock, record_bytes
from real.etcd_command_line import healthy
from real.recovering_nodes import Nodes
from scenarios.documented_json import differences, examples

FreshCluster = Callable[..., LocalCluster]


def test_lock_of_a_recovery_that_never_began_is_released_by_an_abort(
    shared_cluster: LocalCluster, tmp_path: Path
) -> None:
    """Its run was killed before it kept a plan; nobody else could begin one otherwise."""
    world = Nodes(shared_cluster, tmp_path)
    recovery_id = "20260820T030000Z-0123456789ab"
    lock = RecoveryLock(recovery_id=recovery_id, by="bob@office", place="/elsewhere", since=datetime.now(UTC))
    kept = tmp_path / "store" / "v1" / "prod" / "recoveries" / "lock.json"
    kept.parent.mkdir(parents=True)
    kept.write_bytes(record_bytes(lock))

    unasked = world.cli("recover", "abort", recovery_id)
    still_there = kept.exists()
    done = world.cli("recover", "abort", recovery_id, "--yes")

    assert unasked.status == 64
    assert "etcd-dr recover status" in unasked.err
    assert still_there
    assert done.status == 0, done.err
    assert "bob@office" in done.out
    assert not kept.exists()


@pytest.fixture
def nodes(fresh_cluster: FreshCluster, tmp_path: Path) -> Iterator[Nodes]:
    cluster = fresh_cluster(size=3)
    world = Nodes(cluster, tmp_path)
    yield world
    cluster.kill()


def lead_to_the_last_word(child: pexpect.spawn[str]) -> str:
    """Take what is recommended, and return what is to be typed."""
    child.expect(r"Which way \([^)]*\): ")
    child.sendline("")
    child.expect(r"the undo of each step \([^)]*\): ")
    child.sendline("")
    child.expect(r"to begin \(([^)]*)\): ")
    assert child.match is not None
    return str(child.match.group(1))


@pytest.mark.parametrize("term", ["dumb", pytest.param("xterm-256color", marks=pytest.mark.matrix)])
def test_person_is_led_to_a_healthy_cluster(nodes: Nodes, term: str) -> None:
    """Four screens, plain text on a dumb terminal, and at the end what was lost and how long it took."""
    nodes.fill_and_save()
    nodes.wipe("m1", "m2")
    child = nodes.spawn("recover", "run", term=term)

    child.expect("lost for good")
    word = lead_to_the_last_word(child)
    assert "If you stop here, nothing was changed." in child.before
    child.sendline(word)
    child.expect("prod is recovered and verified")
    child.expect(pexpect.EOF)
    child.close()

    assert child.exitstatus == 0
    assert healthy(nodes.cli, "--no-snapshots").status == 0
    if term == "dumb":
        assert "\x1b" not in child.before


def test_wrong_word_changes_nothing(nodes: Nodes) -> None:
    """The plan's number belongs to it: whoever types another one has not read this plan."""
    nodes.fill_and_save()
    nodes.wipe("m1", "m2")
    child = nodes.spawn("recover", "run")

    lead_to_the_last_word(child)
    child.sendline("prod 00000000")
    child.expect("was not confirmed")
    child.expect(pexpect.EOF)
    child.close()

    assert child.exitstatus == 130
    assert nodes.is_running("m3")
    assert nodes.cli("recover", "status", "-o", "json").document["recoveries"] == []


def test_program_recovers_without_questions(nodes: Nodes) -> None:
    """A plan as a file, carried out as it stands; every document is the one that is documented."""
    nodes.fill_and_save()
    nodes.wipe("m1", "m2", "m3")
    documented = examples()

    assessed = nodes.cli("recover", "assess", "-o", "json")
    planned = nodes.cli("recover", "plan", "-o", "json")
    (nodes.directory / "plan.json").write_text(planned.out)
    run = nodes.cli("recover", "run", "--plan", nodes.directory / "plan.json", "--yes", "-o", "json")
    status = nodes.cli("recover", "status", "-o", "json")

    assert (assessed.status, planned.status, run.status, status.status) == (0, 0, 0, 0), run.err
    assert assessed.document["standing"] == "lost-for-good"
    assert planned.document["chosen"]["way"] == "restore"
    assert run.document["state"] == "finished"
    assert run.document["report"]["verification"]["is_as_predicted"] is True
    assert list(differences(documented["recover assess"], assessed.document)) == []
    assert list(differences(_without_step(documented["recover plan"]), _without_step(planned.document))) == []
    assert list(differences(_without_facts(documented["recover run"]), _without_facts(run.document))) == []
    assert list(differences(documented["recover status"], status.document)) == []


@pytest.mark.matrix
def test_second_disaster_is_recovered_like_the_first(nodes: Nodes) -> None:
    """The second bump supersedes the record of the first: etcd, the reader and the prediction agree on the hash."""
    nodes.fill_and_save()
    ways = []
    for lost in (("m1", "m2"), ("m1", "m2", "m3")):
        nodes.wipe(*lost)
        planned = nodes.cli("recover", "plan", "-o", "json")
        (nodes.directory / "plan.json").write_text(planned.out)
        run = nodes.cli("recover", "run", "--plan", nodes.directory / "plan.json", "--yes", "-o", "json")
        assert run.status == 0, run.err
        assert run.document["report"]["verification"]["is_as_predicted"] is True
        ways.append(planned.document["chosen"]["way"])

    assert ways == ["rebuild", "restore"]
    assert healthy(nodes.cli, "--no-snapshots").status == 0


def test_plan_says_it_all_and_is_for_one_cluster(nodes: Nodes) -> None:
    """A wish beside a plan would be ignored in silence, so it is refused; so is another cluster's plan."""
    nodes.fill_and_save()
    nodes.wipe("m1", "m2")
    plan = nodes.plan()
    nodes.document["clusters"][0]["name"] = "other"

    with_a_wish = nodes.cli("recover", "run", "--plan", plan, "--no-bump", "--yes")
    nodes.write()
    elsewhere = nodes.cli("recover", "run", "--plan", plan, "--yes")

    assert (with_a_wish.status, elsewhere.status) == (64, 64)
    assert "own way, wishes and statements" in with_a_wish.err
    assert "is for cluster prod, this is other" in elsewhere.err
    assert nodes.is_running("m3")


def test_processes_that_are_down_are_started_and_nothing_is_restored(nodes: Nodes) -> None:
    """The data is there: the gentlest way loses nothing."""
    nodes.fill_and_save()
    nodes.cluster.stop()

    planned = nodes.cli("recover", "plan", "-o", "json")
    (nodes.directory / "plan.json").write_text(planned.out)
    run = nodes.cli("recover", "run", "--plan", nodes.directory / "plan.json", "--yes", "-o", "json")

    assert planned.document["chosen"]["way"] == "start"
    assert planned.document["chosen"]["loss"]["revisions"] == 0
    assert run.status == 0, run.err
    assert healthy(nodes.cli, "--no-snapshots").status == 0


def test_plan_that_was_changed_by_hand_is_refused(nodes: Nodes) -> None:
    """What is carried out is what was read."""
    nodes.fill_and_save()
    nodes.wipe("m1", "m2")
    plan = nodes.cli("recover", "plan", "-o", "json").document
    plan["expected"]["token"] = "other"
    (nodes.directory / "plan.json").write_text(json.dumps(plan))

    done = nodes.cli("recover", "run", "--plan", nodes.directory / "plan.json", "--yes", "-o", "json")

    assert (done.status, done.error["code"]) == (65, "recovery.journal_damaged")
    assert nodes.is_running("m3")


def test_plan_is_stale_when_things_have_changed(nodes: Nodes) -> None:
    """A member that came back makes the plan void, and says so."""
    nodes.fill_and_save()
    nodes.cluster.stop()
    (nodes.directory / "plan.json").write_text(nodes.cli("recover", "plan", "-o", "json").out)
    nodes.wipe("m1")

    done = nodes.cli("recover", "run", "--plan", nodes.directory / "plan.json", "--yes", "-o", "json")

    assert (done.status, done.error["code"]) == (65, "recovery.plan_stale")
    assert "m1" in done.error["message"]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("recover", "run"), "nobody can be asked here"),
        (("recover", "run", "--yes"), "none is given"),
        (("recover", "run", "--plan", "missing.json", "--yes"), "cannot be read"),
        (("recover", "run", "--way", "start", "--snapshot", "latest"), "has no use for a snapshot"),
        (("recover", "run", "--lost", "m1", "--intact", "m1"), "both lost and intact"),
        (("recover", "plan", "--lost", "nobody"), "nobody"),
        (("recover", "resume"), "no recovery is known"),
        (("recover", "abort", "20260820T030000Z-0123456789ab", "--yes"), "is not known"),
    ],
)
def test_what_does_not_fit_is_said_before_anything_is_done(
    shared_cluster: LocalCluster, tmp_path: Path, words: tuple[str, ...], says: str
) -> None:
    """With a next step, and without a traceback."""
    done = Nodes(shared_cluster, tmp_path).cli(*words)

    assert done.status in (64, 65, 66)
    assert says in done.err
    assert "next:" in done.err


@pytest.mark.parametrize(
    ("number", "at"),
    [
        (signal.SIGINT, r"Which way \([^)]*\): "),
        (signal.SIGTERM, r"Which way \([^)]*\): "),
        (signal.SIGINT, "Nothing is changed by looking"),
    ],
)
def test_signal_at_a_question_or_before_it_stops_there(nodes: Nodes, number: signal.Signals, at: str) -> None:
    """At once, and not after the next answer: a person who presses Ctrl-C wants to leave."""
    nodes.fill_and_save()
    nodes.wipe("m1", "m2")
    child = nodes.spawn("recover", "run")
    child.expect(at)

    child.kill(number)
    child.expect("stopped before anything was changed")
    child.expect(pexpect.EOF)
    child.close()

    assert child.exitstatus == 130
    assert nodes.cli("recover", "status", "-o", "json").document["recoveries"] == []


@pytest.mark.parametrize(
    "back", [pytest.param(False, id="resume"), pytest.param(True, id="abort", marks=pytest.mark.matrix)]
)
def test_interrupt_leaves_a_recovery_that_goes_on_or_back(nodes: Nodes, *, back: bool) -> None:
    """Ctrl-C in the middle: the journal says where it stands, and both ways lead to a whole state."""
    nodes.fill_and_save()
    nodes.wipe("m1", "m2")
    with nodes.held_at_start("m1"):  # a run that is over before the signal comes cannot be interrupted
        child = nodes.spawn("recover", "run")
        word = lead_to_the_last_word(child)
        child.sendline(word)
        child.expect("aside: done")
        child.kill(signal.SIGINT)
        child.expect("recover abort")
        child.expect(pexpect.EOF)
        child.close()

    [stopped] = nodes.cli("recover", "status", "-o", "json").document["recoveries"]
    done = nodes.cli("recover", "abort", "--yes") if back else nodes.cli("recover", "resume")

    assert (child.exitstatus, stopped["state"]) == (130, "under-way")
    assert done.status == 0, done.err
    [ended] = nodes.cli("recover", "status", "-o", "json").document["recoveries"]
    assert ended["state"] == ("aborted" if back else "finished")
    assert nodes.is_running("m3")
    assert nodes.is_running("m1") is not back


def _without_step(plan: dict[str, Any]) -> dict[str, Any]:
    """Steps have the fields of their kind."""
    return {**plan, "steps": [], "chosen": {**plan["chosen"]}}


def _without_facts(run: dict[str, Any]) -> dict[str, Any]:
    """What a step found out depends on the way."""
    free = {"verification": {}, "snapshot": {}, "set_aside": {}, "safety_copies": {}}
    return {**run, "report": {**run["report"], **free}}
