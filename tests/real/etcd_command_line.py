"""The command pointed at a real cluster and a directory store."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from etcd_dr.adapters.local_cluster import LocalCluster
from scenarios.command_line import CommandLine, Done

_SETTLED_SECONDS = 60.0


def etcdctl_environment(cluster: LocalCluster) -> dict[str, str]:
    """Return the variables with which etcdctl would reach this cluster."""
    tls = cluster.client_tls
    return {
        "ETCDCTL_ENDPOINTS": ",".join(cluster.endpoints),
        "ETCDCTL_CACERT": str(tls.ca),
        "ETCDCTL_CERT": str(tls.certificate),
        "ETCDCTL_KEY": str(tls.key),
    }


def command_line(cluster: LocalCluster, directory: Path) -> CommandLine:
    """Return a command line with etcdctl's environment, an empty store, and encryption off."""
    return CommandLine(
        directory,
        {
            **etcdctl_environment(cluster),
            "ETCD_DR_STORE": str(directory / "store"),
            "ETCD_DR_ENCRYPTION__ENABLED": "false",
        },
    )


def once(look: Callable[[], Done], is_settled: Callable[[Done], bool]) -> Done:
    """Return the first look that is settled, or the last one in time: elections pass, and a busy machine is slow."""
    ends = time.monotonic() + _SETTLED_SECONDS
    while True:
        done = look()
        if is_settled(done) or time.monotonic() > ends:
            return done


def healthy(cli: CommandLine, *words: str) -> Done:
    """Return the first look of `health` that is all right, or the last one in time."""
    return once(lambda: cli("health", *words), lambda done: done.status == 0)
