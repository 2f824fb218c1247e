"""Companions from the nodes of a control plane, file by file; nodes are asked side by side."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

from etcd_dr.domain.companions import CompanionFile, CompanionLimits, companion_name
from etcd_dr.domain.manifest import MissingCompanion
from etcd_dr.errors import Cancelled, ConfigError, NodeError, NodeUnreachable
from etcd_dr.ports.cancellation import Cancellation
from etcd_dr.ports.companions import Gathered
from etcd_dr.ports.control_plane import ControlPlane, Node

_SECONDS_A_FILE = 30.0
_PARALLEL_NODES = 8
_SECRET_MODE, _PUBLIC_MODE = 0o600, 0o644
_PUBLIC = (".crt", ".pub")


class NodeFiles:
    """Implements ports.companions.CompanionSource. Of `optional` files only those that are there count."""

    def __init__(
        self, open_plane: Callable[[], ControlPlane], *, paths: Sequence[str], optional: Sequence[str] = ()
    ) -> None:
        self._open_plane = open_plane
        self._paths = tuple(dict.fromkeys([*paths, *optional]))
        self._needed = frozenset(paths)

    def gather(self, *, limits: CompanionLimits, cancellation: Cancellation) -> Gathered:
        with closing(self._open_plane()) as plane:
            nodes = list(plane.nodes)
            share = CompanionLimits(limits.total_bytes // max(1, len(nodes)), limits.files // max(1, len(nodes)))
            with ThreadPoolExecutor(_PARALLEL_NODES, thread_name_prefix="companions") as pool:
                gathered = list(pool.map(lambda node: self._of_node(node, share, cancellation), nodes))
        return Gathered(
            tuple(file for each in gathered for file in each.files),
            tuple(file for each in gathered for file in each.missing),
        )

    def _of_node(self, node: Node, limits: CompanionLimits, cancellation: Cancellation) -> Gathered:
        files: list[CompanionFile] = []
        missing: list[MissingCompanion] = []
        left = limits.total_bytes
        for path in self._paths[: limits.files]:
            if cancellation.is_cancelled:
                raise Cancelled(f"stopped on request ({cancellation.reason})")
            try:
                body = node.read_file(path, limit_bytes=left, deadline=_SECONDS_A_FILE)
            except NodeUnreachable as error:
                reason = error.message
                missing += [_missing(node, each, reason) for each in self._paths if each in self._needed] or [
                    _missing(node, path, reason)
                ]
                break
            except (NodeError, ConfigError) as error:
                missing.append(_missing(node, path, error.message))
                continue
            if body is not None:
                files.append(CompanionFile(companion_name(node.name, path), _mode(path), body))
                left -= len(body)
            elif path in self._needed:
                missing.append(_missing(node, path, "does not exist"))
        return Gathered(tuple(files), tuple(missing))


def _missing(node: Node, path: str, reason: str) -> MissingCompanion:
    return MissingCompanion(name=f"{node.name}{path}", reason=reason)


def _mode(path: str) -> int:
    """Return the mode that kubeadm gives such a file; a node's driver does not tell the one it has."""
    return _PUBLIC_MODE if path.endswith(_PUBLIC) else _SECRET_MODE
