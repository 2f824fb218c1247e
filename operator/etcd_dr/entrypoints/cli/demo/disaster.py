"""The second half of the story: the quorum is lost for good, and brought back; then a drill."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta

from rich.console import RenderableType

from etcd_dr.bootstrap.drill import drill_options, drill_ports
from etcd_dr.domain.proof import ProofLevel
from etcd_dr.domain.recovery.assessment import QuorumStanding
from etcd_dr.domain.recovery.candidate import Candidate, Way
from etcd_dr.domain.recovery.plan import Plan
from etcd_dr.domain.recovery.wishes import NO_WISHES
from etcd_dr.domain.selection import Latest, select
from etcd_dr.entrypoints.cli.demo.promises import promise
from etcd_dr.entrypoints.cli.demo.stage import Stage
from etcd_dr.entrypoints.cli.human import count, duration
from etcd_dr.entrypoints.cli.recover.assessment_page import STANDING_WORDS
from etcd_dr.entrypoints.cli.recover.candidate_page import WAY_WORDS
from etcd_dr.entrypoints.cli.recover.session import Look, Session
from etcd_dr.entrypoints.cli.tables import Cell, facts, styled, table
from etcd_dr.entrypoints.cli.who import whoami
from etcd_dr.workflows.drill_restore import drill_restore
from etcd_dr.workflows.read_catalogue import read_catalogue
from etcd_dr.workflows.recovery.run_plan import RecoveryOutcome, run_plan

Draw = Callable[[RenderableType], object]
Title = Callable[[str, str], object]


class Disaster:
    """Plays the acts from the loss to the drill."""

    def __init__(self, stage: Stage, session: Session, *, title: Title, draw: Draw) -> None:
        self._stage = stage
        self._session = session
        self._title = title
        self._draw = draw

    def lose_two_members(self, first: str) -> Look:
        """Wipe the member that was killed and one more; return what is seen then."""
        survivor = next(m.name for m in reversed(self._stage.cluster.members) if m.name != first)
        lost = [m.name for m in self._stage.cluster.members if m.name != survivor]
        self._title("6", f"The data of {' and '.join(lost)} wiped")
        for name in lost:
            self._stage.cluster.member(name).wipe()
        look = self._session.look({})
        words, style = STANDING_WORDS[look.assessment.standing]
        self._draw(styled(f"{words}: {look.assessment.reason}", style))
        rows = [(_way(c), _loss(c), _verdict(c)) for c in look.candidates if c.way is not Way.NOTHING]
        self._draw(table(("WAY BACK", "LOSES", ""), rows))
        promise(look.assessment.standing is QuorumStanding.LOST_FOR_GOOD, "the loss is seen to be for good")
        return look

    def recover(self, look: Look) -> None:
        """Carry out the gentlest way back."""
        plan = self._session.plan(look, None, NO_WISHES)
        self._title("7", f"Plan {plan.short_digest}: {count(len(plan.steps), 'step')}, each checked and written down")
        outcome = run_plan(plan, self._session.ports(), by=whoami(), facts_now=lambda: self._session.facts_now(plan))
        self._draw(facts(_outcome_rows(plan, outcome)))
        report = outcome.report
        promise(report.verification.get("is_as_predicted") is True, "the members hold what was predicted")
        promise(report.real_loss_revisions == 0, "nothing that the survivor had is lost")

    def drill(self) -> None:
        """Rehearse a recovery of the new cluster's first snapshot."""
        store = self._session.store
        if store is None:
            raise AssertionError("the stage has a store")
        chosen = select(read_catalogue(store, self._session.layout), Latest(verified=True)).snapshot
        self._title("8", f"A drill: snapshot {chosen.id} on a throw-away etcd")
        outcome = drill_restore(
            chosen,
            self._session.layout,
            ports=drill_ports(self._stage.target, store, self._session.surroundings),
            options=drill_options(self._stage.target),
        )
        passed = [check.name for check in outcome.checks if check.passed]
        self._draw(styled(f"{', '.join(passed)}: passed", "good"))
        rto = outcome.record.rto_seconds
        told = duration(timedelta(seconds=rto)) if rto is not None else "not measured"
        self._draw(styled(f"from the store to a serving etcd in {told}", "plain"))
        promise(outcome.snapshot.level is ProofLevel.RESTORABLE, f"{chosen.id} is proven to be restorable")


def _way(candidate: Candidate) -> Cell:
    target = f" {candidate.target}" if candidate.target and candidate.way is not Way.RESTORE else ""
    words = f"{WAY_WORDS[candidate.way]}{target}"
    return styled(words, "strong" if candidate.is_recommended else "plain")


def _loss(candidate: Candidate) -> Cell:
    if not candidate.is_possible:
        return "-"
    if candidate.loss.revisions == 0:
        return styled("nothing", "good")
    lost = count(candidate.loss.revisions, "revision") if candidate.loss.revisions is not None else "what came later"
    return styled(lost, "bad")


def _verdict(candidate: Candidate) -> Cell:
    if candidate.is_recommended:
        return styled("<- recommended", "strong")
    if candidate.is_possible:
        return "possible"
    return styled("not possible", "weak")


def _outcome_rows(plan: Plan, outcome: RecoveryOutcome) -> Iterator[tuple[str, Cell]]:
    report, verification = outcome.report, outcome.report.verification
    expected = plan.expected
    if expected is not None:
        yield "new cluster", f"{expected.cluster_id}, as computed beforehand"
    yield "HashKV", f"{verification.get('hash')} on {verification.get('members')} members, as predicted from the file"
    yield "revision", f"{verification.get('revision')}, above every one that was ever seen"
    yield "lost", styled(count(report.real_loss_revisions or 0, "revision"), "good")
    if report.recovery_seconds is not None:
        yield "recovery time", styled(duration(timedelta(seconds=report.recovery_seconds)), "strong")
