"""What several of the recover commands take, parsed once."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from etcd_dr.domain.recovery.assessment import Statement
from etcd_dr.domain.recovery.candidate import Way
from etcd_dr.domain.recovery.wishes import Wishes
from etcd_dr.entrypoints.cli.snapshot.choosing import parse_choice
from etcd_dr.errors import UsageError

Lost = Annotated[
    list[str] | None,
    typer.Option(
        "--lost",
        metavar="MEMBER",
        help="You know that this member's data will not come back; only where it cannot be seen.",
    ),
]
Intact = Annotated[
    list[str] | None,
    typer.Option("--intact", metavar="MEMBER", help="You know that this member's data is there; repeatable."),
]
WayOption = Annotated[
    Way | None,
    typer.Option("--way", metavar="WAY", help="start, repair, replace, rebuild or restore; else the gentlest."),
]
MemberOption = Annotated[
    str | None,
    typer.Option("--member", metavar="MEMBER", help="The member to replace, or the survivor to rebuild from."),
]
SnapshotOption = Annotated[
    str | None, typer.Option("--snapshot", metavar="ID", help="Restore this one instead of the newest proven one.")
]
ForeignSnapshot = Annotated[
    bool, typer.Option("--foreign-snapshot", help="The snapshot may come from another etcd cluster.")
]
OtherMinor = Annotated[
    bool, typer.Option("--other-minor", help="The snapshot may come from another minor version of etcd.")
]
RollBack = Annotated[
    bool, typer.Option("--roll-back", help="Restore although quorum is held, and give up what was written since.")
]
NoBump = Annotated[
    bool,
    typer.Option("--no-bump", help="Keep the old revisions. Watchers will then miss events: etcd-dr docs recovery."),
]
StateDir = Annotated[
    Path | None, typer.Option("--state-dir", metavar="DIR", help="Where journals and copies are kept [state_dir].")
]
WithoutStore = Annotated[
    bool,
    typer.Option(
        "--without-store", help="Go on although the store cannot be written: no lock, no mirror, no snapshot."
    ),
]
TakeOver = Annotated[
    bool, typer.Option("--take-over", help="Go on in the place of whoever holds the lock of this recovery.")
]


def parse_statements(lost: list[str] | None, intact: list[str] | None) -> Mapping[str, Statement]:
    """Return what was said about members by name. Raises UsageError for two words about one member."""
    said = dict.fromkeys(lost or (), Statement.LOST)
    for name in intact or ():
        if name in said:
            raise UsageError("is said to be both lost and intact", subject=name, next_step="Leave one of them out.")
        said[name] = Statement.INTACT
    return said


def parse_wishes(
    *,
    way: Way | None,
    member: str | None,
    snapshot: str | None,
    at: str | None,
    revision: int | None,
    foreign_snapshot: bool,
    other_minor: bool,
    roll_back: bool,
    no_bump: bool,
) -> Wishes:
    """Return what was wished for. A snapshot that is named means that a snapshot is to be restored. Raises UsageError."""
    names_snapshot = any(said is not None for said in (snapshot, at, revision))
    if names_snapshot and way not in (None, Way.RESTORE):
        raise UsageError(
            f"has no use for a snapshot, and one is named: --way {way}", next_step="Leave one of them out."
        )
    return Wishes(
        way=Way.RESTORE if names_snapshot or roll_back else way,
        member=member or "",
        selector=parse_choice(snapshot, at, revision, default=None) if names_snapshot else None,
        foreign_snapshot=foreign_snapshot,
        roll_back=roll_back,
        other_minor=other_minor,
        no_bump=no_bump,
    )
