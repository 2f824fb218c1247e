"""The break-glass kit: what a person must have outside the cluster, and whether it would do.

- A kit holds no secrets: it says which files must be where, and names keys by their public halves.
- A check is an answer with its next step. `failed`: a recovery would not begin with this kit; `warning`: it would, and
  somebody should look; `left-out`: there is nothing to check, or an earlier answer forbids it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from etcd_dr.domain.manifest import TopologyMember

CONFIG_NAME, PAGE_NAME, SUMS_NAME, FACTS_NAME = "etcd-dr.yaml", "RECOVER.md", "SHA256SUMS", "kit.json"


class KitResult(StrEnum):
    PASSED = "passed"
    WARNING = "warning"
    FAILED = "failed"
    LEFT_OUT = "left-out"


@dataclass(frozen=True, slots=True)
class KitCheck:
    """One answer."""

    name: str
    result: KitResult
    detail: str
    next_step: str = ""


@dataclass(frozen=True, slots=True)
class KitFile:
    """A file that the configuration names and the kit does not hold. `setting` is its key in the configuration."""

    setting: str
    path: str


@dataclass(frozen=True, slots=True)
class KitFacts:
    """What a kit is made of. `server_version` and `topology` are the newest proven snapshot's, where there is one."""

    cluster: str
    store_url: str
    made_at: datetime
    made_by: str
    tool_version: str
    recipients: tuple[str, ...]
    is_encrypted: bool
    files: tuple[KitFile, ...]
    server_version: str | None = None
    snapshot_id: str | None = None
    topology: tuple[TopologyMember, ...] = ()
    nodes: tuple[str, ...] = ()
    companions: tuple[str, ...] = field(default=())


def worst(checks: Sequence[KitCheck]) -> KitResult:
    """Return the worst answer: failed before warning before passed."""
    results = {check.result for check in checks}
    for result in (KitResult.FAILED, KitResult.WARNING):
        if result in results:
            return result
    return KitResult.PASSED


def age_check(taken_at: datetime, *, now: datetime, longest: timedelta | None) -> KitCheck:
    """Judge the age of the newest proven snapshot. `longest` is what is wanted, None: a day."""
    age, limit = now - taken_at, longest or timedelta(days=1)
    told = f"the newest proven snapshot is {hours_text(age)} old"
    if age <= limit:
        return KitCheck("snapshot age", KitResult.PASSED, told)
    wanted = f"{told}; at most {hours_text(limit)} is wanted"
    return KitCheck("snapshot age", KitResult.WARNING, wanted, "Take one: etcd-dr snapshot save")


def drill_check(drilled_at: datetime | None, *, now: datetime, longest: timedelta | None) -> KitCheck:
    """Judge the age of the last good drill. `longest` None: 90 days."""
    limit = longest or timedelta(days=90)
    if drilled_at is not None and now - drilled_at <= limit:
        return KitCheck("drill", KitResult.PASSED, f"the last good drill was {hours_text(now - drilled_at)} ago")
    told = "no drill has ever passed" if drilled_at is None else f"the last was {hours_text(now - drilled_at)} ago"
    return KitCheck("drill", KitResult.WARNING, told, "Rehearse: etcd-dr drill run")


def topology_check(then: Sequence[str], now: Sequence[str]) -> KitCheck:
    """Compare the members (by their peer URLs) that the kit's page names with those of the newest snapshot."""
    gone, new = sorted(set(then) - set(now)), sorted(set(now) - set(then))
    if not gone and not new:
        return KitCheck("members", KitResult.PASSED, f"the {len(now)} members are those that the page names")
    changes = [f"gone: {', '.join(gone)}"] * bool(gone) + [f"new: {', '.join(new)}"] * bool(new)
    return KitCheck(
        "members",
        KitResult.WARNING,
        f"the members have changed since the kit was made; {'; '.join(changes)}",
        "Make the kit anew: etcd-dr kit create DIRECTORY",
    )


def hours_text(length: timedelta) -> str:
    """Return a length of time in days, hours or minutes, for a person."""
    hours = length / timedelta(hours=1)
    return f"{hours / 24:.1f} days" if hours >= 48 else f"{hours:.1f} hours" if hours >= 1 else f"{hours * 60:.0f} min"
