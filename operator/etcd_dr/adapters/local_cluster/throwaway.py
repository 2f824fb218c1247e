"""A single member on a restored data directory, for the length of a drill.

- It listens on loopback only, with certificates that live as long as it does; its client certificate is root's,
  because a snapshot of a cluster with authentication brings its users along.
- It has no peers, and the token of its restore is nobody else's, so it can never meet the cluster it came from.
- Nothing waits for the disk (--unsafe-no-fsync, etcd 3.5+): what it writes is thrown away.
- It is spoken to over gRPC by whatever `connect` makes; this module only waits until it serves.
"""

from __future__ import annotations

import os
import shutil
import socket
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from etcd_dr.adapters.local_cluster.binaries import EtcdBinaries
from etcd_dr.adapters.local_cluster.child import free_ports
from etcd_dr.adapters.local_cluster.pki import LocalAuthority, TlsFiles
from etcd_dr.adapters.local_cluster.process import EtcdProcess, MemberSettings
from etcd_dr.domain.etcd_programs import choose_version, plain_environment
from etcd_dr.domain.etcd_version import EtcdVersion
from etcd_dr.errors import Cancelled, EtcdError, MemberUnreachable, ToolFailed, ToolMissing
from etcd_dr.ports.cancellation import Cancellation
from etcd_dr.ports.clock import Clock
from etcd_dr.ports.etcd import EtcdMember
from etcd_dr.ports.etcd_admin import EtcdAdmin
from etcd_dr.ports.etcd_programs import EtcdProgram, EtcdPrograms
from etcd_dr.ports.throwaway_member import RunningMember

Connect = Callable[[str, TlsFiles], tuple[EtcdMember, EtcdAdmin]]
"""Makes both connections to one endpoint with these files."""

_PEER_PORT = 2380  # only a name in the restored member list: nothing dials it
_PORT_ATTEMPTS = 3
_PORT_IS_TAKEN = "address already in use"
_ASKING_SECONDS = 2.0
_VALID_FOR = timedelta(days=2)
_HEADROOM_BYTES = 1 << 30


@dataclass(frozen=True, slots=True)
class _Launch:
    """What one member is started with; each attempt takes new ports."""

    program: EtcdProgram
    data_dir: Path
    name: str
    beside: Path
    tls: TlsFiles
    client_tls: TlsFiles

    def process(self, attempt: int) -> EtcdProcess:
        client_port, peer_port = free_ports(2)
        settings = MemberSettings(
            name=self.name,
            data_dir=self.data_dir,
            client_port=client_port,
            peer_port=peer_port,
            server_tls=self.tls,
            peer_tls=self.tls,
            initial_cluster={self.name: f"https://127.0.0.1:{peer_port}"},  # not looked at: the directory has members
            cluster_token="throw-away",  # noqa: S106 - not looked at either; the restore's is in the directory
            flags=_flags(self.program.version, self.data_dir),
        )
        version, etcd = self.program.version, self.program.path
        return EtcdProcess(
            settings,
            binaries=EtcdBinaries(str(version), etcd, etcd.with_name("etcdctl"), None),
            log=self.beside / f"etcd-{attempt}.log",
            client_tls=self.client_tls,
            environ=plain_environment(os.environ),
        )


class ThrowawayMembers:
    """Implements ports.throwaway_member.MemberHost. Keys and log lie beside the data directory until it is left."""

    def __init__(self, programs: EtcdPrograms, *, connect: Connect, clock: Clock) -> None:
        self._programs = programs
        self._connect = connect
        self._clock = clock

    @property
    def peer_url(self) -> str:
        return f"https://127.0.0.1:{_PEER_PORT}"

    def version_for(self, server: EtcdVersion | None) -> EtcdVersion:
        return self._program(server).version

    @contextmanager
    def run(
        self, data_dir: Path, *, name: str, server: EtcdVersion | None, cancellation: Cancellation, deadline: float
    ) -> Iterator[RunningMember]:
        program = self._program(server)
        beside = data_dir.with_name(f"{data_dir.name}.run")
        beside.mkdir(mode=0o700)
        try:
            launch = self._prepared(program, data_dir, name=name, beside=beside)
            with self._started(launch, cancellation=cancellation, deadline=deadline) as running:
                yield running
        finally:
            shutil.rmtree(beside, ignore_errors=True)

    def _prepared(self, program: EtcdProgram, data_dir: Path, *, name: str, beside: Path) -> _Launch:
        now = self._clock.now()
        authority = LocalAuthority(beside / "pki", valid_from=now - timedelta(hours=1), valid_until=now + _VALID_FOR)
        client_tls = authority.issue("client", common_name="root", serves=False)
        return _Launch(program, data_dir, name, beside, authority.issue("member"), client_tls)

    @contextmanager
    def _started(self, launch: _Launch, *, cancellation: Cancellation, deadline: float) -> Iterator[RunningMember]:
        for attempt in range(1, _PORT_ATTEMPTS + 1):
            process = launch.process(attempt)
            try:
                with cancellation.on_cancel(process.kill), self._connected(process, launch) as (member, admin):
                    process.start()
                    if cancellation.is_cancelled:  # the wish may have come before there was anything to end
                        process.kill()
                    try:
                        process.wait_until(_serves(process, member), deadline_seconds=deadline)
                    except MemberUnreachable as error:
                        has_lost_a_port = _PORT_IS_TAKEN in process.log_tail()
                        if has_lost_a_port and attempt < _PORT_ATTEMPTS:
                            continue
                        raise _ended(process, error, cancellation, has_lost_a_port=has_lost_a_port) from error
                    yield RunningMember(member, admin, launch.program.version)
                    return
            finally:
                process.kill()

    @contextmanager
    def _connected(self, process: EtcdProcess, launch: _Launch) -> Iterator[tuple[EtcdMember, EtcdAdmin]]:
        member, admin = self._connect(process.endpoint, launch.client_tls)
        with closing(member), closing(admin):
            yield member, admin

    def _program(self, server: EtcdVersion | None) -> EtcdProgram:
        found = {program.version: program for program in self._programs.find("etcd")}
        chosen = choose_version(list(found), server)
        if chosen is not None:
            return found[chosen]
        line = f"{server.major}.{server.minor}" if server else "any version"
        listed = ", ".join(str(version) for version in sorted(found)) or "none"
        raise ToolMissing(
            f"no etcd of {line} was found; found: {listed}; looked in: {', '.join(self._programs.places) or 'nowhere'}",
            subject="etcd",
            next_step=f"Get the newest {line} from https://github.com/etcd-io/etcd/releases, unpack it, and name its "
            "directory under tools.directories in etcd-dr.yaml (or put it on PATH).",
            context={"found": listed, "server": str(server) if server else None},
        )


def _flags(version: EtcdVersion, data_dir: Path) -> tuple[str, ...]:
    database = data_dir / "member" / "snap" / "db"
    quota = 2 * database.stat().st_size + _HEADROOM_BYTES
    flags = ["--heartbeat-interval=50", "--election-timeout=500", f"--quota-backend-bytes={quota}"]
    return (*flags, "--unsafe-no-fsync") if version >= EtcdVersion(3, 5, 0) else tuple(flags)


def _serves(process: EtcdProcess, member: EtcdMember) -> Callable[[], bool]:
    """Return whether it reads with quorum. The port is tried first: a refused gRPC call is slower to come back."""

    def serves() -> bool:
        try:
            with socket.create_connection(("127.0.0.1", process.settings.client_port), timeout=_ASKING_SECONDS):
                pass
            member.read(linearizable=True, deadline=_ASKING_SECONDS)
        except (OSError, EtcdError):
            return False
        return True

    return serves


def _ended(
    process: EtcdProcess, error: MemberUnreachable, cancellation: Cancellation, *, has_lost_a_port: bool
) -> Exception:
    """Return what the end of the process means: our own wish, this machine's doing, or etcd's own verdict."""
    if cancellation.is_cancelled:
        return Cancelled(f"stopped: {cancellation.reason}")
    if has_lost_a_port:
        return ToolFailed(
            f"other programs took the ports on 127.0.0.1 that were free for etcd a moment before, {_PORT_ATTEMPTS} times",
            subject=str(process.binaries.etcd),
            next_step="See who takes them: ss -ltnp; then drill again. It says nothing about the snapshot.",
            context=error.context,
        )
    if (process.ended_with or 0) < 0:
        return ToolFailed(
            f"etcd was ended by signal {-(process.ended_with or 0)} before it served",
            subject=str(process.binaries.etcd),
            next_step="If the machine ran out of memory, drill on a larger one.",
            context=error.context,
        )
    return MemberUnreachable(
        error.message, subject=error.subject, next_step="Its last words are in the context.", context=error.context
    )
