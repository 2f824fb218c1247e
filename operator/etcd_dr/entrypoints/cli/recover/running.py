"""`etcd-dr recover run`, `resume`, `abort` and `status`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from etcd_dr.bootstrap.recovery import recoveries_dir
from etcd_dr.domain.recovery.journal import JournalEntry, JournalProgress, RecoveryState
from etcd_dr.domain.recovery.plan import Plan, PlanFacts
from etcd_dr.domain.recovery.plan_file import MAX_PLAN_BYTES, parse_plan
from etcd_dr.domain.recovery.record import RecoveryLock
from etcd_dr.domain.recovery.wishes import NO_WISHES
from etcd_dr.entrypoints.cli.confirmation import Yes, confirm
from etcd_dr.entrypoints.cli.recover.documents import outcome_document, status_document
from etcd_dr.entrypoints.cli.recover.options import (
    ForeignSnapshot,
    Intact,
    Lost,
    MemberOption,
    NoBump,
    OtherMinor,
    RollBack,
    SnapshotOption,
    StateDir,
    TakeOver,
    WayOption,
    WithoutStore,
    parse_statements,
    parse_wishes,
)
from etcd_dr.entrypoints.cli.recover.outcome_page import outcome_page
from etcd_dr.entrypoints.cli.recover.progress_page import RunPage
from etcd_dr.entrypoints.cli.recover.questions import Questions
from etcd_dr.entrypoints.cli.recover.session import Session, only_unfinished, open_session
from etcd_dr.entrypoints.cli.recover.status_page import next_commands, status_page, status_table
from etcd_dr.entrypoints.cli.recover.wizard import agree_on_plan, confirm_plan
from etcd_dr.entrypoints.cli.run import Run
from etcd_dr.entrypoints.cli.snapshot.choosing import At, Revision
from etcd_dr.entrypoints.cli.tables import draw
from etcd_dr.entrypoints.cli.terminal import Screen
from etcd_dr.entrypoints.cli.who import whoami
from etcd_dr.errors import FileUnreadable, UsageError
from etcd_dr.workflows.recovery.read_recoveries import read_recoveries, read_recovery
from etcd_dr.workflows.recovery.recovery_ports import RecoveryPorts
from etcd_dr.workflows.recovery.run_plan import (
    RecoveryOutcome,
    abort_recovery,
    free_what_never_began,
    known_plan,
    lock_without_plan,
    resume_recovery,
    run_plan,
)
from etcd_dr.workflows.recovery.talos_look import PLATFORM as TALOS

_LOOK_FIRST = "at where it stands: etcd-dr recover status"
Which = Annotated[
    str | None,
    typer.Argument(
        metavar="RECOVERY",
        show_default=False,
        help="A recovery's id or its beginning; else the one that has not ended.",
    ),
]


def run_recovery(
    run: Run,
    *,
    plan: Annotated[
        Path | None,
        typer.Option("--plan", metavar="FILE", help="Carry out this plan (recover plan -o json).", readable=False),
    ] = None,
    yes: Yes = False,
    way: WayOption = None,
    member: MemberOption = None,
    snapshot: SnapshotOption = None,
    at: At = None,
    revision: Revision = None,
    lost: Lost = None,
    intact: Intact = None,
    foreign_snapshot: ForeignSnapshot = False,
    other_minor: OtherMinor = False,
    roll_back: RollBack = False,
    no_bump: NoBump = False,
    state_dir: StateDir = None,
    without_store: WithoutStore = False,
) -> None:
    """Lead through a recovery: what is known, what is proposed, the plan, and the last word.

    Without a terminal a plan must be given, and --yes: etcd-dr recover plan -o json > plan.json
    """
    statements = parse_statements(lost, intact)
    wishes = parse_wishes(
        way=way,
        member=member,
        snapshot=snapshot,
        at=at,
        revision=revision,
        foreign_snapshot=foreign_snapshot,
        other_minor=other_minor,
        roll_back=roll_back,
        no_bump=no_bump,
    )
    made = _read_plan(plan) if plan is not None else None
    if made is not None and (statements or wishes != NO_WISHES):
        raise UsageError(
            "has its own way, wishes and statements",
            subject="--plan",
            next_step="Leave the others out, or say them where the plan is made: etcd-dr recover plan --help",
        )
    _check_that_somebody_decides(run, made, yes=yes)
    screen = Screen(run.stderr)
    with open_session(run, state_dir=state_dir, without_store=without_store) as session:
        if made is not None:
            _check_cluster(made, session)
        questions = Questions(
            run.stdin, screen, subject=session.layout.cluster, cancellation=session.surroundings.cancellation
        )
        if made is None:
            agreed = agree_on_plan(session, questions, screen, statements=statements, wishes=wishes)
            if agreed is None:
                return
            made = agreed.plan
        elif not yes:
            confirm_plan(made, questions, screen)
        page = RunPage(screen, made)
        outcome = run_plan(
            made, session.ports(), by=whoami(), facts_now=_facts(session, made), on_entry=_told(run, page)
        )
        _answer(run, session, outcome)


def resume(
    run: Run,
    *,
    recovery: Which = None,
    take_over: TakeOver = False,
    state_dir: StateDir = None,
    without_store: WithoutStore = False,
) -> None:
    """Go on with a recovery that was cut off or stopped, from here or from another machine."""
    with open_session(run, state_dir=state_dir, without_store=without_store) as session:
        ports = session.ports()
        recovery_id = only_unfinished(ports.journal, recovery)
        made = known_plan(recovery_id, ports)
        done = JournalProgress.of(ports.journal.entries(recovery_id)).done
        page = RunPage(Screen(run.stderr), made, done=done)
        outcome = resume_recovery(
            recovery_id,
            ports,
            by=whoami(),
            facts_now=_facts(session, made),
            take_over=take_over,
            on_entry=_told(run, page),
        )
        _answer(run, session, outcome)


def abort(
    run: Run,
    *,
    recovery: Which = None,
    yes: Yes = False,
    take_over: TakeOver = False,
    state_dir: StateDir = None,
    without_store: WithoutStore = False,
) -> None:
    """Take back what a recovery has done: the old data gets its place back, and what ran before runs again."""
    with open_session(run, state_dir=state_dir, without_store=without_store) as session:
        ports = session.ports()
        recovery_id = only_unfinished(ports.journal, recovery)
        left = lock_without_plan(recovery_id, ports)
        if left is not None:
            _release(run, ports, left, yes=yes)
            return
        made = known_plan(recovery_id, ports)
        confirm(
            run,
            f"recovery {recovery_id} is {_what_abort_does(made)}",
            cluster=made.cluster,
            yes=yes,
            look_first=_LOOK_FIRST,
        )
        page = RunPage(Screen(run.stderr), made)
        outcome = abort_recovery(recovery_id, ports, by=whoami(), take_over=take_over, on_entry=_told(run, page))
        _answer(run, session, outcome)


def status(run: Run, *, recovery: Which = None, state_dir: StateDir = None) -> None:
    """Show where recoveries stand; with an id, every step of one."""
    with open_session(run, state_dir=state_dir) as session:
        journal, now = session.journal(), session.surroundings.clock.now()
        if recovery is None:
            found = read_recoveries(journal, store=session.store, layout=session.layout)
            run.answer(
                {"cluster": session.layout.cluster, "recoveries": [status_document(each) for each in found]},
                table=lambda: (
                    draw(run.screen, status_table(found, now=now), *next_commands(found))
                    if found
                    else run.screen.line(f"no recovery of {session.layout.cluster} is known in {journal.place}")
                ),
            )
            return
        one = read_recovery(only_unfinished(journal, recovery), journal, store=session.store, layout=session.layout)
        run.answer(status_document(one), table=lambda: draw(run.screen, status_page(one, now=now)))


def _release(run: Run, ports: RecoveryPorts, left: RecoveryLock, *, yes: bool) -> None:
    """Release a lock whose recovery never began, so that another one may."""
    said = f"recovery {left.recovery_id} never began: the lock that {left.by} took from {left.place} is released"
    cluster = ports.layout.cluster
    confirm(run, said, cluster=cluster, yes=yes, look_first=_LOOK_FIRST)
    free_what_never_began(left.recovery_id, ports)
    run.answer(
        {"recovery_id": left.recovery_id, "cluster": cluster, "state": RecoveryState.ABORTED.value, "warnings": [said]},
        table=lambda: run.screen.line(said),
    )


def _what_abort_does(plan: Plan) -> str:
    if plan.platform == TALOS:
        return "ended where it is: what was done to Talos nodes, a wipe above all, cannot be taken back"
    return "taken back, and the old data put in its place"


def _answer(run: Run, session: Session, outcome: RecoveryOutcome) -> None:
    kept = recoveries_dir(session.state_dir, session.layout.cluster) / outcome.plan.recovery_id
    page = outcome_page(outcome, report_path=str(kept / "report.md"))
    run.answer(outcome_document(outcome), table=lambda: draw(run.screen, page))


def _facts(session: Session, plan: Plan) -> Callable[[], PlanFacts]:
    return lambda: session.facts_now(plan)


def _told(run: Run, page: RunPage) -> Callable[[JournalEntry], object]:
    return (lambda _: None) if run.options.quiet else page.tell


def _check_that_somebody_decides(run: Run, plan: Plan | None, *, yes: bool) -> None:
    if plan is not None and yes:
        return
    if yes:
        raise UsageError(
            "agrees to a plan, and none is given",
            subject="--yes",
            next_step="Look at one first: etcd-dr recover plan -o json > plan.json\n"
            "Then carry it out: etcd-dr recover run --plan plan.json --yes",
        )
    if not run.stdin.isatty():
        raise UsageError(
            "a recovery needs a person's word, and nobody can be asked here",
            next_step="Make a plan and look at it: etcd-dr recover plan -o json > plan.json\n"
            "Then carry it out: etcd-dr recover run --plan plan.json --yes",
        )


def _check_cluster(plan: Plan, session: Session) -> None:
    if plan.cluster != session.layout.cluster:
        raise UsageError(
            f"is for cluster {plan.cluster}, this is {session.layout.cluster}",
            subject=f"plan {plan.short_digest}",
            next_step=f"Name the plan's cluster: --cluster {plan.cluster}",
        )


def _read_plan(path: Path) -> Plan:
    try:
        with path.open("rb") as file:
            return parse_plan(file.read(MAX_PLAN_BYTES + 1), subject=str(path))
    except OSError as error:
        raise FileUnreadable(
            f"cannot be read: {(error.strerror or str(error)).lower()}",
            subject=str(path),
            next_step="Make a plan with: etcd-dr recover plan -o json > plan.json",
        ) from error
