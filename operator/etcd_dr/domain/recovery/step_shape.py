"""What every step of a plan has in common; the kinds are in `step` and, for Talos, in `talos_step`."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class PlanStep(BaseModel):
    """A step is data. `why`, `check` and `undo` are sentences for people; `undo` empty: there is nothing to take back."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str = Field(description="unique in the plan and in its order: `07-stop-etcd-cp1`")
    phase: int
    node: str = Field(default="", description="the configured node; empty: here, or the cluster as a whole")
    title: str
    why: str
    check: str
    undo: str = ""
