"""A data directory from a snapshot, whole or not at all.

A restore that fails leaves a partial directory, on which the next one would fail as well ("data-dir not empty"). So
each runs into a directory of its own beside the destination, and is renamed when it is done. What a killed process
left there is removed by the next call for the same destination.
"""

from __future__ import annotations

import os
import secrets
import shutil
from pathlib import Path

from etcd_dr.adapters.etcdutl.command import restore_command
from etcd_dr.adapters.etcdutl.complaints import explain
from etcd_dr.adapters.etcdutl.process import run_tool
from etcd_dr.domain.etcd_programs import choose_version
from etcd_dr.domain.etcd_version import EtcdVersion
from etcd_dr.errors import FileUnreadable, ToolMissing, UsageError
from etcd_dr.ports.cancellation import Cancellation
from etcd_dr.ports.etcd_programs import EtcdProgram, EtcdPrograms
from etcd_dr.ports.restorer import RestoreOrder

_FIRST_ETCDUTL = EtcdVersion(3, 5, 0)


class EtcdutlRestorer:
    """Implements ports.restorer.Restorer; may be used from several threads for different destinations."""

    def __init__(self, programs: EtcdPrograms) -> None:
        self._programs = programs

    def version_for(self, server: EtcdVersion | None, *, must_bump: bool = False) -> EtcdVersion:
        return self._tool(server, must_bump=must_bump).version

    def restore(self, order: RestoreOrder, *, server: EtcdVersion | None, cancellation: Cancellation) -> None:
        tool = self._tool(server, must_bump=order.bump_revision > 0)
        _check_source(order.source)
        _make_way(order.data_dir)
        unfinished = order.data_dir.with_name(f"{_unfinished_prefix(order.data_dir)}{secrets.token_hex(4)}")
        try:
            _run(tool, order, into=unfinished, cancellation=cancellation)
            unfinished.chmod(0o700)
            unfinished.rename(order.data_dir)
            _sync_directory(order.data_dir.parent)
        except BaseException:
            shutil.rmtree(unfinished, ignore_errors=True)
            raise

    def _tool(self, server: EtcdVersion | None, *, must_bump: bool) -> EtcdProgram:
        tools = {program.version: program for program in self._all()}
        chosen = choose_version(list(tools), server, must_bump=must_bump)
        if chosen is None:
            raise self._missing(sorted(tools), server, must_bump=must_bump)
        return tools[chosen]

    def _all(self) -> list[EtcdProgram]:
        """Return every tool that restores: etcdctl did it up to 3.5, where etcdutl took over."""
        return [
            *(program for program in self._programs.find("etcdctl") if program.version < _FIRST_ETCDUTL),
            *self._programs.find("etcdutl"),
        ]

    def _missing(self, found: list[EtcdVersion], server: EtcdVersion | None, *, must_bump: bool) -> ToolMissing:
        line = f"{server.major}.{server.minor}" if server else "any version"
        program = "etcdctl" if server and server < _FIRST_ETCDUTL else "etcdutl"
        listed = ", ".join(map(str, found)) or "none"
        looked = ", ".join(self._programs.places) or "nowhere"
        ability = " that can raise the revision (3.4.27, 3.5.10, 3.6 and later can)" if must_bump else ""
        return ToolMissing(
            f"no {program} of {line}{ability} was found; found: {listed}; looked in: {looked}",
            subject=program,
            next_step=f"Get the newest {line} from https://github.com/etcd-io/etcd/releases, unpack it, and name its "
            "directory under tools.directories in etcd-dr.yaml (or put it on PATH).",
            context={"found": listed, "looked_in": looked, "server": str(server) if server else None},
        )


def _run(tool: EtcdProgram, order: RestoreOrder, *, into: Path, cancellation: Cancellation) -> None:
    ended = run_tool(restore_command(tool, order, data_dir=into), cancellation=cancellation)
    if ended.status != 0 or not (into / "member" / "snap" / "db").is_file():
        raise explain(ended, order=order, tool=tool, place=str(order.data_dir.parent))


def _unfinished_prefix(data_dir: Path) -> str:
    return f".{data_dir.name}.restoring-"


def _check_source(source: Path) -> None:
    if not source.is_file() or not os.access(source, os.R_OK):
        raise FileUnreadable(
            "is not a file that can be read", subject=str(source), next_step=f"Look at it: ls -l {source}"
        )


def _make_way(data_dir: Path) -> None:
    """Remove the remains of earlier calls; refuse a directory that is there."""
    if not data_dir.parent.is_dir():
        raise UsageError(
            "is not a directory", subject=str(data_dir.parent), next_step=f"Make it first: mkdir -p {data_dir.parent}"
        )
    for remains in data_dir.parent.glob(f"{_escaped(_unfinished_prefix(data_dir))}*"):
        shutil.rmtree(remains, ignore_errors=True)
    try:
        data_dir.rmdir()  # an empty one is no data
    except FileNotFoundError:
        return
    except OSError as error:
        raise UsageError(
            "exists already",
            subject=str(data_dir),
            next_step=f"Move it aside first: mv {data_dir} {data_dir}.aside",
        ) from error


def _escaped(name: str) -> str:
    return "".join(f"[{character}]" if character in "*?[" else character for character in name)


def _sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
