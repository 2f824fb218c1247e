"""etcd as a plain process of this machine, described by `node.json` in the node's directory.

    {"etcd": ["/usr/bin/etcd", "--name=m1", ...], "environment": {}, "log": "/.../m1.log",
     "writers": [{"name": "kube-apiserver", "command": ["/usr/bin/…", ...]}]}

- etcd is known by the data directory on its command line, a writer by its whole command line, which must be its own.
- What was started sees the environment of `node.json`, PATH, HOME and TMPDIR. It outlives the command, unless a starter
  was given that binds it to the caller (the demo's does).
- `etcd-dr-<recovery id>.json` beside `node.json` remembers what ran before; `joining.json`, that etcd is started to
  join. Both are written whole, by renaming.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from etcd_dr.adapters.control_planes.call import remaining
from etcd_dr.adapters.control_planes.flags import EtcdSettings
from etcd_dr.adapters.control_planes.service import LOG_LINES, ServiceSight
from etcd_dr.adapters.control_planes.shell import Shell
from etcd_dr.adapters.process_table import Matches, find_process, runs_etcd_on
from etcd_dr.domain.recovery.sight import Launch, ProcessState, Writer
from etcd_dr.errors import Cancelled, ConfigError, NodeError, NodeFault
from etcd_dr.ports.cancellation import Cancellation

Starter = Callable[[Sequence[str], Path, Mapping[str, str]], subprocess.Popen[bytes]]
"""Starts a program with its whole environment; what it prints is appended to the log."""

_LOOK_EVERY_SECONDS = 0.05
_LOG_BYTES = 1 << 16
# Not ours to hand on: credentials for the store, and ETCD_… variables, which etcd would take for its own.
_INHERITED = ("PATH", "HOME", "TMPDIR")


@dataclass(frozen=True, slots=True)
class NodeFile:
    """What `node.json` says."""

    etcd: tuple[str, ...]
    log: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    writers: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @classmethod
    def read(cls, path: Path) -> NodeFile:
        """Raises ConfigError where it cannot be read or is not one."""
        try:
            said = json.loads(path.read_bytes())
            return cls(
                etcd=tuple(map(str, said["etcd"])),
                log=Path(said["log"]),
                environment={str(name): str(value) for name, value in said.get("environment", {}).items()},
                writers={str(each["name"]): tuple(map(str, each["command"])) for each in said.get("writers", [])},
            )
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise ConfigError(
                f"cannot be used: {type(error).__name__}: {error}",
                subject=str(path),
                next_step="See what it must hold: etcd-dr docs control-planes",
            ) from error

    def settings(self) -> EtcdSettings:
        return EtcdSettings(self.etcd[1:], {n: v for n, v in self.environment.items() if n.startswith("ETCD_")})


class LocalProcessService:
    """Implements EtcdService for one node directory; `start` defaults to a process of its own session."""

    def __init__(
        self,
        directory: Path,
        *,
        shell: Shell,
        cancellation: Cancellation,
        start: Starter | None = None,
    ) -> None:
        self._directory = directory
        self._shell = shell
        self._cancellation = cancellation
        self._start = start or start_detached
        self._versions: dict[tuple[str, int, int, int], str] = {}

    def look(self, *, until: float) -> ServiceSight:
        node = self._node()
        launch = node.settings().launch()
        writers = tuple(Writer(name, _runs(_exactly(command))) for name, command in node.writers.items())
        return ServiceSight(
            process=ProcessState.RUNNING if _runs(runs_etcd_on(launch.data_dir)) else ProcessState.STOPPED,
            launch=launch,
            writers=writers,
            version=self._version(node, until=until),
            log_tail=_tail(node.log),
        )

    def launch(self, *, until: float) -> tuple[Launch | None, str]:
        del until
        return self._node().settings().launch(), ""

    def fence_writers(self, *, recovery_id: str, until: float) -> tuple[str, ...]:
        node = self._node()
        names = [name for name, command in node.writers.items() if _runs(_exactly(command))]
        ran = self._remember(recovery_id, "writers", names)
        for name, command in node.writers.items():
            self._end(_exactly(command), called=name, until=until)
        return tuple(ran)

    def lift_fence(self, *, recovery_id: str, until: float) -> tuple[str, ...]:
        node = self._node()
        names = tuple(reversed(self._remembered(recovery_id).get("writers", [])))
        for name in names:
            command = node.writers.get(name)
            if command is not None and not _runs(_exactly(command)):
                log = node.log.with_name(f"{node.log.stem}-{name}.log")
                self._begin(command, log, node, is_there=_exactly(command), until=until)
        return names

    def stop(self, *, recovery_id: str, until: float) -> bool:
        matches = runs_etcd_on(self._node().settings().launch().data_dir)
        ran = self._remember(recovery_id, "etcd_ran", _runs(matches))
        self._end(matches, called="etcd", until=until)
        return bool(ran)

    def start(self, *, recovery_id: str, joins: Mapping[str, Sequence[str]] | None, until: float) -> None:
        node = self._node()
        launch = node.settings().launch()
        matches = runs_etcd_on(launch.data_dir)
        if _runs(matches):
            return
        if joins is not None:
            if launch.problem:
                raise NodeFault(f"etcd cannot be started to join: {launch.problem}", subject=self._shell.node)
            members = {name: list(urls) for name, urls in joins.items()}
            _write_json(self._joining, {"recovery_id": recovery_id, "members": members})
        command, environment = list(node.etcd), dict(node.environment)
        joining = _read_json(self._joining)
        if joining:
            how = node.settings().joining(joining["members"])
            command += how.flags
            environment |= how.environment
        self._begin(command, node.log, node, is_there=matches, until=until, environment=environment)

    def restore_launch(self, *, recovery_id: str, until: float) -> None:
        del until
        if _read_json(self._joining).get("recovery_id") == recovery_id:
            self._joining.rename(self._directory / f"joined-{recovery_id}.json")

    @property
    def _joining(self) -> Path:
        return self._directory / "joining.json"

    def _node(self) -> NodeFile:
        return NodeFile.read(self._directory / "node.json")

    def _note(self, recovery_id: str) -> Path:
        return self._directory / f"etcd-dr-{recovery_id}.json"

    def _remembered(self, recovery_id: str) -> dict[str, Any]:
        return _read_json(self._note(recovery_id))

    def _remember(self, recovery_id: str, name: str, value: Any) -> Any:
        """Note what was found the first time, and return what was noted then."""
        known = self._remembered(recovery_id)
        if name not in known:
            known[name] = value
            _write_json(self._note(recovery_id), known)
        return known[name]

    def _end(self, matches: Matches, *, called: str, until: float) -> None:
        while (process := find_process(matches)) is not None:
            with process:
                is_gone = process.end(until=until, check=self._check_wish)
            if not is_gone:
                raise NodeFault(f"{called} does not end, not even when it is killed", subject=self._shell.node)
            if time.monotonic() >= until:
                raise NodeFault(
                    f"{called} was ended, and something starts it again",
                    subject=self._shell.node,
                    next_step="Find what does, such as a unit or a supervisor, and stop that first.",
                )

    def _begin(
        self,
        command: Sequence[str],
        log: Path,
        node: NodeFile,
        *,
        is_there: Matches,
        until: float,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        inherited = {name: os.environ[name] for name in _INHERITED if name in os.environ}
        whole = {**inherited, **(node.environment if environment is None else environment)}
        try:
            child = self._start(command, log, whole)
        except OSError as error:
            raise NodeFault(f"{command[0]} cannot be started: {error}", subject=self._shell.node) from error
        while not _runs(is_there):
            self._check_wish()
            if child.poll() is not None or time.monotonic() >= until:
                raise NodeFault(
                    f"{Path(command[0]).name} ended as soon as it was started",
                    subject=self._shell.node,
                    next_step=f"Read its log: tail {log}",
                    context={"said": "\n".join(_tail(log)[-10:])},
                )
            time.sleep(_LOOK_EVERY_SECONDS)

    def _check_wish(self) -> None:
        if self._cancellation.is_cancelled:
            raise Cancelled("stopped on request", context={"reason": self._cancellation.reason})

    def _version(self, node: NodeFile, *, until: float) -> str | None:
        """Ask the program once for as long as its file is the same: every look at the node wants to know."""
        file = _file_of(node.etcd[0])
        if file in self._versions:
            return self._versions[file]
        try:
            said = self._shell.run('"$1" --version', node.etcd[0], deadline=remaining(until)).output.decode()
        except NodeError:
            return None
        version = said.partition("\n")[0].rpartition(" ")[2].strip()
        if version and file is not None:
            self._versions[file] = version
        return version or None


def start_detached(command: Sequence[str], log: Path, environ: Mapping[str, str]) -> subprocess.Popen[bytes]:
    """Start a program that outlives this one, in a session of its own."""
    with log.open("ab") as output:
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=dict(environ),
            start_new_session=True,
        )


def _runs(matches: Matches) -> bool:
    process = find_process(matches)
    if process is None:
        return False
    process.close()
    return True


def _exactly(command: Sequence[str]) -> Matches:
    return lambda found: tuple(found) == tuple(command)


def _file_of(program: str) -> tuple[str, int, int, int] | None:
    """Return what changes when the program is replaced; None for one that is looked for in PATH."""
    path = Path(program)
    try:
        facts = path.stat() if path.is_absolute() else None
    except OSError:
        return None
    return (program, facts.st_ino, facts.st_size, facts.st_mtime_ns) if facts is not None else None


def _tail(log: Path) -> tuple[str, ...]:
    try:
        with log.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(max(0, size - _LOG_BYTES))
            return tuple(file.read().decode(errors="replace").splitlines()[-LOG_LINES:])
    except OSError:
        return ()


def _read_json(path: Path) -> dict[str, Any]:
    with contextlib.suppress(FileNotFoundError, ValueError):
        said = json.loads(path.read_bytes())
        return said if isinstance(said, dict) else {}
    return {}


def _write_json(path: Path, value: Mapping[str, Any]) -> None:
    part = path.with_name(path.name + ".part")
    with part.open("w") as file:
        json.dump(value, file)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)
