"""What may be done on Talos, and the plan that comes of it: rules on sights, without a node."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta

import pytest

from etcd_dr.domain.answer import Answer, Failure
from etcd_dr.domain.observation import Observation
from etcd_dr.domain.recovery.assessing import assess
from etcd_dr.domain.recovery.assessment import Assessment, MemberVerdict, QuorumStanding, Statement
from etcd_dr.domain.recovery.candidate import Candidate, Way
from etcd_dr.domain.recovery.gathering import Gathered, NodeLook
from etcd_dr.domain.recovery.identity import expected_ids
from etcd_dr.domain.recovery.plan import Plan
from etcd_dr.domain.recovery.plan_stamp import Stamp
from etcd_dr.domain.recovery.sight import DataSight, Launch, NodeSight, ProcessState
from etcd_dr.domain.recovery.talos_candidates import propose_on_talos
from etcd_dr.domain.recovery.talos_plan import make_talos_plan
from etcd_dr.domain.recovery.talos_sight import TalosSight
from etcd_dr.domain.recovery.talos_step import TalosDefragment, TalosWipe
from fakes.catalogue import catalogue_of, snapshot
from fakes.clock import MORNING

WIPED = DataSight("/var/lib/etcd", exists=True)
FULL = DataSight(
    "/var/lib/etcd", exists=True, has_wal=True, database_bytes=1 << 20, written_at=MORNING - timedelta(minutes=5)
)
STAMP = Stamp("R", "etcd-dr-token", MORNING, "a@b", "0")
_TAKEN = snapshot(MORNING - timedelta(hours=1), cluster_id=None)
_BY_TALOS = _TAKEN.manifest.source.model_copy(update={"kind": "talos"})
STORED = catalogue_of(replace(_TAKEN, manifest=_TAKEN.manifest.model_copy(update={"source": _BY_TALOS})))
UNSEEN: Answer[NodeSight] = Answer.failed(Failure("etcd.unreachable", "no route"))


def node(number: int, data: DataSight = WIPED, *, free: int = 1 << 40, **told: object) -> NodeLook:
    """Return a look at node `10.0.0.N`, whose etcd waits for a cluster or stands still with data."""
    address = f"10.0.0.{number}"
    launch = Launch(f"cp{number}", "/var/lib/etcd", (f"https://{address}:2380",), (f"https://{address}:2379",))
    talos = replace(
        TalosSight(machine_type="controlplane", stage="booting", tag="v1.13.9", service_state="Preparing"), **told
    )
    sight = NodeSight(address, ProcessState.STOPPED, launch, data, free_bytes=free, etcd_version="3.5.30", talos=talos)
    return NodeLook(address, f"talos {address}", Answer(sight))


def seen(*looks: NodeLook, statements: Mapping[str, Statement] | None = None) -> Assessment:
    nobody = Observation(MORNING, ())
    return assess(Gathered("prod", "talos", MORNING, nobody, looks, Answer(STORED), statements=statements or {}))


def way(assessment: Assessment, wanted: Way) -> Candidate:
    return next(c for c in propose_on_talos(assessment, Answer(STORED)) if c.way is wanted)


def plan(assessment: Assessment) -> Plan:
    """Return the plan of what is recommended."""
    ways = propose_on_talos(assessment, Answer(STORED))
    [best] = [c for c in ways if c.is_recommended]
    return make_talos_plan(assessment, best, catalogue=STORED, stamp=STAMP)


def kinds(made: Plan) -> list[str]:
    return [step.kind for step in made.steps]


def test_all_wiped_is_restored_on_one_node_and_followed_on_the_others() -> None:
    """Nothing is left to copy or to wipe; the ids of the first member are computed with Talos' empty token."""
    made = plan(seen(node(1), node(2), node(3)))

    assert made.way is Way.RESTORE
    assert kinds(made) == [
        "talos-preflight",
        "fetch-snapshot",
        "build-data",
        "talos-await-ready",
        "talos-bootstrap",
        "talos-await-members",
        "talos-verify",
        "take-snapshot",
    ]
    assert made.expected is not None
    assert made.expected.cluster_id == f"{expected_ids({'cp1': ('https://10.0.0.1:2380',)}, '')[0]:x}"
    assert [member.name for member in made.expected.members] == ["cp1"]


def test_single_node_waits_for_nobody() -> None:
    assert "talos-await-members" not in kinds(plan(seen(node(1))))


def test_survivor_is_proven_and_copied_before_anything_is_wiped() -> None:
    """A wipe has no undo, and its step says so by having none; EPHEMERAL and a partition of etcd's own are named."""
    labels = ("EPHEMERAL", "ETCD")
    made = plan(seen(node(1, FULL, service_state="Failed", wipe_labels=labels), node(2), node(3)))

    order = kinds(made)
    assert made.way is Way.REBUILD
    assert order.index("fetch-survivor") < order.index("talos-copy-data") < order.index("talos-wipe")
    [wipe] = [step for step in made.steps if isinstance(step, TalosWipe)]
    assert (wipe.node, wipe.labels, wipe.undo) == ("10.0.0.1", labels, "")


def test_survivor_that_wrote_last_before_the_snapshot_goes_behind_it() -> None:
    old = replace(FULL, written_at=MORNING - timedelta(days=2))

    assert plan(seen(node(1, old, service_state="Failed"), node(2), node(3))).way is Way.RESTORE


def test_no_wipe_without_a_label() -> None:
    """An empty list would mean the whole disk, the machine's configuration included."""
    with pytest.raises(ValueError, match="labels"):
        TalosWipe(id="1", phase=0, title="", why="", check="", labels=())


@pytest.mark.parametrize(("machine_type", "word"), [("init", "of type init"), ("worker", "is a worker")])
def test_wrong_machines_are_refused(machine_type: str, word: str) -> None:
    told = way(seen(node(1), node(2, machine_type=machine_type)), Way.RESTORE)

    assert word in told.obstacle


def test_unseen_node_stands_against_it_until_somebody_says_that_it_is_lost() -> None:
    """Ids follow from addresses alone, so data left anywhere could become part of the new cluster."""
    looks = (node(1), node(2), NodeLook("10.0.0.3", "talos 10.0.0.3", UNSEEN))

    silent = way(seen(*looks), Way.RESTORE)
    said = way(seen(*looks, statements={"10.0.0.3": Statement.LOST}), Way.RESTORE)

    assert "--lost 10.0.0.3" in silent.obstacle
    assert said.is_possible


def test_two_member_lists_stop_everything() -> None:
    """Perhaps two clusters: nothing is recommended, and nothing that wipes is possible."""
    assessment = seen(node(1, FULL, listed_ids=(1,)), node(2, FULL, listed_ids=(2,)))

    ways = propose_on_talos(assessment, Answer(STORED))

    assert not any(c.is_recommended for c in ways)
    assert not any(c.is_possible for c in ways if c.way in (Way.START, Way.REPLACE, Way.REBUILD, Way.RESTORE))


def test_majority_with_its_data_is_rebooted_and_not_replaced() -> None:
    made = plan(seen(node(1, FULL, service_state="Failed"), node(2, FULL, service_state="Failed"), node(3)))

    assert made.way is Way.START
    assert kinds(made).count("talos-reboot") == 2
    assert "talos-wipe" not in kinds(made)


def test_bootstrap_goes_where_there_is_room() -> None:
    """The uploaded file and the restored database lie on one partition together."""
    made = plan(seen(node(1, free=1 << 20), node(2), node(3)))

    [bootstrap] = [step for step in made.steps if step.kind == "talos-bootstrap"]
    assert bootstrap.node == "10.0.0.2"


@pytest.mark.parametrize(("tag", "can"), [("v1.10.4", False), ("v1.9.6", False), ("v1.9.7", True), ("v1.10.5", True)])
def test_old_releases_cannot_restore_with_several_addresses(tag: str, *, can: bool) -> None:
    """siderolabs/talos#11257."""
    assert way(seen(node(1, tag=tag, advertised=2)), Way.RESTORE).is_possible is can


def serving(*alarms: str) -> Assessment:
    """Return a cluster of three that serves, the first one leading, with these alarms on the third."""
    dead = seen(node(1, FULL), node(2, FULL), node(3, FULL))
    members = tuple(
        replace(
            member,
            verdict=MemberVerdict.HEALTHY,
            is_leader=member is dead.members[0],
            alarms=alarms if member is dead.members[-1] else (),
        )
        for member in dead.members
    )
    return replace(dead, members=members, standing=QuorumStanding.HELD, alarms=alarms)


def test_full_database_is_defragmented_followers_first_and_the_alarm_taken_back_last() -> None:
    """By itself: a cluster that refuses every write is not left alone."""
    made = plan(serving("NOSPACE"))

    assert made.way is Way.REPAIR
    assert kinds(made) == ["talos-compact", *["talos-defragment"] * 3, "talos-disarm", "talos-verify", "take-snapshot"]
    defragmented = [step.node for step in made.steps if isinstance(step, TalosDefragment)]
    assert defragmented == ["10.0.0.2", "10.0.0.3", "10.0.0.1"]


def test_two_kinds_of_alarm_are_never_taken_back_together() -> None:
    """Talos knows no single alarm, and CORRUPT must not go unseen with the other."""
    candidate = way(serving("CORRUPT", "NOSPACE"), Way.REPAIR)

    assert "takes back all alarms at once" in candidate.obstacle


def test_without_an_alarm_there_is_nothing_to_take_back() -> None:
    """The way is told with its obstacle, as everywhere."""
    candidate = way(serving(), Way.REPAIR)

    assert candidate.obstacle
    assert not candidate.is_recommended
