"""Restores an uploaded snapshot as Talos does: etcdutl's own code, and no more than Talos asks of it.

Neither a token nor a revision bump is given (services/etcd.go, recoverFromSnapshot), and the database is in place
before its checksum is looked at, so a failure leaves it behind.
"""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path

from real.peers.talos.faults import LOOK_AGAIN_SECONDS
from real.peers.talos.node import ETCD_DIRECTORY, RECOVERY_SNAPSHOT, Node

_SECONDS = 120.0


class PreStageFailed(Exception):
    """The service cannot start; the text is what follows `Failed to run pre stage: `."""


async def recover_from_snapshot(node: Node, *, skip_hash_check: bool) -> None:
    """Restore /var/lib/etcd.snapshot and delete it. Raises PreStageFailed with Talos' words."""
    snapshot = node.path(RECOVERY_SNAPSHOT)
    if not snapshot.exists():
        raise PreStageFailed(f"error verifying snapshot: stat {RECOVERY_SNAPSHOT}: no such file or directory")
    complaint = await _etcdutl(node, "snapshot", "status", snapshot)
    if complaint:
        raise PreStageFailed(f"error verifying snapshot: {complaint}")
    node.log("recovering etcd from snapshot")
    while node.faults.restore_is_withheld:
        await asyncio.sleep(LOOK_AGAIN_SECONDS)
    await asyncio.sleep(node.faults.restore_takes)
    await _restore(node, snapshot, skip_hash_check=skip_hash_check)
    snapshot.unlink()


async def _restore(node: Node, snapshot: Path, *, skip_hash_check: bool) -> None:
    failure = node.faults.restore_fails_with
    if failure is not None:
        copied = node.path(ETCD_DIRECTORY) / "member" / "snap" / "db"
        copied.parent.mkdir(parents=True)
        shutil.copyfile(snapshot, copied)
    elif len(node.peer_urls) > 1 and not node.release.restores_with_many_addresses:
        # The URLs were joined to one, which no parser takes.
        failure = f"URL scheme must be http, https, unix, or unixs: {','.join(node.advertised_addresses)}"
    else:
        failure = await _etcdutl(
            node,
            *("snapshot", "restore", snapshot),
            f"--name={node.hostname}",
            f"--data-dir={node.path(ETCD_DIRECTORY)}",
            f"--initial-cluster={node.initial_cluster}",
            f"--initial-advertise-peer-urls={','.join(node.peer_urls)}",
            "--initial-cluster-token=",
            *(["--skip-hash-check"] if skip_hash_check else []),
        )
    if failure:
        raise PreStageFailed(f"error recovering from the snapshot: {failure}")


async def _etcdutl(node: Node, *arguments: str | Path) -> str:
    """Run etcdutl and return what it complains about, in one line; empty when all went well.

    Where a damaged file ends the program with a signal, real Talos, which runs the same code inside of PID 1, would
    fall with it; here it is only another failure.
    """
    program = node.settings.binaries.etcdutl
    if program is None:
        raise PreStageFailed("there is no etcdutl in this etcd: give the double 3.5 or later")
    process = await asyncio.create_subprocess_exec(
        program, *arguments, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE
    )
    try:
        _, errors = await asyncio.wait_for(process.communicate(), _SECONDS)
    finally:
        if process.returncode is None:
            process.kill()
    if process.returncode == 0:
        return ""
    lines = [line for line in errors.decode(errors="replace").splitlines() if line.strip()]
    said = [
        line.removeprefix("Error: ") for line in lines if line.startswith(("Error: ", "panic: ", "unexpected fault"))
    ]
    return node.as_on_the_node((said or lines or [f"etcdutl ended with status {process.returncode}"])[0])
