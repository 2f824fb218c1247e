"""One way back, with its price: what it loses, how long it takes, and what it does to each node.

Candidates are offered most gentle first. One that is not possible is offered too, with the reason: a person at 3 a.m.
asks "why not simply ...?", and the answer belongs on the same page.
"""

from __future__ import annotations

from enum import StrEnum

from pydantic import BaseModel, ConfigDict, Field


class Way(StrEnum):
    """The ways back, most gentle first; compare with `rank`."""

    NOTHING = "nothing"
    """The cluster is healthy; there is nothing to recover."""
    START = "start"
    """Start the members that are down and have their data."""
    REPAIR = "repair"
    """Remove the cause that was found: no space, a certificate, a full disk, a wrong manifest."""
    REPLACE = "replace"
    """Replace failed members one by one while the quorum lives."""
    REBUILD = "rebuild"
    """Build a new cluster from the data of the best survivor."""
    RESTORE = "restore"
    """Build a new cluster from the newest proven snapshot."""

    @property
    def rank(self) -> int:
        return list(Way).index(self)


class Loss(BaseModel):
    """What is lost. None: not known; zero is a promise. `text` says it in one sentence, with what it rests on."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    seconds: float | None = None
    revisions: int | None = None
    keys: int | None = None
    text: str


class NodeEffect(BaseModel):
    """What a way does to one node, in one sentence."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    node: str
    effect: str


class Candidate(BaseModel):
    """One way. `obstacle` says why it cannot be taken; empty: it can. `is_recommended` is true for at most one.

    `expected_seconds` comes from measured rates (`durations`), None where nothing was measured. `target` names what it
    works on: a member, or a snapshot id. `needs_hands` says what a person must do by themselves; then no plan runs it
    without them.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    way: Way
    target: str = ""
    summary: str
    reasons: tuple[str, ...] = ()
    obstacle: str = ""
    is_recommended: bool = False
    loss: Loss
    expected_seconds: float | None = None
    effects: tuple[NodeEffect, ...] = ()
    needs_hands: tuple[str, ...] = Field(default=())

    @property
    def is_possible(self) -> bool:
        return not self.obstacle
