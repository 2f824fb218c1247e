"""Rules that compare with earlier rounds: windows, restarts, and what a single look may not claim."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from etcd_dr.domain.answer import Answer
from etcd_dr.domain.health import Severity
from etcd_dr.domain.health_rules import evaluate
from etcd_dr.domain.member_metrics import Histogram
from etcd_dr.domain.observation import Observation
from fakes.observations import all_bent, bent, earlier, healthy, silent

INF = float("inf")


def codes(seen: Observation, *past: Observation, **more: Any) -> list[str]:
    return [f.code for f in evaluate(seen, cluster="prod", history=past, **more).findings]


@pytest.mark.parametrize(
    ("code", "seen"),
    [
        ("leader.changes", bent(healthy(), "m2", metrics={"leader_changes": 500.0})),
        ("proposals.failing", bent(healthy(), "m2", metrics={"proposals_failed": 500.0})),
        ("db.growing", bent(healthy(), "m2", status={"db_size_bytes": 1 << 30})),
        ("member.learner_stuck", healthy(3, learners=1)),
    ],
)
def test_single_look_claims_nothing_about_time(code: str, seen: Observation) -> None:
    """Counters since the start of a process say nothing about the last hour."""
    assert code not in codes(seen)


def test_leader_changes_of_an_older_hour_do_not_count() -> None:
    """Only the window counts."""
    assert "leader.changes" not in codes(
        bent(healthy(), "m2", metrics={"leader_changes": 9.0}), earlier(healthy(), minutes=61)
    )


def test_leader_changes_are_counted_by_terms_where_there_are_no_metrics() -> None:
    """Every election moves the term."""
    blind = all_bent(healthy(), http={})
    blind = replace(blind, endpoints=tuple(replace(e, http=replace(e.http, metrics=Answer())) for e in blind.endpoints))
    later = replace(
        blind,
        endpoints=tuple(replace(e, status_again=Answer(replace(e.status.value, raft_term=9))) for e in blind.endpoints),  # type: ignore[type-var]
    )

    assert "leader.changes" in codes(later, earlier(blind, minutes=30))


def test_restarted_process_does_not_hide_its_new_failures() -> None:
    """A counter that went back counts from zero."""
    before = bent(healthy(), "m2", metrics={"proposals_failed": 900.0})
    now = bent(healthy(), "m2", metrics={"proposals_failed": 6.0})

    assert "proposals.failing" in codes(now, earlier(before, minutes=5))


def test_disk_is_judged_by_the_recent_window() -> None:
    """A slow hour last week must not warn for ever; a slow minute now must not drown in a good week."""
    slow_week = Histogram(((0.001, 0.0), (1.024, 100_000.0), (INF, 100_000.0)))
    then_fast = Histogram(((0.001, 500.0), (1.024, 100_500.0), (INF, 100_500.0)))
    now, before = (bent(healthy(), "m2", metrics={"wal_fsync": h}) for h in (then_fast, slow_week))

    assert "disk.slow_fsync" in codes(now)
    assert "disk.slow_fsync" not in codes(now, earlier(before, minutes=5))


def test_disk_of_a_restarted_process_is_judged_by_its_own_life() -> None:
    """Histograms of two processes must not be subtracted."""
    slow = Histogram(((0.001, 0.0), (1.024, 200.0), (INF, 200.0)))
    now = bent(healthy(), "m2", metrics={"wal_fsync": slow, "process_started_at": 99.0})

    [finding] = evaluate(now, cluster="prod", history=(earlier(healthy(), minutes=5),)).findings

    assert finding.code == "disk.slow_fsync"
    assert finding.evidence["window_seconds"] is None


def test_few_samples_are_no_percentile() -> None:
    """An idle cluster has written a handful of times; one slow write proves nothing."""
    few = Histogram(((0.001, 0.0), (1.024, 99.0), (INF, 99.0)))

    assert codes(bent(healthy(), "m2", metrics={"wal_fsync": few})) == []


def test_divergence_is_not_judged_while_a_member_applies() -> None:
    """etcd reads revision and index one after the other; under load they do not belong together."""
    busy = healthy()
    moving = busy.endpoints[2]
    assert moving.status.value is not None
    later = replace(moving.status.value, revision=1001, raft_applied_index=2000, raft_index=2001)
    seen = replace(busy, endpoints=(*busy.endpoints[:2], replace(moving, status_again=Answer(later))))

    assert codes(seen, earlier(seen, minutes=1)) == []


def test_divergence_needs_a_second_round_to_be_certain() -> None:
    """Seen once it warns; seen again at the same two members it is critical."""
    seen = bent(healthy(), "m3", status={"revision": 990})

    [once] = evaluate(seen, cluster="prod", history=(earlier(healthy(), minutes=1),)).findings
    [twice] = evaluate(seen, cluster="prod", history=(earlier(seen, minutes=1),)).findings

    assert (once.severity, twice.severity) == (Severity.WARNING, Severity.CRITICAL)


def test_learner_time_starts_anew_when_it_was_removed_in_between() -> None:
    """Only an unbroken time counts."""
    learning = healthy(3, learners=1)

    assert "member.learner_stuck" not in codes(
        learning, earlier(learning, minutes=60), earlier(healthy(3), minutes=10), earlier(learning, minutes=5)
    )


def test_rounds_without_a_member_list_do_not_interrupt_the_learners_time() -> None:
    """Not knowing is not the same as knowing that it was gone."""
    learning = healthy(3, learners=1)
    blind = silent(learning, "m1", "m2", "m3", "m4")

    assert "member.learner_stuck" in codes(learning, earlier(learning, minutes=20), earlier(blind, minutes=10))


def test_growth_needs_enough_history() -> None:
    """A burst of a minute is not extrapolated over four hours."""
    grown = bent(healthy(), "m2", status={"db_size_bytes": 1 << 30})

    assert "db.growing" not in codes(grown, earlier(healthy(), minutes=29))
    assert "db.growing" in codes(grown, earlier(healthy(), minutes=31))
