"""Steps in the making: numbers them, and keeps count of the phases."""

from __future__ import annotations

from typing import Any

from etcd_dr.domain.recovery.step import Step


class Draft:
    """The steps so far. `begin_phase` opens the next phase; what is added until then belongs to the one before."""

    def __init__(self) -> None:
        self._steps: list[Step] = []
        self._phase = 0

    @property
    def steps(self) -> tuple[Step, ...]:
        return tuple(self._steps)

    def begin_phase(self) -> None:
        """Open the next phase; one that stayed empty is not counted."""
        if any(step.phase == self._phase for step in self._steps):
            self._phase += 1

    def add(self, kind: type[Step], *, about: str = "", **fields: Any) -> None:
        """Append a step of this kind; `about` ends its id, where it is not the node's name."""
        slug = kind.model_fields["kind"].default
        named = "-".join(
            part for part in (f"{len(self._steps) + 1:02d}", slug, about or fields.get("node", "")) if part
        )
        self._steps.append(kind(id=named, phase=self._phase, **fields))
