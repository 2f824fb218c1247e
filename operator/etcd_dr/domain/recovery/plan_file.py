"""A plan as a file: what `recover plan -o json` writes and `recover run --plan` reads.

The document is the plan with its own digest beside it. White space and the order of fields do not matter; anything
else that was changed by hand shows in the digest, and is refused: what a person read is what is carried out.
"""

from __future__ import annotations

import json
from typing import Any

from etcd_dr.domain.manifest import canonical_json, parse_versioned
from etcd_dr.domain.recovery.plan import PLAN_VERSION, Plan
from etcd_dr.domain.recovery.record import MAX_PLAN_BYTES, validated
from etcd_dr.errors import JournalDamaged, ManifestInvalid

__all__ = ["MAX_PLAN_BYTES", "parse_plan", "plan_document"]


def plan_document(plan: Plan) -> dict[str, Any]:
    """Return the plan as JSON values, with its digest under `digest`."""
    return plan.model_dump(mode="json") | {"digest": str(plan.digest)}


def parse_plan(body: bytes, *, subject: str) -> Plan:
    """Return the plan in `body`, with or without its digest beside it; `subject` names the file for errors.

    Raises JournalDamaged for another version, for what does not parse, for fields that this version does not know
    (they could mean something that would be left undone), and for a digest that is not the plan's.
    """
    if len(body) > MAX_PLAN_BYTES:
        raise _damaged(subject, "it is too large to be a plan")
    try:
        document = parse_versioned(body, subject=subject, known=PLAN_VERSION)
        said = document.pop("digest", None)
        plan = validated(document, Plan, subject=subject)
    except ManifestInvalid as error:
        raise _damaged(subject, f"it {error.message}") from error
    if _canonical(document) != canonical_json(plan):
        raise _damaged(subject, "it has fields or spellings that this version does not write")
    if said is not None and said != str(plan.digest):
        raise _damaged(subject, f"its digest is {plan.short_digest}…, it says {str(said)[:80]}: it was changed by hand")
    return plan


def _canonical(document: dict[str, Any]) -> bytes:
    return json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def _damaged(subject: str, reason: str) -> JournalDamaged:
    return JournalDamaged(
        f"is not a plan that can be carried out: {reason}",
        subject=subject,
        next_step="Make a plan anew, and confirm that one: etcd-dr recover plan -o json > plan.json",
    )
