"""What health rules learn from the catalogue."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from etcd_dr.domain.catalogue import Catalogue, ClusterMarker, DataState
from etcd_dr.domain.snapshot_facts import SnapshotFacts
from fakes.catalogue import catalogue_of, snapshot

HOUR = timedelta(hours=1)


def facts_of(catalogue: Catalogue, marker: ClusterMarker | None = None) -> SnapshotFacts:
    return SnapshotFacts.from_catalogue(catalogue, store="s3://bucket", interval=HOUR, marker=marker)


def test_newest_proven_may_be_older_than_the_newest() -> None:
    """Age is that of what is proven."""
    facts = facts_of(catalogue_of(snapshot("2026-08-20 03:00"), snapshot("2026-08-20 04:00", state="unproven")))

    assert facts.count == 2
    assert facts.newest_proven_at == datetime(2026, 8, 20, 3, tzinfo=UTC)
    assert facts.newest_taken_at == datetime(2026, 8, 20, 4, tzinfo=UTC)
    assert facts.newest_damage is None


def test_damage_of_the_newest_is_told_with_its_level() -> None:
    """Only failed proofs are damage; an inconclusive one is not."""
    damaged = facts_of(catalogue_of(snapshot("2026-08-20 03:00", state="damaged")))
    open_question = facts_of(catalogue_of(snapshot("2026-08-20 03:00", state="inconclusive")))

    assert damaged.newest_damage is not None
    assert damaged.newest_damage.startswith("stored:")
    assert open_question.newest_damage is None


def test_snapshot_without_its_data_is_damage_and_does_not_count() -> None:
    """Age is that of what could be restored today."""
    lost = replace(snapshot("2026-08-20 04:00"), data=DataState.MISSING)
    facts = facts_of(catalogue_of(snapshot("2026-08-20 03:00"), lost))

    assert facts.newest_proven_at == datetime(2026, 8, 20, 3, tzinfo=UTC)
    assert facts.newest_damage is not None
    assert "not in the store" in facts.newest_damage


def test_empty_store_has_nothing_but_its_marker() -> None:
    """The marker says since when snapshots were due, and for which clusters; hostile ids are left out."""
    marker = ClusterMarker(
        cluster="prod",
        etcd_cluster_ids=("9e2fa4cf38d7116f", "not hex", "f" * 17),
        created_at=datetime(2026, 8, 1, tzinfo=UTC),
        created_by="test",
    )

    facts = facts_of(catalogue_of(), marker)

    assert (facts.count, facts.newest_id, facts.newest_proven_at) == (0, None, None)
    assert facts.marker_cluster_ids == (0x9E2FA4CF38D7116F,)
    assert facts.watching_since == marker.created_at
