"""A process that carries out a recovery, to be killed: `python recovery_child.py SPEC` with SPEC as JSON.

    {"parts": ..., "verb": "run" | "resume" | "abort", "plan": PLAN or "id": ID, "dies_after": N or null}

It kills itself (SIGKILL) as soon as entry N is kept here: before the store has it, unless `mirrored` is set. At the
end it prints one JSON object.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from etcd_dr.domain.recovery.journal import JournalEntry
from etcd_dr.domain.recovery.plan import Plan
from etcd_dr.ports.journal_store import JournalStore
from etcd_dr.workflows.recovery.run_plan import abort_recovery, resume_recovery, run_plan
from real.recovery_parts import RecoveryParts, facts_now, recovery_ports_of

BY = "child@test"


class DyingJournal:
    """A journal that ends its process right after an entry was kept."""

    def __init__(self, kept: JournalStore, *, dies_after: int) -> None:
        self._kept = kept
        self._dies_after = dies_after

    @property
    def place(self) -> str:
        return self._kept.place

    @property
    def lag(self) -> int:
        return self._kept.lag

    def create(self, plan: Plan) -> None:
        self._kept.create(plan)

    def append(self, entry: JournalEntry) -> None:
        self._kept.append(entry)
        if entry.number >= self._dies_after:
            os.kill(os.getpid(), signal.SIGKILL)

    def plan(self, recovery_id: str) -> Plan | None:
        return self._kept.plan(recovery_id)

    def entries(self, recovery_id: str) -> tuple[JournalEntry, ...]:
        return self._kept.entries(recovery_id)

    def recovery_ids(self) -> Sequence[str]:
        return self._kept.recovery_ids()

    def put_report(self, recovery_id: str, name: str, body: bytes) -> None:
        self._kept.put_report(recovery_id, name, body)


def main(spec: dict[str, Any]) -> None:
    parts = RecoveryParts.from_json(spec["parts"])
    ports = recovery_ports_of(parts)
    if spec.get("dies_after") is not None:
        ports = replace(ports, journal=DyingJournal(ports.journal, dies_after=spec["dies_after"]))
    if spec["verb"] == "run":
        plan = Plan.model_validate(spec["plan"])
        outcome = run_plan(plan, ports, by=BY, facts_now=lambda: facts_now(parts, plan))
    elif spec["verb"] == "resume":
        known = ports.journal.plan(spec["id"])
        assert known is not None
        outcome = resume_recovery(spec["id"], ports, by=BY, take_over=True, facts_now=lambda: facts_now(parts, known))
    else:
        outcome = abort_recovery(spec["id"], ports, by=BY, take_over=True)
    print(json.dumps({"state": outcome.state.value, "warnings": outcome.warnings, "lag": outcome.lag}))


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
