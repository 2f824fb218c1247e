"""One slot of a schedule among several replicas: who works on it, and which snapshot is the one for it.

- A claim says "I work on this slot". It saves the others the work and promises nothing: it lives for a time that each
  of the others counts on its own steady clock from when it first saw the claim.
- A decision says "this is the snapshot of this slot" and carries its whole manifest. It is put if absent, so that a
  slot has one; whoever finds it without its manifest in place can finish what its author began.

Both are stored objects (docs/stored-format.md) with a `version` of their own.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from etcd_dr.domain.manifest import Manifest, invalid_record, parse_versioned

CLAIM_VERSION = 1
MAX_CLAIM_BYTES = 64 << 10
MAX_DECISION_BYTES = 2 << 20  # a manifest and a little more

_CLAIM_NAME = re.compile(r"(\d{6})\.json", re.ASCII)


class SlotClaim(BaseModel):
    """`fencing`: the term of the lease under which it was made; None: without one. `token` tells claims apart."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    version: Literal[1] = 1
    cluster: str
    slot: AwareDatetime
    holder: str
    fencing: int | None = None
    life_seconds: float = Field(ge=0)
    claimed_at: AwareDatetime
    token: str

    def gives_way_to(self, *, holder: str, fencing: int | None, watched_seconds: float) -> bool:
        """Tell whether `holder` may work on the slot in spite of this claim, after having seen it for so long.

        A later term of the same lease need not wait: the claim's author no longer has the lease.
        """
        if self.holder == holder or watched_seconds >= self.life_seconds:
            return True
        return fencing is not None and self.fencing is not None and fencing > self.fencing


class SlotDecision(BaseModel):
    """The snapshot of a slot, with everything that is needed to make it exist."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    version: Literal[1] = 1
    cluster: str
    slot: AwareDatetime
    holder: str
    fencing: int | None = None
    decided_at: AwareDatetime
    manifest: Manifest


def claim_name(number: int) -> str:
    """Return the name of the n-th claim (n >= 1) below its slot."""
    return f"{number:06d}.json"


def claim_number(name: str) -> int | None:
    """Return which claim an object is; None: it is none."""
    match = _CLAIM_NAME.fullmatch(name)
    return int(match[1]) if match else None


def parse_claim(body: bytes, *, subject: str) -> SlotClaim:
    """Raises ManifestInvalid, and ManifestVersionUnknown for a later version."""
    document = parse_versioned(body, subject=subject, known=CLAIM_VERSION)
    try:
        return SlotClaim.model_validate(document)
    except ValidationError as error:
        raise invalid_record(subject, error) from error


def parse_decision(body: bytes, *, subject: str, cluster: str, slot: datetime) -> SlotDecision:
    """Raises ManifestInvalid, also when it is one of another place, and ManifestVersionUnknown for a later version."""
    document = parse_versioned(body, subject=subject, known=CLAIM_VERSION)
    try:
        decision = SlotDecision.model_validate(document)
        _ = decision.manifest.snapshot_id
    except (ValidationError, ValueError) as error:
        raise invalid_record(subject, error) from error
    if (decision.cluster, decision.manifest.cluster, decision.slot) != (cluster, cluster, slot):
        raise invalid_record(subject, ValueError("it speaks of another cluster or slot than its place"))
    return decision
