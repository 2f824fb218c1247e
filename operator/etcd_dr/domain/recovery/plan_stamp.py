"""What makes one plan this plan: its id, the new cluster's token, when and by whom it was made."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Stamp:
    """`recovery_id` and `token` are new for every plan; `token` becomes --initial-cluster-token of a new cluster."""

    recovery_id: str
    token: str
    made_at: datetime
    made_by: str
    tool_version: str
