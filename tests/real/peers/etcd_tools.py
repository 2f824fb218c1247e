"""etcd's own etcdctl and etcdutl, as the stock programs that ours is compared with."""

from __future__ import annotations

import json
import os
import subprocess
import time
from pathlib import Path
from typing import Any

from etcd_dr.adapters.local_cluster import EtcdBinaries, LocalCluster

_SECONDS = 120
_ELECTION = ("leader changed", "request timed out", "no leader", "raft proposal dropped")  # rpctypes, error.go
_PATIENCE = ("--dial-timeout=30s", "--command-timeout=60s")  # its own are 2 s and 5 s, too short on a busy machine


class StockTools:
    """The programs of one etcd version; a call that fails raises CalledProcessError with what the program said."""

    def __init__(self, binaries: EtcdBinaries) -> None:
        self.binaries = binaries

    def etcdctl(self, cluster: LocalCluster, *arguments: str | Path, endpoints: tuple[str, ...] | None = None) -> str:
        """Run etcdctl as the cluster's root against all its endpoints, or those given; return what it printed."""
        tls = cluster.client_tls
        connection = [f"--endpoints={','.join(endpoints or cluster.endpoints)}", *_PATIENCE]
        connection += [f"--cacert={tls.ca}", f"--cert={tls.certificate}", f"--key={tls.key}"]
        return _run([self.binaries.etcdctl, *connection, *arguments])

    def change(self, cluster: LocalCluster, *arguments: str) -> None:
        """Have etcdctl change something, again where an election cut the answer off: it may have come through."""
        ends, was_cut_off = time.monotonic() + _SECONDS, False
        while True:
            try:
                self.etcdctl(cluster, *arguments)
            except subprocess.CalledProcessError as failure:
                if was_cut_off and "already exists" in failure.stderr:
                    return
                was_cut_off = any(words in failure.stderr for words in _ELECTION)
                if not was_cut_off or time.monotonic() >= ends:
                    raise
            else:
                return

    def etcdutl(self, *arguments: str | Path) -> str:
        """Run etcdutl, or before 3.5, which has none, the etcdctl that does its work; return what it printed."""
        return _run([self.binaries.etcdutl or self.binaries.etcdctl, *arguments])

    def save_snapshot(self, cluster: LocalCluster, path: Path, *, member: int = 0) -> Path:
        """Save a snapshot of one member with etcdctl and return its path."""
        self.etcdctl(cluster, "snapshot", "save", path, endpoints=(cluster.endpoints[member],))
        return path

    def snapshot_status(self, path: Path) -> dict[str, Any]:
        """Return what `snapshot status` says as JSON: hash, revision, totalKey, totalSize, and version from 3.6."""
        status: dict[str, Any] = json.loads(self.etcdutl("snapshot", "status", path, "--write-out=json"))
        return status


def _run(command: list[str | Path]) -> str:
    # 3.4 still speaks the old API unless told; ETCDCTL_* of the developer's own must not reach the test's cluster.
    environ = {name: value for name, value in os.environ.items() if not name.startswith("ETCDCTL_")}
    done = subprocess.run(
        command,
        env={**environ, "ETCDCTL_API": "3"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=_SECONDS,
        check=False,
    )
    if done.returncode != 0:
        raise subprocess.CalledProcessError(done.returncode, command, done.stdout, done.stderr)
    return done.stdout
