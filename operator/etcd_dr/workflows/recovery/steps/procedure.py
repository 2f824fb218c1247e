"""The shape of a step's procedure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from etcd_dr.domain.recovery.journal import Facts
from etcd_dr.workflows.recovery.work import Work


@dataclass(frozen=True, slots=True)
class Procedure:
    """`carry_out` does and checks a step, `undo` takes it back; None: there is nothing to take back.

    `holds` says whether what a step made *here* is still there; None: it made nothing here. Steps are typed by their
    kind, which `register` matches; hence `Any`.
    """

    carry_out: Callable[[Any, Work], Facts]
    undo: Callable[[Any, Work], Facts] | None = None
    holds: Callable[[Any, Work], bool] | None = None
