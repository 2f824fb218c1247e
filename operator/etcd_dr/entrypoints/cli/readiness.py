"""`etcd-dr readiness`: could this cluster be recovered right now? It asks the store alone, so it works when etcd does not."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from rich.console import RenderableType
from rich.text import Text

from etcd_dr.bootstrap.readiness import readiness_terms
from etcd_dr.bootstrap.schedules import cron_schedule
from etcd_dr.domain.catalogue import Catalogue
from etcd_dr.domain.readiness.document import readiness_document
from etcd_dr.domain.readiness.facts import ReadinessFacts
from etcd_dr.domain.readiness.judging import judge_readiness
from etcd_dr.domain.readiness.verdict import Readiness, Recoverable, Weight
from etcd_dr.domain.schedule import next_run
from etcd_dr.entrypoints.cli.human import age, duration, moment, plain
from etcd_dr.entrypoints.cli.place import Place, open_place
from etcd_dr.entrypoints.cli.run import Run
from etcd_dr.entrypoints.cli.tables import Cell, draw, facts, styled
from etcd_dr.workflows.read_catalogue import read_catalogue

_STYLES = {Recoverable.YES: "good", Recoverable.YES_BUT: "doubtful", Recoverable.UNKNOWN: "doubtful"}
_WEIGHT_STYLES = {Weight.NOTE: "weak", Weight.RESERVATION: "doubtful", Weight.DOUBT: "doubtful", Weight.OBSTACLE: "bad"}


def command(run: Run) -> int:
    """Say whether the cluster could be recovered right now, what would be lost, and how long it would take.

    Exit status 0 is yes, 1 yes with reservations, 2 no, 3 unknown.
    """
    with open_place(run) as place:
        readiness = _judge(place, read_catalogue(place.store, place.layout))
    run.answer(readiness_document(readiness), table=lambda: draw(run.screen, *_page(run, readiness)))
    return readiness.answer.exit_status


def _judge(place: Place, catalogue: Catalogue) -> Readiness:
    now = place.surroundings.clock.now()
    known = ReadinessFacts(
        cluster=place.cluster, now=now, catalogue=catalogue, read_at=now, terms=readiness_terms(place.target, now=now)
    )
    if place.target.schedule is None:
        return judge_readiness(known)
    schedule = cron_schedule(place.target.schedule, cluster=place.cluster)
    newest = catalogue.newest.taken_at if catalogue.newest else None
    following = next_run(schedule, newest_taken_at=newest, now=now).start_at
    return judge_readiness(replace(known, schedule_gap=schedule.longest_gap(now), next_start_at=following))


def _page(run: Run, readiness: Readiness) -> list[RenderableType]:
    headline = f"recoverable now: {readiness.answer.words}"
    page: list[RenderableType] = [styled(headline, _STYLES.get(readiness.answer, "bad"))]
    if readiness.source is not None:
        page += [Text(""), facts(_figures(readiness))]
    for reason in readiness.reasons:
        rows: list[tuple[Cell, Cell]] = [
            (styled(reason.weight.value.upper(), _WEIGHT_STYLES[reason.weight]), reason.summary),
            ("", reason.code),
        ]
        if reason.next_step:
            rows.append(("", Text(plain(f"next: {run.paste.completed(reason.next_step)}"), no_wrap=True)))
        page += [Text(""), facts(rows)]
    return page


def _figures(readiness: Readiness) -> list[tuple[str, str]]:
    source, rpo, estimate = readiness.source, readiness.rpo, readiness.estimate
    rows = [("as of", moment(readiness.as_of) if readiness.as_of else "never")]
    if rpo is not None and rpo.age is not None:
        worst = f", {duration(rpo.projected)} just before the next snapshot is proven" if rpo.projected else ""
        rows.append(("would lose", f"at most {duration(rpo.age)}{worst}"))
    if estimate is not None:
        told = f"drilled {age(estimate.drilled_at, now=readiness.judged_at)} ago" if estimate.drilled_at else ""
        length = duration(timedelta(seconds=estimate.seconds))
        rows.append(
            ("would take", f"about {length} beside people's time ({told or 'typical rates, never drilled here'})")
        )
    if source is not None:
        rows.append(("from", f"{source.id} ({source.level})"))
    return rows
