"""What one look at the nodes saw: frozen, whole, and without an opinion.

- None, NOT_ASKED and empty tuples say that nobody knows; where "there is none" is a fact, it is a value of its own.
- `settings` are etcd's by the names of its flags, whether they came from a flag, a variable or a default left unsaid.
- Paths are the node's own, sizes bytes, times aware UTC by our clock where not said otherwise.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from urllib.parse import urlsplit

from etcd_dr.domain.answer import NOT_ASKED, Answer, Failure
from etcd_dr.domain.clock_reading import ClockReading
from etcd_dr.domain.cluster import Member
from etcd_dr.domain.quorum import Quorum, QuorumVerdict
from etcd_dr.domain.snapshot_facts import SnapshotFacts

_SHELL_WORDS = frozenset(";|&<>$*^")


@dataclass(frozen=True, slots=True)
class PodManifest:
    """One file of the kubelet's manifests directory. `problem` says why it cannot be read, empty where it can."""

    file: str
    pod: str = ""
    program: str = ""
    image: str = ""
    settings: Mapping[str, str] = field(default_factory=dict)
    problem: str = ""

    @property
    def is_etcd(self) -> bool:
        return self.program == "etcd" or self.pod == "etcd"


@dataclass(frozen=True, slots=True)
class EtcdSetup:
    """How this node is meant to start etcd. `problem`: why that cannot be told."""

    settings: Mapping[str, str] = field(default_factory=dict)
    data_dir: str = ""
    version: str | None = None
    problem: str = ""

    @property
    def name(self) -> str:
        return self.settings.get("name", "default")

    def urls(self, flag: str) -> tuple[str, ...]:
        return tuple(url.strip() for url in self.settings.get(flag, "").split(",") if url.strip())

    @property
    def initial_members(self) -> Mapping[str, tuple[str, ...]]:
        """The members of --initial-cluster: name to peer URLs."""
        found: dict[str, tuple[str, ...]] = {}
        for part in self.settings.get("initial-cluster", "").split(","):
            name, equals, url = part.strip().partition("=")
            if equals:
                found[name] = (*found.get(name, ()), url)
        return found


@dataclass(frozen=True, slots=True)
class UnitState:
    """What systemd says of a unit; `active` as systemd has it: active, failed, inactive, activating."""

    name: str
    exists: bool
    active: str = ""
    result: str = ""
    restarts: int = 0


@dataclass(frozen=True, slots=True)
class ContainerSight:
    """One container of the runtime. `attempt` counts from 0 how often the kubelet started it anew."""

    name: str
    state: str
    attempt: int = 0

    @property
    def is_running(self) -> bool:
        return self.state in ("CONTAINER_RUNNING", "running")


@dataclass(frozen=True, slots=True)
class PathSight:
    """One path. `kind` is stat's: directory, regular file; empty: it is not there. `owner` and `group` are numbers."""

    path: str
    kind: str = ""
    owner: int = 0
    group: int = 0
    mode: int = 0
    size_bytes: int = 0

    @property
    def exists(self) -> bool:
        return bool(self.kind)


@dataclass(frozen=True, slots=True)
class DataEvidence:
    """The data directory as it lies there. `paths` are the directory, member, snap, wal and the database, by name."""

    directory: str
    paths: Mapping[str, PathSight] = field(default_factory=dict)
    wal_files: int = 0
    cluster_id: int | None = None
    member_id: int | None = None
    wal_problem: str = ""
    aside: tuple[str, ...] = ()
    filesystem: str = ""
    free_bytes: int | None = None
    total_bytes: int | None = None
    free_inodes: int | None = None
    total_inodes: int | None = None

    @property
    def exists(self) -> bool:
        root = self.paths.get("data")
        return root is not None and root.exists

    @property
    def database(self) -> PathSight | None:
        found = self.paths.get("database")
        return found if found is not None and found.exists else None

    @property
    def is_empty(self) -> bool:
        return not self.exists or (self.database is None and self.wal_files == 0)


@dataclass(frozen=True, slots=True)
class HostCertificate:
    """A certificate in a file of the node. `flag` is what etcd is told it by; `names` are DNS names and addresses."""

    path: str
    flag: str
    subject: str
    not_before: datetime
    not_after: datetime
    names: frozenset[str] = frozenset()
    key_id: str = ""
    issuer_key_id: str = ""
    is_authority: bool = False


@dataclass(frozen=True, slots=True)
class HostObservation:
    """The evidence of one node.

    `login` is a command that leads there, to put a command behind; `needs_sudo`: not as root. `failure`: why it did not answer, or not to the
    end; `silent_at` is the question that it stopped at. `is_running` is of etcd's process as this node is meant to
    start it. `fences` are files by which a recovery keeps something stopped. `elsewhere` are manifests of etcd outside
    of the kubelet's directory. `holders` say which program listens on a port, where that could be told.
    """

    name: str
    place: str = ""
    login: str = ""
    needs_sudo: bool = False
    failure: Failure | None = None
    silent_at: str = ""
    hostname: str = ""
    clock: ClockReading | None = None
    has_swap: bool = False
    manifests: Answer[tuple[PodManifest, ...]] = NOT_ASKED
    manifests_dir: str = ""
    static_pod_path: str = ""
    elsewhere: tuple[str, ...] = ()
    fences: tuple[str, ...] = ()
    etcd: EtcdSetup | None = None
    unit: UnitState | None = None
    kubelet: UnitState | None = None
    kubelet_log: tuple[str, ...] = ()
    runtime_units: tuple[UnitState, ...] = ()
    containers: Answer[tuple[ContainerSight, ...]] = NOT_ASKED
    is_running: bool | None = None
    process_uid: int | None = None
    apiserver_runs: bool | None = None
    listening: frozenset[int] | None = None
    holders: Mapping[int, str] = field(default_factory=dict)
    data: DataEvidence | None = None
    certificates: tuple[HostCertificate, ...] = ()
    files: tuple[PathSight, ...] = ()
    log_tail: tuple[str, ...] = ()

    @property
    def answers(self) -> bool:
        """Whether it told anything at all."""
        return self.failure is None or bool(self.hostname)

    @property
    def etcd_manifests(self) -> tuple[PodManifest, ...]:
        return tuple(m for m in self.manifests.value or () if m.is_etcd)

    def container(self, name: str) -> ContainerSight | None:
        """Return the newest container of that name."""
        found = [c for c in self.containers.value or () if c.name == name]
        return max(found, key=lambda c: (c.attempt, c.is_running), default=None)

    @property
    def attempts(self) -> int:
        """How often the kubelet or systemd started etcd anew, as far as it is known."""
        container = self.container("etcd")
        if container is not None:
            return container.attempt
        return self.unit.restarts if self.unit is not None else 0

    def command(self, words: str) -> str:
        """Return a command that runs `words` on this node with root's rights."""
        if self.needs_sudo:
            words = f"sudo sh -c {shlex.quote(words)}" if _SHELL_WORDS & set(words) else f"sudo {words}"
        return f"{self.login} {shlex.quote(words)}" if self.login else words


@dataclass(frozen=True, slots=True)
class HostsObservation:
    """All nodes in the configured order. `members` is what etcd itself says, empty where it was not asked or is silent.

    `snapshots` None: the store was not looked at, or a health round judges it.
    """

    taken_at: datetime
    platform: str
    nodes: tuple[HostObservation, ...]
    members: tuple[Member, ...] = ()
    quorum: Quorum | None = None
    snapshots: SnapshotFacts | None = None

    @property
    def control_planes(self) -> tuple[HostObservation, ...]:
        return self.nodes

    @property
    def answering(self) -> tuple[HostObservation, ...]:
        return tuple(node for node in self.nodes if node.answers)

    @property
    def has_quorum(self) -> bool | None:
        if self.quorum is None or self.quorum.verdict is QuorumVerdict.CANNOT_TELL:
            return None
        return self.quorum.verdict.is_held

    def member_of(self, node: HostObservation) -> Member | None:
        """Return the member that a node stands for: by its data's id, else by its peer URLs, else by its name."""
        if node.data is not None and node.data.member_id is not None:
            by_id = next((m for m in self.members if m.id == node.data.member_id), None)
            if by_id is not None:
                return by_id
        if node.etcd is None:
            return None
        places = {_place(url) for url in node.etcd.urls("initial-advertise-peer-urls")}
        by_url = next((m for m in self.members if places & {_place(url) for url in m.peer_urls}), None)
        return by_url or next((m for m in self.members if m.name and m.name == node.etcd.name), None)


def _place(url: str) -> tuple[str, int | None]:
    parts = urlsplit(url)
    try:
        return parts.hostname or "", parts.port
    except ValueError:
        return parts.hostname or "", None
