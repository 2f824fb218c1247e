"""A cluster, its nodes and its store over fakes, for stories about what a recovery sees, proposes and plans.

    world = AssessmentWorld("cp1", "cp2", "cp3")
    world.take_snapshot()
    world.wipe("cp1", "cp2")
    assert world.assess().assessment.standing is QuorumStanding.LOST_FOR_GOOD
    plan = world.plan()

Members and nodes have the same names. Bend `world.cluster[name]` and `world.plane.node(name)` as their fakes allow.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from etcd_dr.domain.answer import Answer
from etcd_dr.domain.catalogue import ClusterMarker
from etcd_dr.domain.certificate import Certificate, CertificateRole
from etcd_dr.domain.cluster import Member, id_text
from etcd_dr.domain.etcd_version import EtcdVersion
from etcd_dr.domain.manifest import Manifest, TopologyMember, canonical_json
from etcd_dr.domain.proof_name import ProofName
from etcd_dr.domain.recovery.assessment import Statement
from etcd_dr.domain.recovery.candidate import Candidate, Way
from etcd_dr.domain.recovery.plan import Plan
from etcd_dr.domain.recovery.wishes import NO_WISHES, Wishes
from etcd_dr.domain.snapshot import ClusterLayout
from etcd_dr.ports.pause import Pause
from etcd_dr.workflows.observe_cluster import ClusterObserver, ObserveOptions
from etcd_dr.workflows.recovery.assess_cluster import AssessPorts, Survey, assess_cluster
from etcd_dr.workflows.recovery.plan_recovery import PlanAuthor, plan_recovery, propose_recovery
from fakes.catalogue import State, snapshot
from fakes.clock import CountingTokens, FakeClock
from fakes.control_plane import FakeControlPlane, FakeData, FakeNode
from fakes.etcd import FakeCluster, FakeEtcdConnector, named_member
from fakes.member_probe import FakeMemberProbe
from fakes.object_store import FakeObjectStore

CLUSTER_ID = 0xCDF818194E3A8C32
LAYOUT = ClusterLayout("", "prod")
DATABASE = b"d" * 1000


class AssessmentWorld:
    """Everything sound until a test bends it. The store's marker knows the cluster; there is no snapshot yet."""

    def __init__(self, *names: str, platform: str = "static-pod", nodes: tuple[str, ...] | None = None) -> None:
        self.clock = FakeClock()
        members = [named_member(name, database=DATABASE) for name in names or ("cp1", "cp2", "cp3")]
        self.cluster = FakeCluster(*members, cluster_id=CLUSTER_ID)
        self.store = FakeObjectStore()
        self.connector = FakeEtcdConnector(self.cluster)
        self.probe = FakeMemberProbe(self.cluster, now=self.clock.now)
        chosen = tuple(m.name for m in self.cluster.members) if nodes is None else nodes
        self.plane = FakeControlPlane([self._node(name) for name in chosen], platform=platform)
        self.statements: dict[str, Statement] = {}
        self.with_store = True
        self.pause: Pause | None = None
        self._remember_cluster(CLUSTER_ID)

    # Bending it

    def stop(self, *names: str) -> None:
        """End processes; their data stays as they left it."""
        for name in names:
            member = self.cluster[name]
            member.stop()
            if name in [node.name for node in self.plane.nodes]:
                node = self.plane.node(name)
                node.is_running = False
                node.learn(revision=member.revision)

    def wipe(self, *names: str) -> None:
        """Lose processes and data."""
        self.stop(*names)
        for name in names:
            self.plane.node(name).wipe()

    def lose_node(self, *names: str) -> None:
        """Lose whole machines: neither etcd nor the node answers."""
        for name in names:
            self.cluster[name].stop()
            self.plane.node(name).vanish(times=1_000_000)

    def expire_peer_certificate(self, name: str) -> None:
        """Let the certificate of a member's peer port have ended an hour ago."""
        [url] = self.cluster[name].row.peer_urls
        ended = self.clock.now() - timedelta(hours=1)
        self.probe.certificates[url] = Certificate(
            role=CertificateRole.PEER,
            subject=f"CN={name}",
            issuer="CN=etcd-ca",
            serial=name,
            not_before=ended - timedelta(days=365),
            not_after=ended,
            source=url,
        )

    def expire_own_certificate(self) -> None:
        """Let our client certificate have ended an hour ago."""
        own = self.probe.own.value or ()
        ended = self.clock.now() - timedelta(hours=1)
        told = [replace(c, not_after=ended) if c.role is CertificateRole.CLIENT else c for c in own]
        self.probe.own = Answer(tuple(told))

    def add_learner(self, name: str) -> FakeNode:
        """Add a learner that is caught up, on a node of its own, and return the node."""
        self.cluster.add_learner(name)
        self.connector = FakeEtcdConnector(self.cluster)
        node = self._node(name)
        self.plane.nodes = (*self.plane.nodes, node)
        return node

    def take_snapshot(
        self,
        *,
        hours_ago: float = 1.0,
        revision: int = 900,
        state: State = "proven",
        cluster_id: int = CLUSTER_ID,
        etcd_version: str = "3.5.30",
        size_bytes: int = 1_000_000,
    ) -> str:
        """Keep a snapshot in the store and return its id."""
        taken_at = self.clock.now() - timedelta(hours=hours_ago)
        kept = snapshot(taken_at, revision=revision, state=state, cluster_id=id_text(cluster_id), stored=b"data")
        manifest: Manifest = kept.manifest.model_copy(
            update={
                "topology": tuple(_told(member.row) for member in self.cluster.members),
                "source": kept.manifest.source.model_copy(update={"etcd_version": etcd_version}),
                "database": kept.manifest.database.model_copy(
                    update={"size_bytes": size_bytes, "total_size_bytes": size_bytes}
                ),
                "trailer_digest": kept.manifest.plain_digest,
            }
        )
        self.store.put(LAYOUT.data(kept.id), b"data", if_absent=True)
        for number, proof in enumerate(kept.proofs):
            name = ProofName(proof.level, proof.at, f"{number:012x}")
            self.store.put(f"{LAYOUT.proofs(kept.id)}{name}", canonical_json(proof), if_absent=True)
        self.store.put(LAYOUT.manifest(kept.id), canonical_json(manifest), if_absent=True)
        return str(kept.id)

    def say(self, statement: Statement, *names: str) -> None:
        self.statements.update(dict.fromkeys(names, statement))

    # Looking

    def assess(self) -> Survey:
        """Return a survey."""
        observer = ClusterObserver(
            self.connector, self.probe, clock=self.clock, options=ObserveOptions(deadline_seconds=60.0)
        )
        ports = AssessPorts(
            clock=self.clock,
            observer=observer,
            connector=self.connector,
            control_plane=self.plane,
            store=self.store if self.with_store else None,
            pause=self.pause,
        )
        return assess_cluster(ports, LAYOUT, statements=self.statements)

    def propose(
        self, wishes: Wishes = NO_WISHES, *, tools: tuple[EtcdVersion, ...] | None = None
    ) -> dict[Way, Candidate]:
        """Return one candidate of each way: the recommended one, else a possible one, else any."""
        found = propose_recovery(self.assess(), wishes=wishes, tools=tools)
        ordered = sorted(found, key=lambda c: (not c.is_recommended, not c.is_possible))
        return {way: next(c for c in ordered if c.way is way) for way in Way}

    def recommended(self, wishes: Wishes = NO_WISHES) -> Candidate | None:
        found = [c for c in propose_recovery(self.assess(), wishes=wishes) if c.is_recommended]
        assert len(found) <= 1
        return found[0] if found else None

    def plan(self, wishes: Wishes = NO_WISHES) -> Plan:
        """Return the plan of what is wished for or recommended."""
        survey = self.assess()
        author = PlanAuthor("me@here", "0", self.clock, CountingTokens())
        return plan_recovery(survey, propose_recovery(survey, wishes=wishes), author=author, wishes=wishes)

    def _node(self, name: str) -> FakeNode:
        member = next((m for m in self.cluster.members if m.name == name), None)
        member_id = member.id if member else 0xF00
        data = FakeData(database=DATABASE, cluster_id=CLUSTER_ID, member_id=member_id, revision=1000)
        node = FakeNode(name, data=data)
        if member is not None and node.launch is not None:
            node.launch = replace(node.launch, peer_urls=member.row.peer_urls, client_urls=(member.endpoint,))
        return node

    def _remember_cluster(self, *cluster_ids: int) -> None:
        marker = ClusterMarker(
            cluster="prod",
            etcd_cluster_ids=tuple(map(id_text, cluster_ids)),
            created_at=self.clock.now(),
            created_by="test",
        )
        self.store.put(LAYOUT.marker, canonical_json(marker), if_absent=False)


def _told(member: Member) -> TopologyMember:
    return TopologyMember(
        id=id_text(member.id),
        name=member.name,
        peer_urls=member.peer_urls,
        client_urls=member.client_urls,
        is_learner=member.is_learner,
    )


def kinds(plan: Plan) -> list[tuple[int, str, str]]:
    """Return (phase, kind, node or member) of each step, in order."""
    return [(step.phase, step.kind, step.node or getattr(step, "member", "")) for step in plan.steps]
