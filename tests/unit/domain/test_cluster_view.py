"""Who is who behind a list of endpoints."""

from __future__ import annotations

from dataclasses import replace

from etcd_dr.domain.answer import Answer
from etcd_dr.domain.cluster_view import ClusterView, same_place
from fakes.observations import CLUSTER_ID, bent, endpoint_of, healthy, member_id, member_list, row, silent


def test_list_of_the_member_that_applied_most_counts() -> None:
    """Membership changes go through the log, so who applied more knows the newer list."""
    older = member_list(row("m1"), row("m2"))
    seen = bent(healthy(), "m1", status={"raft_applied_index": 1999}, members=Answer(older))

    view = ClusterView.of(seen)

    assert view.members is not None
    assert len(view.members.members) == 3
    assert view.members_from != endpoint_of("m1")


def test_expected_cluster_counts_even_in_the_minority() -> None:
    """The store's marker knows better than a vote among endpoints."""
    seen = bent(bent(healthy(), "m1", status={"cluster_id": 7}), "m2", status={"cluster_id": 7})

    by_count, by_marker = ClusterView.of(seen), ClusterView.of(seen, expected_cluster_ids=(CLUSTER_ID,))

    assert by_count.cluster_id == 7
    assert by_marker.cluster_id == CLUSTER_ID
    assert [e.endpoint for e in by_marker.foreign] == [endpoint_of("m1"), endpoint_of("m2")]


def test_tie_between_clusters_goes_to_the_led_one_and_is_not_certain() -> None:
    """One endpoint each: the one with a leader is shown, and nobody is called foreign for it."""
    seen = bent(healthy(2), "m1", status={"cluster_id": 7, "leader_id": 0})

    view = ClusterView.of(seen)

    assert view.cluster_id == CLUSTER_ID
    assert not view.is_certain


def test_second_endpoint_of_a_member_is_a_duplicate_of_the_first() -> None:
    """One member speaks once."""
    seen = healthy()
    twin = replace(seen.endpoints[1], endpoint="https://vip.example:2379")

    view = ClusterView.of(replace(seen, endpoints=(*seen.endpoints, twin)))

    assert len(view.answering) == 3
    assert [(a.endpoint, b.endpoint) for a, b in view.duplicates] == [(endpoint_of("m2"), twin.endpoint)]


def test_silent_endpoint_belongs_to_the_member_that_advertises_it() -> None:
    """So that a dead member is told by its name."""
    view = ClusterView.of(silent(healthy(), "m3"))

    seat = next(seat for seat in view.seats if seat.label == "m3")
    assert seat.seen is None
    assert [e.endpoint for e in seat.tried] == [endpoint_of("m3")]
    assert view.silent_strangers == ()


def test_answers_of_nobody_make_an_empty_view() -> None:
    """Nothing is invented."""
    view = ClusterView.of(silent(healthy(), "m1", "m2", "m3"))

    assert (view.cluster_id, view.members, view.seats, view.answering) == (None, None, (), ())
    assert len(view.silent_strangers) == 3


def test_label_falls_back_to_the_id() -> None:
    """A member that never started has no name yet."""
    view = ClusterView.of(healthy())

    assert view.label(member_id("m2")) == "m2"
    assert view.label(0xABC) == "abc"


def test_same_place_ignores_the_scheme_and_survives_nonsense() -> None:
    """URLs in a member list are another party's text."""
    assert same_place("http://A.example:2379", "https://a.example:2379/")
    assert not same_place("https://a.example:2379", "https://a.example:2380")
    assert not same_place("https://a.example:99999999", "https://a.example:2379")
    assert not same_place("[", "https://a.example:2379")
