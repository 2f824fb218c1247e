"""A plan for people: what it will do, to which node, in which order, and how each step is checked and undone."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from etcd_dr.domain.recovery.plan import Plan
from etcd_dr.domain.recovery.step import Step
from etcd_dr.entrypoints.cli.human import count, plain
from etcd_dr.entrypoints.cli.recover.candidate_page import candidate_block
from etcd_dr.entrypoints.cli.tables import facts, styled


def plan_page(plan: Plan, *, in_full: bool = True) -> Group:
    """Return the plan; `in_full` with the reason, the check and the undo of every step."""
    parts: list[RenderableType] = [
        styled(f"plan {plan.short_digest} for {plan.cluster}", "strong"),
        candidate_block(plan.chosen),
        Text(""),
        facts(_facts(plan)),
        Text(""),
        steps_table(plan.steps, in_full=in_full),
    ]
    if plan.afterwards:
        parts += [Text(""), Text("afterwards, by hand:"), *(Text(f"  {plain(each)}") for each in plan.afterwards)]
    return Group(*parts)


def steps_table(steps: Sequence[Step], *, in_full: bool) -> Table:
    """Return the steps in order; those of one phase go at the same time and share its number."""
    drawn = Table(box=None, show_edge=False, pad_edge=False, show_header=False, padding=(0, 2, 0, 0))
    drawn.add_column(justify="right", no_wrap=True)
    drawn.add_column(overflow="fold")
    for number, (_, group) in enumerate(groupby(steps, key=lambda step: step.phase), start=1):
        together = list(group)
        for place, step in enumerate(together):
            drawn.add_row("" if place else f"{number}", Text(plain(step_words(step))))
            if in_full:
                for name, text in (("why", step.why), ("check", step.check), ("undo", step.undo)):
                    if text:
                        drawn.add_row("", styled(f"  {name}: {text}", "weak"))
    return drawn


def step_words(step: Step) -> str:
    """Return a step in one line, with its node."""
    return f"{step.title} ({step.node})" if step.node and step.node not in step.title else step.title


def _facts(plan: Plan) -> list[tuple[str, str]]:
    rows = [("recovery", plan.recovery_id), ("digest", str(plan.digest))]
    if plan.source is not None:
        revision = f", revision {plan.source.revision}" if plan.source.revision is not None else ""
        rows.append(("data from", f"{plan.source.kind} {plan.source.name}{revision}"))
    if plan.expected is not None:
        members = ", ".join(f"{member.name} {member.id}" for member in plan.expected.members)
        rows += [("new cluster id", plan.expected.cluster_id), ("new member ids", members)]
    rows.append(("steps", count(len(plan.steps), "step")))
    return rows
