"""Find out whether a kit would do, without changing anything: each part is asked for what a recovery would ask of it.

One answer never hides another: what fails is a check with its next step, and only what depends on it is left out.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from etcd_dr.domain.catalogue import Catalogue, Snapshot
from etcd_dr.domain.etcd_version import EtcdVersion
from etcd_dr.domain.kit import (
    CONFIG_NAME,
    FACTS_NAME,
    PAGE_NAME,
    SUMS_NAME,
    KitCheck,
    KitResult,
    age_check,
    drill_check,
    topology_check,
)
from etcd_dr.domain.snapshot import ClusterLayout
from etcd_dr.domain.snapshot_facts import last_good_drill_at
from etcd_dr.errors import EtcdDrError
from etcd_dr.ports.cancellation import Cancellation
from etcd_dr.ports.clock import Clock
from etcd_dr.ports.codec import Decoder
from etcd_dr.ports.control_plane import ControlPlane
from etcd_dr.ports.object_store import ObjectStore
from etcd_dr.ports.restorer import Restorer
from etcd_dr.ports.throwaway_member import MemberHost
from etcd_dr.workflows.read_catalogue import read_catalogue
from etcd_dr.workflows.receive_stream import raise_if_cancelled
from etcd_dr.workflows.try_key import try_key

_MOST_BYTES = 1 << 20
_NODE_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class KitPorts:
    """Everything a check talks to. `open_plane` None: the configuration describes no nodes.

    `has_machine_api`: they are reached in another way (Talos), which has a check of its own.
    """

    store: ObjectStore
    decoder: Callable[[], Decoder]
    restorer: Restorer
    host: MemberHost
    clock: Clock
    cancellation: Cancellation
    open_plane: Callable[[], ControlPlane] | None = None
    has_machine_api: bool = False


@dataclass(frozen=True, slots=True)
class KitLimits:
    """How old things may be; None: the rules' own (domain/kit.py)."""

    snapshot_age: timedelta | None = None
    drill_age: timedelta | None = None


def check_files(directory: Path, needed: Sequence[tuple[str, Path]]) -> Iterator[KitCheck]:
    """Check the kit's own files, and those that its configuration names."""
    yield _sums_check(directory)
    missing = [f"{path} ({key})" for key, path in needed if not _can_read(path)]
    if missing:
        yield KitCheck(
            "files",
            KitResult.FAILED,
            f"cannot be read: {', '.join(missing)}",
            f"Bring them to this machine, or name others in {CONFIG_NAME}.",
        )
    else:
        yield KitCheck("files", KitResult.PASSED, f"all {len(needed)} files that {CONFIG_NAME} names can be read")


def check_kit(
    directory: Path, layout: ClusterLayout, *, ports: KitPorts, limits: KitLimits | None = None
) -> Iterator[KitCheck]:
    """Yield the checks that need the store, the tools and the nodes. Raises Cancelled."""
    bounds = limits or KitLimits()
    catalogue, answer = _read(ports.store, layout)
    yield answer
    newest = catalogue.newest_proven if catalogue is not None else None
    if catalogue is not None:
        yield from _snapshot_checks(directory, catalogue, newest, ports=ports, layout=layout, limits=bounds)
    raise_if_cancelled(ports.cancellation)
    yield from _tool_checks(newest, ports)
    raise_if_cancelled(ports.cancellation)
    yield from _node_checks(ports)


def _sums_check(directory: Path) -> KitCheck:
    again = "Make the kit anew: etcd-dr kit create DIRECTORY"
    try:
        lines = (directory / SUMS_NAME).read_text(encoding="ascii").splitlines()
        wanted = {name: digest for digest, _, name in (line.partition("  ") for line in lines)}
        found = {name: _sha256(directory / name) for name in (CONFIG_NAME, PAGE_NAME, FACTS_NAME)}
    except (OSError, ValueError) as error:
        return KitCheck("kit", KitResult.FAILED, f"{directory} is no whole kit: {error}"[:300], again)
    changed = sorted(name for name, digest in found.items() if wanted.get(name) != digest)
    if changed:
        words = f"changed since the kit was made: {', '.join(changed)}"
        return KitCheck("kit", KitResult.WARNING, words, f"If that was meant, all is well. {again}")
    return KitCheck("kit", KitResult.PASSED, "its files are as they were written")


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.sha256(file.read(_MOST_BYTES)).hexdigest()


def _can_read(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            file.read(1)
    except IsADirectoryError:
        return True
    except OSError:
        return False
    return True


def _read(store: ObjectStore, layout: ClusterLayout) -> tuple[Catalogue | None, KitCheck]:
    try:
        catalogue = read_catalogue(store, layout)
    except EtcdDrError as error:
        return None, _failed("store", error)
    proven = sum(snapshot.is_proven for snapshot in catalogue.snapshots)
    found = len(catalogue.snapshots)
    told = f"{store.url(layout.root)} has {found} snapshot{'' if found == 1 else 's'}, {proven} of them proven"
    if proven:
        return catalogue, KitCheck("store", KitResult.PASSED, told)
    return catalogue, KitCheck("store", KitResult.FAILED, told, "Take and prove one: etcd-dr snapshot save")


def _snapshot_checks(
    directory: Path,
    catalogue: Catalogue,
    newest: Snapshot | None,
    *,
    ports: KitPorts,
    layout: ClusterLayout,
    limits: KitLimits,
) -> Iterator[KitCheck]:
    now = ports.clock.now()
    if newest is None:
        yield KitCheck("key", KitResult.LEFT_OUT, "there is no proven snapshot to open")
        return
    yield age_check(newest.taken_at, now=now, longest=limits.snapshot_age)
    yield _key_check(ports, layout, newest)
    yield drill_check(last_good_drill_at(catalogue), now=now, longest=limits.drill_age)
    then = _peer_urls_then(directory)
    if then is not None:
        yield topology_check(then, [url for member in newest.manifest.topology for url in member.peer_urls])


def _key_check(ports: KitPorts, layout: ClusterLayout, newest: Snapshot) -> KitCheck:
    problem = try_key(newest, ports.store, layout, decoder=ports.decoder)
    if problem is not None:
        return _failed("key", problem)
    how = "a key at hand opens" if newest.manifest.is_encrypted else "no key is needed for"
    return KitCheck("key", KitResult.PASSED, f"{how} {newest.id}")


def _tool_checks(newest: Snapshot | None, ports: KitPorts) -> Iterator[KitCheck]:
    told = newest.manifest.source.etcd_version if newest else None
    server = EtcdVersion.parse(told) if told else None
    wanted = f"for the cluster's {server}" if server else "(the cluster's version is not known)"
    try:
        version = ports.restorer.version_for(server)
        yield KitCheck("restore tool", KitResult.PASSED, f"{version} {wanted}")
    except EtcdDrError as error:
        yield _failed("restore tool", error)
    try:
        yield KitCheck("etcd for drills", KitResult.PASSED, f"{ports.host.version_for(server)} {wanted}")
    except EtcdDrError as error:
        yield KitCheck("etcd for drills", KitResult.WARNING, error.message, error.next_step)


def _node_checks(ports: KitPorts) -> Iterator[KitCheck]:
    if ports.has_machine_api:
        yield KitCheck("nodes", KitResult.LEFT_OUT, "they are reached through Talos; ask them with: etcd-dr doctor")
        return
    if ports.open_plane is None:
        yield KitCheck(
            "nodes",
            KitResult.WARNING,
            "no way to the nodes is configured: recover would have to leave their steps to you",
            f"Describe control_plane in {CONFIG_NAME}.",
        )
        return
    try:
        plane = ports.open_plane()
    except EtcdDrError as error:
        yield _failed("nodes", error)
        return
    try:
        for node in plane.nodes:
            raise_if_cancelled(ports.cancellation)
            try:
                node.look(deadline=_NODE_SECONDS)
            except EtcdDrError as error:
                yield _failed(f"node {node.name}", error)
            else:
                yield KitCheck(f"node {node.name}", KitResult.PASSED, f"reached: {node.place}")
    finally:
        plane.close()


def _peer_urls_then(directory: Path) -> list[str] | None:
    try:
        with (directory / FACTS_NAME).open("rb") as file:
            urls = json.loads(file.read(_MOST_BYTES))["peer_urls"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return [str(url) for url in urls] if isinstance(urls, list) else None


def _failed(name: str, error: EtcdDrError) -> KitCheck:
    return KitCheck(name, KitResult.FAILED, str(error), error.next_step)
