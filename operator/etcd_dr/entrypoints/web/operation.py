"""Who works for a cluster: this replica, another one, or whoever the store lets, as the page tells it."""

from __future__ import annotations

from typing import Any

from etcd_dr.ports.leadership import Leadership, LeadershipMode, Standing


def operation_words(leadership: Leadership, cluster: str) -> str:
    """Return it in a sentence; empty where there is one replica only, which is no news."""
    if leadership.mode is LeadershipMode.SOLE:
        return ""
    if leadership.mode is LeadershipMode.SURVIVAL:
        why = f": {leadership.silence}" if leadership.silence else ""
        return f"survival mode{why}; scheduled snapshots go on, and the store keeps the replicas apart"
    standing = _standing(leadership, cluster)
    if standing is not None and standing.leads:
        return "this replica leads" + (f", term {standing.fencing}" if standing.fencing is not None else "")
    holder = standing.holder if standing is not None else ""
    return f"{holder} leads; this replica watches" if holder else "no replica leads just now"


def operation_document(leadership: Leadership, cluster: str) -> dict[str, Any]:
    """Return it for programs."""
    standing = _standing(leadership, cluster)
    return {
        "mode": leadership.mode.value,
        "leads": standing.leads if standing else None,
        "holder": (standing.holder or None) if standing else None,
        "term": standing.fencing if standing else None,
        "silence": leadership.silence or None,
    }


def _standing(leadership: Leadership, cluster: str) -> Standing | None:
    return next((standing for standing in leadership.standings() if standing.cluster == cluster), None)
