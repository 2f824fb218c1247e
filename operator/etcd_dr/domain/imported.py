"""What is decided about a snapshot that another tool made: its time, its topology, whether it belongs here."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from etcd_dr.domain.catalogue import Catalogue
from etcd_dr.domain.cluster import id_text
from etcd_dr.domain.database import DatabaseStatus
from etcd_dr.domain.file_name import NameFacts
from etcd_dr.domain.manifest import TopologyMember
from etcd_dr.errors import UsageError

CLOCK_SKEW = timedelta(minutes=5)
"""How far ahead of ours the clock of whoever says a time may be."""


@dataclass(frozen=True, slots=True)
class ImportedTime:
    """When an imported snapshot was taken. `origin` is `option`, `name`, `file` or `present`."""

    moment: datetime
    origin: str
    warnings: tuple[str, ...] = ()


def check_taken_at(said: datetime | None, *, now: datetime) -> None:
    """Raise UsageError for a time that nobody can have taken a snapshot at yet."""
    if said is not None and said > now + CLOCK_SKEW:
        raise UsageError(
            f"{said:%Y-%m-%d %H:%M:%S} UTC lies in the future, by this machine's clock ({now:%Y-%m-%d %H:%M:%S} UTC)",
            subject="--taken-at",
            next_step="Give the time at which the snapshot was taken; if this clock is wrong, set it: timedatectl",
        )


def imported_time(option: datetime | None, *, name: NameFacts, changed_at: datetime, now: datetime) -> ImportedTime:
    """Return what somebody said, else what the name tells, else the file's last change; never the future."""
    warning = ""
    if option is not None:
        moment, origin = option, "option"
    elif name.taken_at is not None:
        moment, origin = name.taken_at, "name"
        warning = f"the time in its name was read as if {name.assumption}" if name.assumption else ""
    else:
        moment, origin = changed_at, "file"
        warning = "its name tells no time, so that of the file's last change was taken"
    warnings = (warning,) if warning else ()
    if moment > now:
        ahead = f"its time, {moment:%Y-%m-%d %H:%M} UTC, lies in the future; the present was taken"
        return ImportedTime(now, "present", (*warnings, ahead))
    return ImportedTime(moment, origin, warnings)


def stored_topology(status: DatabaseStatus) -> tuple[TopologyMember, ...]:
    """Return the members as the database itself has them."""
    return tuple(
        TopologyMember(
            id=id_text(member.id),
            name=member.name,
            peer_urls=member.peer_urls,
            client_urls=member.client_urls,
            is_learner=member.is_learner,
        )
        for member in status.members
    )


def is_stranger(topology: tuple[TopologyMember, ...], catalogue: Catalogue) -> bool:
    """Tell whether no member shares id, name or peer URL with any that the cluster's snapshots know.

    A recovery gives new ids and leaves names or addresses, so one of the three is enough. Where nothing is known on
    either side, nobody is a stranger.
    """
    known = {mark for snapshot in catalogue.snapshots for m in snapshot.manifest.topology for mark in _marks(m)}
    own = {mark for member in topology for mark in _marks(member)}
    return bool(known) and bool(own) and not known & own


def _marks(member: TopologyMember) -> tuple[tuple[str, str], ...]:
    named = (("name", member.name),) if member.name else ()
    return (("id", member.id), *named, *(("url", url) for url in member.peer_urls))
