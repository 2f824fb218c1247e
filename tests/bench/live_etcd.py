"""A real etcd with mutual TLS that serves a large database, restored from a file in seconds."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from bench.etcd_files import BENCH_DIRECTORY
from etcd_dr.adapters.local_cluster import EtcdBinaries, EtcdProcess, LocalAuthority, MemberSettings, TlsFiles
from etcd_dr.adapters.local_cluster.child import free_ports


@dataclass(frozen=True, slots=True)
class LiveEtcd:
    """One running member, and the files to speak to it."""

    endpoint: str
    tls: TlsFiles
    directory: Path

    @property
    def etcdctl_flags(self) -> list[str]:
        return [
            f"--endpoints={self.endpoint}",
            f"--cacert={self.tls.ca}",
            f"--cert={self.tls.certificate}",
            f"--key={self.tls.key}",
            "--command-timeout=600s",
        ]


@contextlib.contextmanager
def serving(file: Path, binaries: EtcdBinaries) -> Iterator[LiveEtcd]:
    """Run a member on a copy of this snapshot file; everything is removed afterwards."""
    BENCH_DIRECTORY.mkdir(exist_ok=True)
    directory = Path(tempfile.mkdtemp(prefix="live-", dir=BENCH_DIRECTORY))
    try:
        now = datetime.now(UTC)
        authority = LocalAuthority(
            directory / "pki", valid_from=now - timedelta(hours=1), valid_until=now + timedelta(days=2)
        )
        client_tls = authority.issue("client", common_name="root", serves=False)
        client_port, peer_port = free_ports(2)
        settings = MemberSettings(
            name="bench",
            data_dir=directory / "data",
            client_port=client_port,
            peer_port=peer_port,
            server_tls=authority.issue("server"),
            peer_tls=authority.issue("peer"),
            initial_cluster={"bench": f"https://127.0.0.1:{peer_port}"},
            cluster_token="bench",
            flags=("--quota-backend-bytes=17179869184",),
        )
        _restore(file, settings, binaries)
        member = EtcdProcess(settings, binaries=binaries, log=directory / "log", client_tls=client_tls)
        try:
            member.start()
            member.wait_until_healthy(deadline_seconds=120)
            yield LiveEtcd(member.endpoint, client_tls, directory)
        finally:
            member.kill()
    finally:
        shutil.rmtree(directory)


def _restore(file: Path, settings: MemberSettings, binaries: EtcdBinaries) -> None:
    command = [
        binaries.etcdutl or binaries.etcdctl,
        "snapshot",
        "restore",
        file,
        f"--data-dir={settings.data_dir}",
        f"--name={settings.name}",
        f"--initial-cluster={settings.name}={settings.peer_url}",
        f"--initial-advertise-peer-urls={settings.peer_url}",
        f"--initial-cluster-token={settings.cluster_token}",
    ]
    subprocess.run(command, check=True, capture_output=True)
