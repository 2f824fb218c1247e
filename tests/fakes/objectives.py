"""Objectives as tests write them down: how old the newest snapshot is, what a drill measured, what is planned."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from etcd_dr.domain.catalogue import Snapshot
from etcd_dr.domain.drill import drill_record
from etcd_dr.domain.objectives import Objectives, ObjectivesReport, judge_objectives
from etcd_dr.domain.objectives.rpo import Outlook
from etcd_dr.domain.proof import Proof, ProofLevel, ProofOrigin, ProofResult
from fakes.catalogue import catalogue_of, snapshot
from fakes.clock import MORNING


def standing(
    *ages: timedelta,
    objectives: Objectives,
    outlook: Outlook | None = None,
    drill_seconds: float | None = None,
) -> ObjectivesReport:
    """Return how objectives stand in the morning with proven snapshots of these ages, the first of them drilled."""
    taken = [snapshot(MORNING - age) for age in ages]
    if drill_seconds is not None:
        taken[0] = drilled(taken[0], seconds=drill_seconds)
    return judge_objectives(catalogue_of(*taken), objectives, now=MORNING, outlook=outlook)


def drilled(plain: Snapshot, *, seconds: float) -> Snapshot:
    """Return the snapshot with a drill of the whole way that passed and took so long."""
    phases = {"fetching": seconds, "verifying": 0.0, "restoring": 0.0, "starting": 0.0}
    record = drill_record(phases, objective=None, restored_with="", started_with="", keys_compared=0)
    proof = Proof(
        level=ProofLevel.RESTORABLE,
        result=ProofResult.PASSED,
        at=MORNING,
        made_from=ProofOrigin.STORED_OBJECT,
        detail="",
        tool_version="0",
        drill=record,
    )
    return replace(plain, proofs=(*plain.proofs, proof))
