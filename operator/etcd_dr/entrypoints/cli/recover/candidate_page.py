"""The ways back for people, most gentle first: what each loses, how long it takes, what it does to each node."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from etcd_dr.domain.recovery.candidate import Candidate, Loss, Way
from etcd_dr.entrypoints.cli.human import count, duration, plain
from etcd_dr.entrypoints.cli.tables import styled

WAY_WORDS = {
    Way.NOTHING: "do nothing",
    Way.START: "start what is down",
    Way.REPAIR: "remove the cause",
    Way.REPLACE: "replace the failed member",
    Way.REBUILD: "rebuild from a survivor's data",
    Way.RESTORE: "restore a snapshot",
}


def candidate_page(candidates: Sequence[Candidate]) -> Group:
    """Return all candidates, numbered as they are chosen."""
    parts: list[RenderableType] = []
    for number, candidate in enumerate(candidates, start=1):
        if parts:
            parts.append(Text(""))
        parts.append(candidate_block(candidate, number=number))
    return Group(*parts)


def candidate_block(candidate: Candidate, *, number: int | None = None) -> Table:
    """Return one candidate. What is not possible says why, and no more."""
    block = Table(box=None, show_edge=False, pad_edge=False, show_header=False, padding=(0, 2, 0, 0))
    block.add_column(no_wrap=True)
    block.add_column(overflow="fold")
    mark = "" if number is None else f"{number}"
    block.add_row(mark, _heading(candidate))
    if not candidate.is_possible:
        block.add_row("", Text(f"not possible: {plain(candidate.obstacle)}"))
        for need in candidate.needs_hands:
            block.add_row("", styled(f"by hand: {need}", "doubtful"))
        return block
    block.add_row("", Text(plain(candidate.summary)))
    for reason in candidate.reasons:
        block.add_row("", Text(f"because {plain(reason)}"))
    block.add_row("", styled(f"loses: {loss_words(candidate.loss)}", "good" if is_free(candidate.loss) else "bad"))
    if candidate.expected_seconds:  # doing nothing takes no time, and nobody has measured it
        took = duration(timedelta(seconds=candidate.expected_seconds))
        block.add_row("", Text(f"takes: about {took}, from measured rates"))
    for effect in candidate.effects:
        block.add_row("", Text(f"{plain(effect.node)}: {plain(effect.effect)}"))
    for need in candidate.needs_hands:
        block.add_row("", styled(f"by hand: {need}", "doubtful"))
    return block


def loss_words(loss: Loss) -> str:
    """Return the loss in one line: the numbers that are known, then the sentence they rest on."""
    if is_free(loss):
        return plain(loss.text)
    numbers = []
    if loss.seconds is not None:
        numbers.append(duration(timedelta(seconds=loss.seconds)))
    if loss.revisions is not None:
        numbers.append(count(loss.revisions, "revision"))
    if loss.keys is not None:
        numbers.append(count(loss.keys, "key"))
    return f"{', '.join(numbers)} ({plain(loss.text)})" if numbers else plain(loss.text)


def _heading(candidate: Candidate) -> Text:
    target = f" ({candidate.target})" if candidate.target else ""
    words = f"{WAY_WORDS[candidate.way]}{target}"
    if candidate.is_recommended:
        return styled(f"{words}   <- recommended", "strong")
    return styled(words, "plain" if candidate.is_possible else "weak")


def is_free(loss: Loss) -> bool:
    """Tell whether it is known that nothing is lost."""
    return not any((loss.seconds, loss.revisions, loss.keys)) and loss.revisions is not None
