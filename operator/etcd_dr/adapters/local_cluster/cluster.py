"""A cluster of local members: made, started, grown by a learner, taken down.

All of it lies under one directory, which the caller owns and removes: `pki/`, and `NAME.etcd/` and `NAME.log` for
each member. Ports are looked for anew while the cluster forms, because another process may be faster to take one;
after that they are the members' for good.
"""

from __future__ import annotations

import json
import secrets
import time
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Self

from etcd_dr.adapters.local_cluster.binaries import EtcdBinaries
from etcd_dr.adapters.local_cluster.child import free_ports
from etcd_dr.adapters.local_cluster.gateway import EtcdGateway, may_pass
from etcd_dr.adapters.local_cluster.pki import LocalAuthority
from etcd_dr.adapters.local_cluster.process import EtcdProcess, MemberSettings
from etcd_dr.errors import EtcdError, MemberUnreachable

_FORMING_ATTEMPTS = 3
_ASK_EVERY_SECONDS = 0.25
_IS_THERE = "Peer URLs already exists"


@dataclass(frozen=True, slots=True)
class ClusterSettings:
    """What the members of a cluster have in common. The defaults are for clusters that live for minutes.

    `durable` waits for the disk at every write, as etcd does by default; without it a power cut may lose data.
    `quota_bytes` None is etcd's own 2 GiB. `flags` are etcd's, added last on every command line.
    """

    size: int = 3
    name_prefix: str = "m"
    durable: bool = False
    quota_bytes: int | None = None
    # A tenth of a second and a second are etcd's own; half of that elects sooner and still stands a busy machine.
    heartbeat_milliseconds: int = 50
    election_milliseconds: int = 500
    certificates_valid_for: timedelta = timedelta(days=2)
    flags: tuple[str, ...] = ()

    def command_line(self, binaries: EtcdBinaries) -> tuple[str, ...]:
        """Return these settings as etcd's flags, as far as this version knows them."""
        flags = [
            f"--heartbeat-interval={self.heartbeat_milliseconds}",
            f"--election-timeout={self.election_milliseconds}",
        ]
        if not self.durable and binaries.release >= (3, 5):
            flags.append("--unsafe-no-fsync")
        if self.quota_bytes is not None:
            flags.append(f"--quota-backend-bytes={self.quota_bytes}")
        return (*flags, *self.flags)


class LocalCluster:
    """A running cluster; `with LocalCluster(...) as cluster:` starts it healthy and kills it at the end."""

    def __init__(self, directory: Path, *, binaries: EtcdBinaries, settings: ClusterSettings | None = None) -> None:
        self.directory = directory
        self.binaries = binaries
        self.settings = settings or ClusterSettings()
        self.members: list[EtcdProcess] = []
        now = datetime.now(UTC)
        self.authority = LocalAuthority(
            directory / "pki",
            valid_from=now - timedelta(hours=1),  # the clocks of one machine may still step back
            valid_until=now + self.settings.certificates_valid_for,
        )
        self._server_tls = self.authority.issue("server")
        self._peer_tls = self.authority.issue("peer")
        # etcd takes the common name for the user where authentication is on, and root is the one that may do all.
        self.client_tls = self.authority.issue("client", common_name="root", serves=False)
        self._token = secrets.token_hex(6)

    def __enter__(self) -> Self:
        try:
            self.form()
        except BaseException:
            self.kill()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.kill()

    @property
    def endpoints(self) -> tuple[str, ...]:
        return tuple(member.endpoint for member in self.members)

    def member(self, name: str) -> EtcdProcess:
        """Return the member of that name; raises KeyError when there is none."""
        for member in self.members:
            if member.name == name:
                return member
        raise KeyError(name)

    def gateway(self) -> EtcdGateway:
        """Return a way to speak to the first member that runs; the caller closes it. MemberUnreachable if none runs."""
        for member in self.members:
            if member.is_running:
                return member.gateway()
        raise MemberUnreachable("no member of the local cluster runs", subject=str(self.directory))

    def form(self, *, deadline_seconds: float = 60.0) -> None:
        """Start all members for the first time and wait until each is healthy. Raises as `wait_until_healthy` does."""
        for attempt in range(1, _FORMING_ATTEMPTS + 1):
            self.members = self._new_members()
            self.start()
            try:
                self.wait_until_healthy(deadline_seconds=deadline_seconds)
            except MemberUnreachable:
                lost_a_port = any("address already in use" in member.log_tail() for member in self.members)
                self._discard()
                if attempt == _FORMING_ATTEMPTS or not lost_a_port:
                    raise
            else:
                return

    def start(self) -> None:
        """Start every member that does not run."""
        for member in self.members:
            member.start()

    def wait_until_healthy(self, *, deadline_seconds: float = 60.0) -> None:
        """Wait for each member in turn; the deadline is for each."""
        for member in self.members:
            member.wait_until_healthy(deadline_seconds=deadline_seconds)

    def stop(self) -> None:
        """Stop every member as an administrator would, one after the other."""
        for member in self.members:
            member.stop()

    def kill(self) -> None:
        """End every member at once; their data stays."""
        for member in self.members:
            member.kill()

    def describe_nodes(self, root: Path) -> Path:
        """Write `root/NAME/node.json` for every member, so that a local control plane can drive them; return `root`.

        Processes that it starts are this cluster's as much as those before: `kill` ends them too.
        """
        for member in self.members:
            node = root / member.name
            node.mkdir(parents=True, exist_ok=True)
            (node / "node.json").write_text(json.dumps(member.describe(), indent=2) + "\n")
        return root

    def add_learner(self, name: str = "learner", *, deadline_seconds: float = 60.0) -> EtcdProcess:
        """Add a member that does not vote, start it, and return it once it serves."""
        [client_port, peer_port] = free_ports(2)
        known = {member.name: member.settings.peer_url for member in self.members}
        learner = self._process(self._settings(name, client_port, peer_port))
        self._register_learner(learner.settings.peer_url, deadline_seconds=deadline_seconds)
        learner.settings = replace(
            learner.settings,
            initial_cluster={**known, name: learner.settings.peer_url},
            joins_existing=True,
            is_learner=True,
        )
        self._wait_until_known(learner.settings.peer_url, deadline_seconds=deadline_seconds)
        self.members.append(learner)
        learner.start()
        learner.wait_until_healthy(deadline_seconds=deadline_seconds)
        return learner

    def _register_learner(self, peer_url: str, *, deadline_seconds: float) -> None:
        """Ask until the cluster agrees: it refuses until all members were connected for 5 s (server.go, HealthInterval).

        What an election cut off may have been done; then it is refused because it is there.
        """
        deadline, was_cut_off = time.monotonic() + deadline_seconds, False
        with self.gateway() as gateway:
            while True:
                try:
                    gateway.call("/v3/cluster/member/add", {"peerURLs": [peer_url], "isLearner": True})
                except EtcdError as refusal:
                    if was_cut_off and _IS_THERE in refusal.message:
                        return
                    was_cut_off |= may_pass(refusal)
                    is_passing = may_pass(refusal) or "unhealthy cluster" in refusal.message
                    if not is_passing or time.monotonic() >= deadline:
                        raise
                    time.sleep(_ASK_EVERY_SECONDS)
                else:
                    return

    def _wait_until_known(self, peer_url: str, *, deadline_seconds: float) -> None:
        """Return once every voter that runs has this member in its own list.

        One that joins asks any of them, and ends where that one has not applied its addition yet ("member count is
        unequal", server/etcdserver/bootstrap.go).
        """
        for member in self.members:
            if member.is_running and not member.settings.is_learner:
                with member.gateway(timeout_seconds=1.0) as gateway:
                    member.wait_until(lambda: _lists(gateway, peer_url), deadline_seconds=deadline_seconds)

    def _new_members(self) -> list[EtcdProcess]:
        ports = free_ports(2 * self.settings.size)
        settings = [
            self._settings(f"{self.settings.name_prefix}{index + 1}", ports[2 * index], ports[2 * index + 1])
            for index in range(self.settings.size)
        ]
        initial_cluster = {each.name: each.peer_url for each in settings}
        return [self._process(replace(each, initial_cluster=initial_cluster)) for each in settings]

    def _settings(self, name: str, client_port: int, peer_port: int) -> MemberSettings:
        return MemberSettings(
            name=name,
            data_dir=self.directory / f"{name}.etcd",
            client_port=client_port,
            peer_port=peer_port,
            server_tls=self._server_tls,
            peer_tls=self._peer_tls,
            initial_cluster={},
            cluster_token=self._token,
            flags=self.settings.command_line(self.binaries),
        )

    def _process(self, settings: MemberSettings) -> EtcdProcess:
        log = self.directory / f"{settings.name}.log"
        return EtcdProcess(settings, binaries=self.binaries, log=log, client_tls=self.client_tls)

    def _discard(self) -> None:
        for member in self.members:
            member.wipe()
            member.log.unlink(missing_ok=True)


def _lists(gateway: EtcdGateway, peer_url: str) -> bool:
    """Tell whether a member's own list has this peer URL; without `linearizable` it is its own."""
    try:
        answer = gateway.call("/v3/cluster/member/list", {})
    except EtcdError:
        return False
    return any(peer_url in member.get("peerURLs", ()) for member in answer.get("members", ()))
