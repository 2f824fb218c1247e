"""Which proofs of a snapshot decide, when several were made within one second."""

from __future__ import annotations

import pytest

from etcd_dr.domain.manifest import canonical_json
from etcd_dr.domain.proof import Proof, ProofLevel, ProofOrigin, ProofResult
from etcd_dr.domain.proof_name import ProofName
from fakes.catalogue import moment, snapshot
from scenarios.kept_world import KeptWorld


@pytest.mark.parametrize("token_of_the_failed", ["000000000001", "ffffffffffff"])
def test_later_proof_of_the_same_second_decides(token_of_the_failed: str) -> None:
    """A failure is not hidden by a proof that passed half a second earlier, however their names sort."""
    world = KeptWorld()
    planted = world.plant(snapshot("2026-08-20 03:00", state="proven"))
    for result, at, token in (
        (ProofResult.PASSED, "2026-08-20 04:00:00.200000", "888888888888"),
        (ProofResult.FAILED, "2026-08-20 04:00:00.700000", token_of_the_failed),
    ):
        proof = Proof(
            level=ProofLevel.STORED,
            result=result,
            at=moment(at),
            made_from=ProofOrigin.STORED_OBJECT,
            detail="",
            tool_version="0",
        )
        name = ProofName(proof.level, proof.at, token)
        world.store.plant(f"{world.layout.proofs(planted.id)}{name}", canonical_json(proof))

    [found] = world.catalogue.snapshots

    assert found.is_damaged
    assert world.catalogue.newest_proven is None
