"""Members as rows for people, for `members`, `health` and the demo."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from rich.table import Table
from rich.text import Text

from etcd_dr.domain.member_health import MemberHealth, MemberRole
from etcd_dr.entrypoints.cli.human import age, plain, size
from etcd_dr.entrypoints.cli.tables import styled, table

_DOUBTFUL_ROLES = (MemberRole.NOT_STARTED, MemberRole.UNLISTED)


def member_table(members: Iterable[MemberHealth], *, now: datetime) -> Table:
    """Return one row for each member; what a member did not say is a dash."""
    return table(
        ("MEMBER", "ROLE", "ENDPOINT", "VERSION", "REVISION", "BEHIND", "DB", "CERT"),
        (_row(member, now) for member in members),
        right=("REVISION", "BEHIND", "DB", "CERT"),
    )


def silences(members: Iterable[MemberHealth]) -> list[str]:
    """Return one line for each reason why members do not answer, with these members before it."""
    by_reason: dict[str, list[str]] = {}
    for member in members:
        if not member.answers:
            by_reason.setdefault(member.failure or "was not asked", []).append(member.label)
    return [f"{plain(', '.join(labels))}: {plain(reason)}" for reason, labels in by_reason.items()]


def _row(member: MemberHealth, now: datetime) -> tuple[str | Text, ...]:
    return (
        member.label,
        _role(member),
        _short(member.endpoint or next(iter(member.client_urls), "-")),
        member.version or "-",
        _number(member.revision),
        _number(member.revision_lag),
        size(member.db_size_bytes) if member.db_size_bytes is not None else "-",
        _expiry(member.certificate_not_after, now),
    )


def _role(member: MemberHealth) -> Text:
    if not member.answers:
        return styled(f"{member.role.value} DOWN", "bad")
    if member.has_leader is False:
        return styled(f"{member.role.value}, no leader", "bad")
    return styled(member.role.value, "doubtful" if member.role in _DOUBTFUL_ROLES else "good")


def _short(url: str) -> str:
    return url.partition("://")[2] or url


def _number(value: int | None) -> str:
    return "-" if value is None else str(value)


def _expiry(moment: datetime | None, now: datetime) -> Text | str:
    if moment is None:
        return "-"
    return styled("EXPIRED", "bad") if moment <= now else age(now, now=moment)
