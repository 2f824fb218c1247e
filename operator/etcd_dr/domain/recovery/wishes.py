"""What a person asked for beyond what would be proposed. Each wish is off until it is said."""

from __future__ import annotations

from dataclasses import dataclass

from etcd_dr.domain.recovery.candidate import Way
from etcd_dr.domain.selection import Selector


@dataclass(frozen=True, slots=True)
class Wishes:
    """`way` and `member` choose among what is possible; they never make something possible.

    `selector` names another snapshot than the newest proven one. `foreign_snapshot`: it may come from another etcd
    cluster. `roll_back`: restore although the quorum is held, and give up what was written since. `other_minor`: the
    snapshot may come from another minor of etcd than the nodes have. `no_bump`: keep the snapshot's revisions.
    """

    way: Way | None = None
    member: str = ""
    selector: Selector | None = None
    foreign_snapshot: bool = False
    roll_back: bool = False
    other_minor: bool = False
    no_bump: bool = False


NO_WISHES = Wishes()
