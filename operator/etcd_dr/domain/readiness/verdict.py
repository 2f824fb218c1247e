"""What a verdict on readiness says: the answer, what would be lost, how long it would take, and why."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from etcd_dr.domain.catalogue import Snapshot
from etcd_dr.domain.objectives.rpo import RpoStanding
from etcd_dr.domain.objectives.rto import RtoBasis, RtoStanding


class Weight(StrEnum):
    """What a reason does to the answer, from least to most; compare with `rank`.

    A `note` is worth knowing and changes nothing. A `reservation` makes it "yes, but", a `doubt` makes it unknown, an
    `obstacle` makes it no.
    """

    NOTE = "note"
    RESERVATION = "reservation"
    DOUBT = "doubt"
    OBSTACLE = "obstacle"

    @property
    def rank(self) -> int:
        return list(Weight).index(self)


class Recoverable(StrEnum):
    """The answer. `unknown` means that the store cannot be asked now; what it said last is told beside it."""

    YES = "yes"
    YES_BUT = "yes-but"
    UNKNOWN = "unknown"
    NO = "no"

    @property
    def words(self) -> str:
        """As it is read aloud: `yes`, `yes, but`, `unknown`, `no`."""
        return "yes, but" if self is Recoverable.YES_BUT else self.value

    @property
    def exit_status(self) -> int:
        """What a Nagios plugin would end with: 0 yes, 1 yes-but, 2 no, 3 unknown."""
        return {Recoverable.YES: 0, Recoverable.YES_BUT: 1, Recoverable.NO: 2, Recoverable.UNKNOWN: 3}[self]


_ANSWERS = {
    Weight.NOTE: Recoverable.YES,
    Weight.RESERVATION: Recoverable.YES_BUT,
    Weight.DOUBT: Recoverable.UNKNOWN,
    Weight.OBSTACLE: Recoverable.NO,
}


@dataclass(frozen=True, slots=True)
class Reason:
    """One thing that speaks for or against. `code` is stable (docs/status-page.md lists all).

    `summary` is lowercase without a full stop; `next_step` is full sentences with a command that can be pasted, empty
    where there is nothing to do.
    """

    code: str
    weight: Weight
    summary: str
    next_step: str = ""


@dataclass(frozen=True, slots=True)
class Estimate:
    """How long a recovery from a snapshot would take, in seconds, without the time that people need.

    `restore_seconds` is fetching, proving, restoring and starting, as `basis` has it; `nodes_seconds` is what a drill
    does not do: stopping etcd, building for the further members, placing the data, from typical rates.
    """

    restore_seconds: float
    nodes_seconds: float
    basis: RtoBasis
    drilled_at: datetime | None = None
    drilled_id: str | None = None

    @property
    def seconds(self) -> float:
        return self.restore_seconds + self.nodes_seconds


@dataclass(frozen=True, slots=True)
class Readiness:
    """The verdict on one cluster. `as_of`: when the store was last read; None: never.

    `source` is the snapshot that a recovery would begin with; without one there is no loss and no estimate to tell.
    `rpo` and `rto` say how the objectives stand. `reasons` go from the weightiest to the least, then in the order of
    the rules.
    """

    cluster: str
    judged_at: datetime
    as_of: datetime | None
    answer: Recoverable
    source: Snapshot | None
    rpo: RpoStanding | None
    rto: RtoStanding | None
    estimate: Estimate | None
    reasons: tuple[Reason, ...]

    @property
    def summary(self) -> str:
        """The verdict in one line, with the weightiest reason."""
        first = next((r.summary for r in self.reasons if r.weight is not Weight.NOTE), "")
        return f"{self.answer.words}: {first}" if first else self.answer.words


def answer_to(reasons: Iterable[Reason]) -> Recoverable:
    """Return the answer that the weightiest reason leads to; yes where there is none."""
    heaviest = max((reason.weight for reason in reasons), key=lambda weight: weight.rank, default=Weight.NOTE)
    return _ANSWERS[heaviest]
