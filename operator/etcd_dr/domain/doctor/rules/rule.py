"""What a rule is, how it reads what a node published, and the commands that its findings offer."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from etcd_dr.domain.doctor.observation import TalosObservation
from etcd_dr.domain.health import Finding


@dataclass(frozen=True, slots=True)
class DoctorRule:
    """A pure function with the codes that it may find."""

    judge: Callable[[TalosObservation], Iterable[Finding]]
    codes: tuple[str, ...]


def talosctl(node: str, *words: str) -> str:
    """Return a talosctl command for one node, dialled directly."""
    return " ".join(["talosctl", "-e", node, "-n", node, *words])


def mapping(value: object) -> Mapping[str, Any]:
    """Return a published mapping, empty where it is none: another release may publish another shape."""
    return value if isinstance(value, dict) else {}


def items(value: object) -> tuple[Any, ...]:
    """Return a published list, empty where it is none."""
    return tuple(value) if isinstance(value, list) else ()
