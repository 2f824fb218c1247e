"""Look at everything that a recovery could rest on, at once and read-only, and judge it.

1. The nodes, the store and the live members are looked at side by side, each with a deadline; what hangs or fails is a
   value in what was gathered.
2. Where enough members answer to elect a leader and one of them knows none, they are looked at again for a while: an election
   passes by itself, and what is judged amid one would call for another way back.
3. Members that answer are asked for their hashes, where that harms nobody or something hints at differences.
4. The rules judge (domain/recovery/assessing.py).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field

from etcd_dr.domain.answer import NOT_ASKED, Answer, Failure
from etcd_dr.domain.catalogue import Catalogue
from etcd_dr.domain.cluster import parse_id_text
from etcd_dr.domain.cluster_view import ClusterView
from etcd_dr.domain.observation import Observation
from etcd_dr.domain.quorum import may_be_electing
from etcd_dr.domain.recovery.assessing import assess
from etcd_dr.domain.recovery.assessment import Assessment, Statement
from etcd_dr.domain.recovery.gathering import Gathered, MemberHash, NodeLook
from etcd_dr.domain.recovery.hash_questions import HashQuestion, hash_question
from etcd_dr.domain.recovery.sight import NodeSight
from etcd_dr.domain.snapshot import ClusterLayout
from etcd_dr.domain.snapshot_limits import SnapshotLimits
from etcd_dr.errors import EtcdDrError, EtcdError
from etcd_dr.ports.clock import Clock
from etcd_dr.ports.control_plane import SeenControlPlane, SeenNode
from etcd_dr.ports.etcd import EtcdConnector
from etcd_dr.ports.object_store import ObjectStore
from etcd_dr.ports.pause import Pause
from etcd_dr.workflows.ask_in_lanes import Lane, Lanes
from etcd_dr.workflows.claim_prefix import read_marker
from etcd_dr.workflows.observe_cluster import ClusterObserver
from etcd_dr.workflows.read_catalogue import read_catalogue

_GRACE_SECONDS = 1.0
_LOOK_AGAIN_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class AssessPorts:
    """What is looked at; None: not configured. `observer` and `connector` lead to the same endpoints.

    `pause` waits between two looks amid an election; None: one look is all.
    """

    clock: Clock
    observer: ClusterObserver | None = None
    connector: EtcdConnector | None = None
    control_plane: SeenControlPlane | None = None
    store: ObjectStore | None = None
    pause: Pause | None = None
    election_seconds: float = 10.0
    """etcd elects within one or two election timeouts, which are a second unless somebody set them."""
    look_deadline: float = 30.0
    """One look at one node, its login included."""
    store_deadline: float = 180.0
    """Reading marker and catalogue, with every manifest: one of them may show the highest revision."""
    limits: SnapshotLimits = field(default_factory=SnapshotLimits)


@dataclass(frozen=True, slots=True)
class Survey:
    """The assessment, and the catalogue that it was made with."""

    assessment: Assessment
    catalogue: Answer[Catalogue]
    gathered: Gathered


def assess_cluster(
    ports: AssessPorts, layout: ClusterLayout, *, statements: Mapping[str, Statement] | None = None
) -> Survey:
    """Return what is there and what it means. Changes nothing.

    Raises UsageError for a statement about nobody, Cancelled.
    """
    lanes = Lanes(ports.clock)
    plane = ports.control_plane
    nodes = [_NodeQuestion(node, ports.look_deadline) for node in (plane.nodes if plane else ())]
    store = _StoreQuestion(ports.store, layout)
    begun = ports.clock.monotonic()
    looking = [lanes.start(f"node {question.node.name}", question.ask) for question in nodes]
    reading = [lanes.start("store", store.ask)] if ports.store is not None else []
    seen = _observed(ports.observer, ports) if ports.observer else Observation(ports.clock.now(), ())
    _wait(lanes, looking, begun + ports.look_deadline)
    _wait(lanes, reading, begun + ports.store_deadline)
    gathered = Gathered(
        cluster=layout.cluster,
        platform=plane.platform if plane else "",
        at=ports.clock.now(),
        observation=seen,
        looks=tuple(question.look() for question in nodes),
        catalogue=store.answer(),
        marker_cluster_ids=store.marker_ids,
        marker_problem=store.marker_problem,
        hashes=_hashes(ports, seen, store, lanes),
        statements=dict(statements or {}),
    )
    return Survey(assess(gathered), gathered.catalogue, gathered)


def _observed(observer: ClusterObserver, ports: AssessPorts) -> Observation:
    ends_at = ports.clock.monotonic() + ports.election_seconds
    while True:
        seen = observer.observe()
        if ports.pause is None or not may_be_electing(ClusterView.of(seen)) or ports.clock.monotonic() >= ends_at:
            return seen
        ports.pause(_LOOK_AGAIN_SECONDS)


class _NodeQuestion:
    """A look at one node, asked in a lane of its own."""

    def __init__(self, node: SeenNode, deadline: float) -> None:
        self.node = node
        self._deadline = deadline
        self._sight: Answer[NodeSight] = Answer.failed(Failure("etcd-dr.silent", f"no answer within {deadline:g} s"))

    def ask(self) -> None:
        try:
            self._sight = Answer(self.node.look(deadline=self._deadline))
        except EtcdDrError as error:
            self._sight = Answer.failed(Failure.of(error))

    def look(self) -> NodeLook:
        return NodeLook(self.node.name, self.node.place, self._sight)


class _StoreQuestion:
    """Marker and catalogue, asked in a lane of their own."""

    def __init__(self, store: ObjectStore | None, layout: ClusterLayout) -> None:
        self._store = store
        self._layout = layout
        self._catalogue: Answer[Catalogue] | None = None
        self.marker_ids: tuple[int, ...] = ()
        self.marker_problem = ""

    def ask(self) -> None:
        if self._store is None:
            return
        try:
            marker = read_marker(self._store, self._layout)
            ids = [parse_id_text(text) for text in (marker.etcd_cluster_ids if marker else ())]
            self.marker_ids = tuple(value for value in ids if value is not None)
        except EtcdDrError as error:
            self.marker_problem = str(Failure.of(error))
        try:
            self._catalogue = Answer(read_catalogue(self._store, self._layout))
        except EtcdDrError as error:
            self._catalogue = Answer.failed(Failure.of(error))

    def answer(self) -> Answer[Catalogue]:
        if self._store is None:
            return NOT_ASKED
        return self._catalogue or Answer.failed(Failure("store.unreachable", "no answer in time"))


def _wait(lanes: Lanes, started: Sequence[Lane], until: float) -> None:
    lanes.wait(started, until=until + _GRACE_SECONDS)


def _hashes(ports: AssessPorts, seen: Observation, store: _StoreQuestion, lanes: Lanes) -> tuple[MemberHash, ...]:
    catalogue = store.answer().value
    view = ClusterView.of(seen, expected_cluster_ids=store.marker_ids)
    question = hash_question(view, catalogue.newest if catalogue else None)
    connector = ports.connector
    if question is None or connector is None:
        return ()
    deadline = ports.limits.hash_deadline(question.largest_bytes)
    asked = [_HashQuestion(connector, member, question, deadline) for member in question.endpoints]
    asking = [lanes.start(f"hash {each.member_id}", each.ask) for each in asked]
    _wait(lanes, asking, ports.clock.monotonic() + deadline)
    return tuple(each.found for each in asked if each.found is not None)


class _HashQuestion:
    """One member's hash; a member that does not tell it is no evidence of anything."""

    def __init__(self, connector: EtcdConnector, member_id: int, question: HashQuestion, deadline: float) -> None:
        self.member_id = member_id
        self.found: MemberHash | None = None
        self._connector = connector
        self._question = question
        self._deadline = deadline

    def ask(self) -> None:
        endpoint = self._question.endpoints[self.member_id]
        try:
            with closing(self._connector.connect(endpoint)) as member:
                answer = member.hash_kv(revision=self._question.revision, deadline=self._deadline)
        except EtcdError:
            return
        self.found = MemberHash(self.member_id, answer)
