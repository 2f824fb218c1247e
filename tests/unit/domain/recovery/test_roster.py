"""Who the members are, and which node each of them is on."""

from __future__ import annotations

from etcd_dr.domain.answer import Answer, Failure
from etcd_dr.domain.cluster import id_text
from etcd_dr.domain.cluster_view import ClusterView
from etcd_dr.domain.manifest import TopologyMember
from etcd_dr.domain.observation import Observation
from etcd_dr.domain.recovery.gathering import Gathered, NodeLook
from etcd_dr.domain.recovery.roster import Roster, call_roster
from etcd_dr.domain.recovery.sight import DataSight, Launch, NodeSight, ProcessState
from fakes.catalogue import catalogue_of, snapshot
from fakes.clock import MORNING
from fakes.observations import CLUSTER_ID, healthy, member_id, row

NOBODY = Observation(MORNING, ())
UNREACHABLE: Answer[NodeSight] = Answer.failed(Failure("node.unreachable", "no route"))


def look(node: str, *, name: str = "", peer: str = "", member: int | None = None, place: str = "") -> NodeLook:
    """Return a look at a node that starts etcd under this name, with this peer host and this member's data."""
    launch = Launch(name, "/data", (f"https://{peer}:2380",) if peer else (), ()) if name or peer else None
    data = DataSight("/data", exists=True, has_wal=True, cluster_id=CLUSTER_ID, member_id=member)
    return NodeLook(node, place, Answer(NodeSight(node, ProcessState.STOPPED, launch, data)))


def called(seen: Observation, *looks: NodeLook, gathered: Gathered | None = None) -> Roster:
    known = gathered or Gathered("prod", "local", MORNING, seen, looks)
    return call_roster(known, ClusterView.of(seen), cluster_id=CLUSTER_ID)


def homes(roster: Roster) -> dict[str, str]:
    return {r.name: r.node for r in roster.rows if r.member is not None}


def test_peer_url_tells_more_than_name_and_data() -> None:
    """A member that was replaced has a new id, and may have a new name, on the same node."""
    roster = called(healthy(2), look("a", name="m1", peer="m2.example", member=member_id("m1")), look("b", name="m1"))

    assert homes(roster) == {"m1": "b", "m2": "a"}


def test_data_names_the_member_where_nothing_else_does() -> None:
    assert homes(called(healthy(2), look("a", member=member_id("m2")))) == {"m1": "", "m2": "a"}


def test_node_that_cannot_be_looked_at_is_known_by_name_or_address() -> None:
    """So that a word about it is a word about its member."""
    roster = called(
        healthy(2), NodeLook("m1", "ssh root@10.0.0.1", UNREACHABLE), NodeLook("b", "ssh root@m2.example", UNREACHABLE)
    )

    assert homes(roster) == {"m1": "m1", "m2": "b"}


def test_each_node_is_used_once_and_the_rest_are_rows() -> None:
    roster = called(healthy(1), look("a", name="m1"), look("b", name="m1"))

    assert [(r.name, r.node, r.is_voter) for r in roster.rows] == [("m1", "a", True), ("m1", "b", False)]


def test_newest_manifest_names_the_members_when_nobody_answers() -> None:
    """And a node with our data that the manifest does not know votes: it joined after the snapshot."""
    kept = snapshot("2026-08-20 02:00")
    told = tuple(
        TopologyMember(id=id_text(m.id), name=m.name, peer_urls=m.peer_urls, client_urls=m.client_urls)
        for m in (row("m1"), row("m2"))
    )
    known = type(kept)(kept.manifest.model_copy(update={"topology": told}))
    looks = (look("m1", name="m1"), look("m3", name="m3", member=0x99))
    gathered = Gathered("prod", "local", MORNING, NOBODY, looks, catalogue=Answer(catalogue_of(known)))

    roster = called(NOBODY, gathered=gathered)

    assert [(r.name, r.node, r.is_voter) for r in roster.rows] == [
        ("m1", "m1", True),
        ("m2", "", True),
        ("m3", "m3", True),
    ]
    assert not roster.is_live
