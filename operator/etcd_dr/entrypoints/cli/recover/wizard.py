"""The road to a recovery with questions, for a person: what is known, what is proposed, the plan, the last word.

- Each screen says what is known, what is proposed, what it loses, and what happens if you stop here.
- Nothing is changed before the last word, which is the cluster's name and the beginning of the plan's digest: who
  types it has the plan in front of them.
- Plain lines only (`questions`), so that it works where nothing else does.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from etcd_dr.domain.recovery.assessment import Assessment, MemberAssessment, MemberVerdict, Statement
from etcd_dr.domain.recovery.candidate import Candidate, Way
from etcd_dr.domain.recovery.plan import Plan
from etcd_dr.domain.recovery.wishes import Wishes
from etcd_dr.entrypoints.cli.recover.assessment_page import assessment_page
from etcd_dr.entrypoints.cli.recover.candidate_page import candidate_page, loss_words
from etcd_dr.entrypoints.cli.recover.plan_page import plan_page
from etcd_dr.entrypoints.cli.recover.questions import Questions
from etcd_dr.entrypoints.cli.recover.session import Look, Session
from etcd_dr.entrypoints.cli.tables import draw, styled
from etcd_dr.entrypoints.cli.terminal import Screen
from etcd_dr.errors import NothingPossible

_CANNOT_BE_SEEN = (MemberVerdict.UNKNOWN, MemberVerdict.SAID_INTACT, MemberVerdict.SAID_LOST)
_WORDS = {"l": Statement.LOST, "i": Statement.INTACT}


@dataclass(frozen=True, slots=True)
class Agreed:
    """The plan that a person confirmed, and what they said about members on the way."""

    plan: Plan
    statements: Mapping[str, Statement]


def agree_on_plan(
    session: Session, questions: Questions, screen: Screen, *, statements: Mapping[str, Statement], wishes: Wishes
) -> Agreed | None:
    """Lead a person to a confirmed plan; None where there is nothing to do. Raises Cancelled, NothingPossible."""
    _title(screen, 1, "What is known")
    screen.line("Looking at the members, the nodes and the store. Nothing is changed by looking.")
    look = session.look(statements, wishes)
    questions.stop_if_wished()
    draw(screen, assessment_page(look.assessment, look.lock))
    said = _ask_about_the_unseen(look.assessment, questions, screen, statements)
    if said != statements:
        look = session.look(said, wishes)
        questions.stop_if_wished()
        draw(screen, assessment_page(look.assessment, look.lock))
    candidate = _choose(look, questions, screen, wishes)
    if candidate is None:
        return None
    plan = session.plan(look, candidate, wishes)
    _confirm(plan, questions, screen)
    return Agreed(plan, said)


def confirm_plan(plan: Plan, questions: Questions, screen: Screen) -> None:
    """Show a plan and ask for the last word. Raises Cancelled."""
    _confirm(plan, questions, screen)


def _ask_about_the_unseen(
    assessment: Assessment, questions: Questions, screen: Screen, statements: Mapping[str, Statement]
) -> Mapping[str, Statement]:
    said = dict(statements)
    for member in assessment.members:
        if member.verdict not in _CANNOT_BE_SEEN or member.name in said:
            continue
        screen.line()
        screen.line(f"Member {member.name} does not answer, and its node cannot be seen from here.")
        screen.line("If its data still exists, starting it may be all that is needed: a restore would lose writes.")
        answer = questions.choose(
            f"Do you know about the data of {member.name}? l: lost for good, i: intact, u: not known",
            ("l", "i", "u"),
            default="u",
        )
        if answer in _WORDS:
            said[_name_for(member)] = _WORDS[answer]
    return said


def _name_for(member: MemberAssessment) -> str:
    return member.name or member.node


def _choose(look: Look, questions: Questions, screen: Screen, wishes: Wishes) -> Candidate | None:
    _title(screen, 2, "The ways back, most gentle first")
    draw(screen, candidate_page(look.candidates))
    possible = {str(number): c for number, c in enumerate(look.candidates, start=1) if c.is_possible}
    if not possible:
        raise NothingPossible(
            "no way back is possible with what is known",
            subject=look.assessment.cluster,
            next_step="What would tell more: " + ("; ".join(look.assessment.would_tell) or "etcd-dr health"),
        )
    preferred = session_preference(look, wishes)
    default = next((number for number, c in possible.items() if c is preferred), None)
    screen.line()
    screen.line("Nothing was changed so far, and nothing is changed by choosing.")
    chosen = possible[questions.choose("Which way", tuple(possible), default=default)]
    if chosen.way is Way.NOTHING:
        screen.line("Nothing needs to be done.")
        return None
    return chosen


def session_preference(look: Look, wishes: Wishes) -> Candidate | None:
    """Return the candidate that was wished for, else the recommended one, None where there is neither."""
    if wishes.way is not None:
        fitting = [c for c in look.candidates if c.way is wishes.way and c.is_possible]
        return next((c for c in fitting if wishes.member in ("", c.target)), None)
    return next((c for c in look.candidates if c.is_recommended and c.is_possible), None)


def _confirm(plan: Plan, questions: Questions, screen: Screen) -> None:
    _title(screen, 3, "The plan")
    draw(screen, plan_page(plan, in_full=False))
    question = "Go on to the confirmation, or see the reason, the check and the undo of each step"
    while questions.choose(question, ("go", "see"), default="go") == "see":
        draw(screen, plan_page(plan))
    _title(screen, 4, "The last word")
    screen.line(f"It loses: {loss_words(plan.chosen.loss)}")
    if any(step.kind == "talos-wipe" for step in plan.steps):
        screen.line("Nodes are WIPED, which cannot be taken back. Before that their data is copied here; every step is")
        screen.line("written down before and after, and a recovery that stops can be gone on with (resume).")
    else:
        screen.line("Nothing is deleted: old data is moved aside, every step is written down before and after,")
        screen.line("and the recovery can be stopped with Ctrl-C, gone on with (resume) or taken back (abort).")
    screen.line("If you stop here, nothing was changed.")
    questions.confirm_by_typing(
        f"Type the cluster's name and the plan's number to begin ({plan.cluster} {plan.short_digest})",
        f"{plan.cluster} {plan.short_digest}",
    )


def _title(screen: Screen, number: int, text: str) -> None:
    screen.line()
    draw(screen, styled(f"{number}  {text}", "strong"))
