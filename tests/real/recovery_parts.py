"""The real parts of a recovery as one JSON document, so that a child process can be killed and another one go on.

parts = RecoveryParts(...)
ports = recovery_ports_of(parts)                  # in this process
python -m real.recovery_child (parts as JSON)     # in another one
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from etcd_dr.adapters.cancellation import CancellationSwitch
from etcd_dr.adapters.codec import EnvelopeDecoder, EnvelopeEncoder, parse_recipients, read_identity_files
from etcd_dr.adapters.control_planes.local import open_local
from etcd_dr.adapters.etcd.access import EtcdAccess
from etcd_dr.adapters.etcd.connector import GrpcEtcdConnector
from etcd_dr.adapters.etcd_programs import InstalledPrograms
from etcd_dr.adapters.etcdutl import EtcdutlRestorer
from etcd_dr.adapters.journal import DirectoryJournal, DirectoryWorkPlaces
from etcd_dr.adapters.local_files import DirectoryScratch, PartFiles
from etcd_dr.adapters.pause import CancellablePause
from etcd_dr.adapters.stores import DirectorySettings, open_store
from etcd_dr.adapters.system_clock import SystemClock, SystemTokens
from etcd_dr.domain.answer import Answer
from etcd_dr.domain.cluster import MemberStatus, id_text
from etcd_dr.domain.recovery.assessment import Assessment, MemberAssessment, MemberVerdict, QuorumStanding
from etcd_dr.domain.recovery.facts import facts_of
from etcd_dr.domain.recovery.plan import Plan, PlanFacts
from etcd_dr.domain.recovery.sight import NodeSight, ProcessState
from etcd_dr.domain.snapshot import ClusterLayout
from etcd_dr.errors import EtcdError
from etcd_dr.ports.control_plane import ControlPlane
from etcd_dr.ports.object_store import ObjectStore
from etcd_dr.workflows.attempt_snapshot import PipelinePorts
from etcd_dr.workflows.guard_member import MemberGuard
from etcd_dr.workflows.recovery.mirrored_journal import MirroredJournal
from etcd_dr.workflows.recovery.recovery_ports import RecoveryLimits, RecoveryPorts
from etcd_dr.workflows.recovery.store_journal import StoreJournal
from fakes.events import RecordingEvents, RecordingProgress

LAYOUT = ClusterLayout(prefix="backups", cluster="prod")
CALL_SECONDS = 5.0
"""As ever: a busy machine is no member that is down, and who asks one without a quorum waits for as long as this."""


@dataclass(frozen=True)
class RecoveryParts:
    """Everything by path or text. `programs` is the directory with etcd, etcdctl and etcdutl."""

    nodes_dir: str
    store_dir: str
    state_dir: str
    scratch_dir: str
    identity_file: str
    recipient: str
    endpoints: Sequence[str]
    ca: str
    certificate: str
    key: str
    programs: str

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, said: dict[str, Any]) -> RecoveryParts:
        return cls(**said)

    def elsewhere(self, state_dir: Path) -> RecoveryParts:
        """Return the same with a state directory that knows nothing."""
        return replace(self, state_dir=str(state_dir))

    def store(self) -> ObjectStore:
        return open_store(DirectorySettings(Path(self.store_dir)), clock=SystemClock(), tokens=SystemTokens())

    def connector(self) -> GrpcEtcdConnector:
        access = EtcdAccess(
            endpoints=tuple(self.endpoints),
            ca_file=Path(self.ca),
            cert_file=Path(self.certificate),
            key_file=Path(self.key),
        )
        return GrpcEtcdConnector(access, clock=SystemClock())


def recovery_ports_of(
    parts: RecoveryParts,
    *,
    store: ObjectStore | None = None,
    cancellation: CancellationSwitch | None = None,
    control: ControlPlane | None = None,
) -> RecoveryPorts:
    """Return real ports over `control`, or over local nodes; etcd that these start outlives this process."""
    cancellation = cancellation or CancellationSwitch()
    clock, tokens, events = SystemClock(), SystemTokens(), RecordingEvents()
    store = store or parts.store()
    connector, root = parts.connector(), Path(parts.state_dir) / "prod" / "recoveries"
    here, mirror = DirectoryJournal(root), StoreJournal(store, LAYOUT)

    def pipeline() -> PipelinePorts:
        return PipelinePorts(
            connector=parts.connector(),
            store=store,
            encoder=EnvelopeEncoder(zstd_level=1, recipients=parse_recipients((parts.recipient,))),
            scratch=DirectoryScratch(Path(parts.scratch_dir)),
            clock=clock,
            tokens=tokens,
            events=events,
            progress=RecordingProgress(),
            cancellation=cancellation,
            guard=MemberGuard(),
        )

    return RecoveryPorts(
        control_plane=control or open_local(Path(parts.nodes_dir), cancellation=cancellation),
        connector=connector,
        admins=connector,
        restorer=EtcdutlRestorer(InstalledPrograms([Path(parts.programs)])),
        store=store,
        layout=LAYOUT,
        decoder=EnvelopeDecoder(read_identity_files([Path(parts.identity_file)])),
        files=PartFiles(),
        journal=MirroredJournal(here, mirror, clock=clock, events=events),
        work_places=DirectoryWorkPlaces(root),
        clock=clock,
        tokens=tokens,
        events=events,
        progress=RecordingProgress(),
        cancellation=cancellation,
        pause=CancellablePause(cancellation),
        snapshot_pipeline=pipeline,
        limits=RecoveryLimits(call_deadline=CALL_SECONDS, look_again_seconds=0.1),
    )


def look_around(parts: RecoveryParts, control: ControlPlane | None = None) -> Assessment:
    """Return an assessment from the nodes and from who answers: as much as these tests need of one."""
    connector = parts.connector()
    plane = control or open_local(Path(parts.nodes_dir), cancellation=CancellationSwitch())
    ids = _listed_ids(connector)
    members = []
    for node, endpoint in zip(plane.nodes, parts.endpoints, strict=True):
        members.append(_member(node.look(deadline=20.0), endpoint, _status(connector, endpoint), ids))
    if control is None:
        plane.close()
    voting = sum(member.verdict.may_vote_again for member in members)
    answering = sum(member.verdict.answers for member in members)
    standing = QuorumStanding.LOST_FOR_GOOD if voting < 2 else QuorumStanding.MAY_RETURN
    standing = QuorumStanding.HELD if answering >= 2 else standing
    clusters = {m.data.cluster_id for m in members if m.data is not None and m.data.cluster_id is not None}
    return Assessment(
        cluster="prod",
        assessed_at=SystemClock().now(),
        platform=plane.platform,
        cluster_id=next(iter(sorted(clusters)), None),
        members=tuple(members),
        standing=standing,
        reason="as seen",
        etcd_version=next((m.version for m in members if m.version), None),
        highest_revision_seen=max((m.revision for m in members if m.revision is not None), default=None),
    )


def facts_now(parts: RecoveryParts, plan: Plan, control: ControlPlane | None = None) -> PlanFacts:
    return facts_of(look_around(parts, control), snapshot_id=plan.facts.snapshot_id)


def plan_of(body: bytes) -> Plan:
    return Plan.model_validate(json.loads(body))


def _status(connector: GrpcEtcdConnector, endpoint: str) -> MemberStatus | None:
    member = connector.connect(endpoint)
    try:
        return member.status(deadline=CALL_SECONDS)
    except EtcdError:
        return None
    finally:
        member.close()


def _listed_ids(connector: GrpcEtcdConnector) -> dict[str, int]:
    """Return the ids of all listed members by peer URL, as the first one knows them that answers, led or not."""
    for endpoint in connector.endpoints:
        member = connector.connect(endpoint)
        try:
            listed = member.member_list(linearizable=False, deadline=CALL_SECONDS)
            return {url: each.id for each in listed.members for url in each.peer_urls}
        except EtcdError:
            continue
        finally:
            member.close()
    return {}


def _member(sight: NodeSight, endpoint: str, status: MemberStatus | None, listed: dict[str, int]) -> MemberAssessment:
    launch, data = sight.launch, sight.data
    assert launch is not None
    is_wiped = data is None or data.is_empty
    verdict = MemberVerdict.WIPED if is_wiped else MemberVerdict.DOWN
    if status is not None:
        verdict = MemberVerdict.HEALTHY if status.leader_id else MemberVerdict.ANSWERS
    peek = data.peek if data is not None else None
    return MemberAssessment(
        name=launch.member_name,
        node=sight.node,
        id=listed.get(launch.peer_urls[0], data.member_id if data is not None else None),
        is_voter=True,
        peer_urls=launch.peer_urls,
        client_urls=launch.client_urls,
        verdict=verdict,
        evidence=(f"process {sight.process}", f"cluster {id_text(data.cluster_id or 0) if data else '-'}"),
        revision=status.revision if status is not None else (peek.revision if peek is not None else None),
        database_bytes=data.database_bytes if data is not None else None,
        sight=Answer(sight),
        can_be_source=not is_wiped and (status is not None or sight.process is ProcessState.STOPPED),
        endpoint=endpoint,
        version=sight.etcd_version,
    )
