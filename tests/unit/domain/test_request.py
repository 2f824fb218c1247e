"""What is done with a request, from what is seen of it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from etcd_dr.domain.request import Action, Request, RequestKind, RequestPhase, decide, due_to_go_at
from fakes.clock import MORNING

HOUR = timedelta(hours=1)
LEFT = Request(RequestKind.SNAPSHOT, "now", "uid-1", "1", "prod", created_at=MORNING)
DONE = replace(LEFT, phase=RequestPhase.COMPLETED, finished_at=MORNING)


@pytest.mark.parametrize(
    ("request_", "action"),
    [
        (LEFT, Action.RUN),
        (replace(LEFT, phase=RequestPhase.PENDING), Action.RUN),
        (replace(LEFT, phase=RequestPhase.RUNNING, claimed_by="other"), Action.SETTLE),
        (replace(LEFT, phase=RequestPhase.RUNNING, claimed_by="me"), Action.RUN),
        (replace(LEFT, cluster="staging"), Action.REFUSE),
        (replace(LEFT, malformed="no cluster"), Action.REFUSE),
        (replace(LEFT, uid="held"), Action.LEAVE),
        (replace(LEFT, phase=RequestPhase.RUNNING, uid="held"), Action.LEAVE),
        (replace(LEFT, is_going=True), Action.LEAVE),
        (replace(LEFT, is_record=True), Action.LEAVE),
        (replace(DONE, is_record=True), Action.LEAVE),
        (DONE, Action.LEAVE),
        (replace(DONE, finished_at=MORNING - HOUR), Action.REMOVE),
        (replace(DONE, ttl=timedelta(0)), Action.REMOVE),
        (replace(DONE, phase=RequestPhase.REFUSED, finished_at=MORNING - HOUR), Action.REMOVE),
        (replace(DONE, finished_at=None), Action.LEAVE),
        (replace(DONE, finished_at=MORNING - HOUR, ttl=2 * HOUR), Action.LEAVE),
    ],
)
def test_each_request_gets_what_it_needs(request_: Request, action: Action) -> None:
    """Phase, claim, cluster, age: each alone decides."""
    decision = decide(request_, now=MORNING, clusters={"prod"}, me="me", held={"held"}, ttl=HOUR)

    assert decision.action is action


def test_a_refusal_names_the_clusters_that_there_are() -> None:
    """Whoever mistyped a name reads the right one."""
    decision = decide(replace(LEFT, cluster="prdo"), now=MORNING, clusters={"prod", "edge"}, me="me", held=(), ttl=HOUR)

    assert decision.reason == "UnknownCluster"
    assert decision.message == "this operator protects: edge, prod"


def test_only_what_is_finished_has_a_time_to_go() -> None:
    """A request that waits for an operator waits for ever."""
    assert due_to_go_at(LEFT, ttl=HOUR) is None
    assert due_to_go_at(DONE, ttl=HOUR) == MORNING + HOUR
