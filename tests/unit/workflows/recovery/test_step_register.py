"""Every kind of step that a plan can hold can be carried out."""

from __future__ import annotations

from typing import get_args

from etcd_dr.domain.recovery.step import Step
from etcd_dr.workflows.recovery.steps.register import PROCEDURES

_TOUCHES_A_NODE = {"fence-writers", "lift-fence", "stop-etcd", "set-data-aside", "place-data", "start-etcd"}


def kinds() -> set[str]:
    [union, _] = get_args(Step)
    return {kind.model_fields["kind"].default for kind in get_args(union)}


def test_every_kind_has_a_procedure() -> None:
    """A plan never names a step that nobody knows how to do."""
    assert set(PROCEDURES) == kinds()


def test_everything_that_changes_a_node_can_be_taken_back() -> None:
    """Abort leads back to the old state."""
    assert {kind for kind, procedure in PROCEDURES.items() if procedure.undo is not None} >= _TOUCHES_A_NODE
