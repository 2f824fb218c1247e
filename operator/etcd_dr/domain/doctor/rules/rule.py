"""What a rule is, and the commands that its findings offer."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

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
