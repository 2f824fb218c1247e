"""Steps on one Talos node: looked at again, copied, wiped, rebooted, and waited for.

- A wipe names its partitions and is confirmed by another boot id: a node that merely went away and came back was not
  wiped. What it is compared with is in the preflight's facts, so that a wipe that was cut off is known as such.
- A copy is what lies on the disk. A running etcd writes meanwhile: then its database may not be whole, and the facts
  say so; what a plan builds from is proven by itself.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from etcd_dr import boltdb
from etcd_dr.domain.digest import Digest
from etcd_dr.domain.recovery.candidate import Way
from etcd_dr.domain.recovery.journal import Facts
from etcd_dr.domain.recovery.sight import NodeSight
from etcd_dr.domain.recovery.step import BuildData, FetchSurvivor
from etcd_dr.domain.recovery.talos_sight import RECOVERABLE_STATES, SETTLED_STAGES
from etcd_dr.domain.recovery.talos_step import (
    TalosAwaitReady,
    TalosCopyData,
    TalosPreflight,
    TalosReboot,
    TalosWipe,
)
from etcd_dr.domain.talos import DATA_DIRECTORY, DATABASE_FILE
from etcd_dr.errors import LocalStorageFull, MemberTimeout, MemberUnreachable, NodeFault, StreamBroken
from etcd_dr.ports.talos import TalosActor
from etcd_dr.workflows.recovery.steps.build import server_version
from etcd_dr.workflows.recovery.talos_work import (
    boot_id,
    driver_of,
    has_no_data,
    look_at_node,
    service_words,
    talos_node,
    talos_of,
    wait_for_nodes,
)
from etcd_dr.workflows.recovery.work import Work

_MARGIN_BYTES = 64 << 20
_TRIES = 3
_UNKNOWN_BYTES = 8 << 30
_PARTS = ("snap", "wal")


def preflight(step: TalosPreflight, work: Work) -> Facts:
    """Look at every node and remember its boot; look for the tool and for room here. Changes nothing."""
    facts: Facts = {}
    builds = [each for each in work.plan.steps if isinstance(each, BuildData)]
    if builds:
        must_bump = any(build.bump_revision for build in builds)
        facts["tool_version"] = str(work.ports.restorer.version_for(server_version(work), must_bump=must_bump))
    free = work.place.free_bytes()
    if step.local_bytes_needed and free < step.local_bytes_needed + _MARGIN_BYTES:
        raise LocalStorageFull(
            f"{free} bytes free, this recovery needs {step.local_bytes_needed}",
            subject=str(work.place.directory),
            next_step="Free some space, or resume with another state directory: --state-dir DIRECTORY",
            context={"free_bytes": free, "needed_bytes": step.local_bytes_needed},
        )
    for name in step.nodes:
        sight = look_at_node(work, name)
        _check(sight, needed=step.target_bytes_needed if name == step.target else 0)
        facts[_boot_fact(name)] = boot_id(work, name)
    return facts


def copy_data(step: TalosCopyData, work: Work) -> Facts:
    """Read every file of the data directory; one that is shorter than it was listed is read again."""
    sizes: dict[str, int] = {}
    with talos_node(work, step.node) as node:
        for part in _PARTS:
            directory = f"{DATA_DIRECTORY}/member/{part}"
            rows = node.list_directory(directory, deadline=driver_of(work).limits.call_deadline) or ()
            for row in rows:
                name = row.name.rpartition("/")[2]
                if not row.is_directory:
                    sizes[f"{part}/{name}"] = _copy_file(step, work, node, part, name, at_least=row.size_bytes)
    database = work.place.path("copies", step.node, "snap", "db")
    digest = work.place.digest(database)
    if digest is None:
        raise NodeFault("gave no database to copy", subject=step.node, next_step="See how it is: etcd-dr doctor")
    examination = boltdb.examine(database, live_keys=False)
    return {
        "digest": str(digest),
        "size_bytes": sum(sizes.values()),
        "files": len(sizes),
        "copy": str(work.place.path("copies", step.node)),
        "database_is_whole": examination.is_intact,
        "revision": examination.status.current_revision if examination.status else None,
    }


def wipe(step: TalosWipe, work: Work) -> Facts:
    """Reset the node where it has data, and return when it has booted anew and waits with an empty data directory."""
    known = (work.facts_of("talos-preflight") or {}).get(_boot_fact(step.node))
    sight, boot = look_at_node(work, step.node), boot_id(work, step.node)
    if has_no_data(sight) and talos_of(sight).service_state != "Running":
        return {"boot_id": boot, "was_reset": boot != known}
    return {"boot_id": reset_and_wait(step.node, step.labels, work, boot=boot), "was_reset": True}


def reset_and_wait(name: str, labels: tuple[str, ...], work: Work, *, boot: str) -> str:
    """Wipe these partitions, wait for another boot than `boot` and return its id.

    Raises NodeFault where the node came back with its data.
    """
    limits = driver_of(work).limits
    with talos_node(work, name) as node:
        try:
            node.reset(labels, deadline=limits.change_deadline)
        except (MemberUnreachable, MemberTimeout, StreamBroken) as error:
            work.warn("recovery.reset_unanswered", node=name, error=error)
    problem = "it did not reboot"

    def look() -> str | None:
        nonlocal problem
        now = boot_id(work, name)
        if not now or now == boot:
            return None
        sight = look_at_node(work, name)
        told = talos_of(sight)
        problem = service_words(sight)
        if work.plan.way is Way.REPLACE:
            return now
        if told.service_state not in RECOVERABLE_STATES:
            return None
        if not has_no_data(sight):
            raise NodeFault(
                "rebooted, and its data is still there: the reset did not wipe it",
                subject=name,
                next_step="See what it says: talosctl dmesg | tail -50; then resume, which wipes it again.",
                context={"labels": ", ".join(labels)},
            )
        return now

    return wait_for_nodes(work, look, seconds=limits.reboot_deadline, problem=lambda: f"{name}: {problem}")


def await_ready(step: TalosAwaitReady, work: Work) -> Facts:
    """Return when every node waits for a cluster. Raises NodeFault at once for one whose data is back."""
    problem = ""

    def look() -> Facts | None:
        nonlocal problem
        for name in step.nodes:
            sight = look_at_node(work, name)
            problem = why_not_ready(sight)
            if problem:
                return None
        return {"nodes": len(step.nodes)}

    return wait_for_nodes(work, look, seconds=step.deadline_seconds, problem=lambda: problem)


def why_not_ready(sight: NodeSight) -> str:
    """Return what keeps a node from being recovered now; empty: nothing does."""
    told = talos_of(sight)
    if told.service_state not in RECOVERABLE_STATES:
        return f"{sight.node}: {service_words(sight)}"
    if not has_no_data(sight):
        return f"{sight.node}: {DATA_DIRECTORY} is not empty: {service_words(sight)}"
    if told.stage and told.stage not in SETTLED_STAGES:
        return f"{sight.node}: the machine is {told.stage}"
    return f"{sight.node}: its time is not in sync" if told.is_time_synced is False else ""


def reboot(step: TalosReboot, work: Work) -> Facts:
    """Reboot a node whose etcd does not run, and return when it has booted anew."""
    known = (work.facts_of("talos-preflight") or {}).get(_boot_fact(step.node))
    limits, now = driver_of(work).limits, boot_id(work, step.node)
    if now == known:
        with talos_node(work, step.node) as node:
            node.reboot(deadline=limits.change_deadline)

    def look() -> str | None:
        found = boot_id(work, step.node)
        return found if found and found != known else None

    found = wait_for_nodes(
        work, look, seconds=limits.reboot_deadline, problem=lambda: f"{step.node}: it did not reboot"
    )
    return {"boot_id": found}


def read_survivor(step: FetchSurvivor, work: Work, path: Path) -> Digest:
    """Read the database file of a node whose etcd does not serve; its pages are proven by the caller."""
    with talos_node(work, step.node) as node:
        return _read_file(work, node, DATABASE_FILE, path, at_least=1)[0]


def _boot_fact(name: str) -> str:
    return f"boot_id of {name}"


def _check(sight: NodeSight, *, needed: int) -> None:
    told = talos_of(sight)
    if told.machine_type in ("init", "worker"):
        raise NodeFault(f"is a machine of type {told.machine_type}", subject=sight.node, next_step=_TYPES)
    if needed and sight.free_bytes is not None and sight.free_bytes < needed:
        raise NodeFault(
            f"has {sight.free_bytes} bytes free, the snapshot and what is restored from it need {needed}",
            subject=sight.node,
            next_step="Free some space on /var of that node; nothing was touched yet.",
            context={"free_bytes": sight.free_bytes, "needed_bytes": needed},
        )


def _copy_file(step: TalosCopyData, work: Work, node: TalosActor, part: str, name: str, *, at_least: int) -> int:
    """Return the size of what was read. Raises NodeFault where it stays short: a node does not say so itself."""
    path, size = work.place.path("copies", step.node, part, name), 0
    for _ in range(_TRIES):
        digest, size = _read_file(work, node, f"{DATA_DIRECTORY}/member/{part}/{name}", path, at_least=at_least)
        if size >= at_least:
            if digest != work.place.digest(path):
                raise NodeFault(f"the copy of {part}/{name} is not what was read", subject=step.node)
            return size
    raise NodeFault(f"gave {size} of {at_least} bytes of {part}/{name}", subject=step.node)


def _read_file(work: Work, node: TalosActor, source: str, path: Path, *, at_least: int) -> tuple[Digest, int]:
    sha256, file, size, is_whole = hashlib.sha256(), work.ports.files.begin_file(path, overwrite=True), 0, False
    limits = driver_of(work).limits
    try:
        with (
            node.read_stream(
                source,
                stall_deadline=limits.stall_deadline,
                total_deadline=work.ports.limits.copy_deadline(max(at_least, _UNKNOWN_BYTES)),
            ) as stream,
            work.ports.cancellation.on_cancel(stream.cancel),
        ):
            for chunk in stream:
                sha256.update(chunk.blob)
                file.write(chunk.blob)
                size += len(chunk.blob)
                work.ports.progress.advance(len(chunk.blob))
        file.commit()
        is_whole = True
    finally:
        if not is_whole:
            file.abort()
    return Digest.of_sha256(sha256.digest()), size


_TYPES = (
    "Name control plane nodes only. On a machine of type init Talos ignores a recovery and makes an empty cluster: "
    "talosctl edit machineconfig --mode=staged, set machine.type to controlplane, then reboot it."
)
