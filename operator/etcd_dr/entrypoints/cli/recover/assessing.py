"""`etcd-dr recover assess` and `etcd-dr recover plan`: look, and say what could be done. Nothing is changed."""

from __future__ import annotations

from rich.text import Text

from etcd_dr.domain.recovery.plan_file import plan_document
from etcd_dr.entrypoints.cli.recover.assessment_page import assessment_page
from etcd_dr.entrypoints.cli.recover.candidate_page import candidate_page
from etcd_dr.entrypoints.cli.recover.documents import assessment_document
from etcd_dr.entrypoints.cli.recover.options import (
    ForeignSnapshot,
    Intact,
    Lost,
    MemberOption,
    NoBump,
    OtherMinor,
    RollBack,
    SnapshotOption,
    WayOption,
    parse_statements,
    parse_wishes,
)
from etcd_dr.entrypoints.cli.recover.plan_page import plan_page
from etcd_dr.entrypoints.cli.recover.session import open_session
from etcd_dr.entrypoints.cli.run import Run
from etcd_dr.entrypoints.cli.snapshot.choosing import At, Revision
from etcd_dr.entrypoints.cli.tables import draw


def assess(run: Run, *, lost: Lost = None, intact: Intact = None) -> None:
    """Say what is there, what it means for the quorum, and every way back with its loss."""
    statements = parse_statements(lost, intact)
    with open_session(run) as session:
        look = session.look(statements)
        run.answer(
            assessment_document(look.assessment, look.candidates),
            table=lambda: draw(
                run.screen, assessment_page(look.assessment, look.lock), Text(""), candidate_page(look.candidates)
            ),
        )


def plan(
    run: Run,
    *,
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
) -> None:
    """Make a plan of the gentlest way back, or of the one that is named.

    With -o json the answer is the plan itself, for: etcd-dr recover run --plan FILE
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
    with open_session(run) as session:
        look = session.look(statements, wishes)
        made = session.plan(look, None, wishes)

        def page() -> None:
            draw(
                run.screen,
                assessment_page(look.assessment, look.lock),
                Text(""),
                candidate_page(look.candidates),
                Text(""),
            )
            draw(run.screen, plan_page(made))
            run.screen.line()
            run.screen.line("Nothing was changed. Carry it out, with questions: etcd-dr recover run")
            run.screen.line("or without: etcd-dr recover plan -o json > plan.json")
            run.screen.line("            etcd-dr recover run --plan plan.json --yes")

        run.answer(plan_document(made), table=page)
