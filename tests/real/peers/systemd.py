"""A systemd for a few units, in one process, and what answers `systemctl` and `journalctl` over a socket.

    python systemd.py UNITS_DIRECTORY STATE_DIRECTORY

As the real one:
- Unit files and drop-ins count as they were at the start or at the last daemon-reload, not as they are on the disk.
- An assertion that does not hold fails the start and leaves the unit down; `stop` ends automatic restarts.
- `show` expands specifiers and no variables; in a command `$NAME` is several words, `${NAME}` is one, `%%` is a
  percent sign. Environment files win over Environment=, later ones over earlier ones.
Its children die with it, and it with the test that started it.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import socketserver
import subprocess
import sys
import threading
import time
from pathlib import Path

from etcd_dr.adapters.local_cluster.child import start_child
from etcd_dr.adapters.process_table import command_line

_RESTART_SECONDS = 0.3
_STOP_SECONDS = 10.0


class Unit:
    """One loaded unit and its process."""

    def __init__(self, name: str, state: Path) -> None:
        self.name = name
        self.log = state / f"{name}.log"
        self.lines: dict[str, list[str]] = {}
        self.state = "inactive"
        self.is_wanted = False
        self.process: subprocess.Popen[bytes] | None = None
        self._begins = threading.Lock()  # by hand and by itself at once would be two processes, one of them nobody's

    def load(self, directory: Path) -> None:
        """Read the files anew; until then the old lines count, for restarts as well."""
        file = directory / self.name
        lines: dict[str, list[str]] = {}
        if not file.is_file():
            self.lines = lines
            return
        for path in [file, *sorted((directory / f"{self.name}.d").glob("*.conf"))]:
            for line in path.read_text().replace("\\\n", " ").splitlines():
                key, equals, value = line.partition("=")
                if not equals or line.startswith(("#", ";")):
                    continue
                values = lines.setdefault(key.strip(), [])
                if value.strip():
                    values.append(value.strip())
                else:
                    values.clear()
        self.lines = lines

    @property
    def main_pid(self) -> int:
        return self.process.pid if self.process is not None and self.process.poll() is None else 0

    def last(self, key: str) -> str:
        return (self.lines.get(key) or [""])[-1]

    def environment(self) -> dict[str, str]:
        found: dict[str, str] = {}
        for line in self.lines.get("Environment", []):
            for word in shlex.split(line):
                name, _, value = word.partition("=")
                found[name] = value
        for entry in self.lines.get("EnvironmentFile", []):
            path = Path(entry.removeprefix("-"))
            if path.is_file():
                for line in path.read_text().splitlines():
                    name, equals, value = line.partition("=")
                    if equals and not name.startswith("#"):
                        found[name.strip()] = value.strip().strip('"')
        return found

    def command(self) -> list[str]:
        environment = self.environment()
        words: list[str] = []
        for word in shlex.split(self.last("ExecStart")):
            whole = re.fullmatch(r"\$(\w+)", word)
            if whole:
                words += shlex.split(environment.get(whole[1], ""))
            else:
                put_in = re.sub(r"\$\{(\w+)\}", lambda at: environment.get(at[1], ""), word)
                words.append(put_in.replace("$$", "$").replace("%%", "%"))
        return words

    def start(self, *, again: bool = False) -> None:
        """Start it unless it runs; `again` only if nobody has stopped it since it ended."""
        with self._begins:
            if not self.main_pid and (self.is_wanted or not again):
                self._start()

    def _start(self) -> None:
        for path in self.lines.get("AssertPathExists", []):
            if not Path(path).exists():
                with self.log.open("a") as log:
                    log.write(f"Starting requested but asserts failed: {path}\n")
                return
        self.is_wanted, self.state = True, "active"
        environ = {"PATH": os.environ.get("PATH", ""), **self.environment()}
        command = self.command()
        process = start_child(command, log=self.log, environ=environ)
        while process.poll() is None and command_line(process.pid)[:1] != (command[0],):
            time.sleep(0.005)  # until then it is the starter's helper, and no main process
        self.process = process

    def stop(self) -> None:
        with self._begins:
            self.is_wanted = False
        if self.process is not None and self.main_pid:
            self.state = "deactivating"
            self.process.terminate()
            try:
                self.process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.state = "inactive"

    def look_after(self) -> None:
        """Notice an end, and start again where the unit says so."""
        with self._begins:
            if not self.is_wanted or self.main_pid or self.process is None:
                return
            if self.last("Restart") not in ("always", "on-failure"):
                self.is_wanted, self.state = False, "failed" if self.process.returncode else "inactive"
                return
            self.state = "activating"
        time.sleep(_RESTART_SECONDS)
        self.start(again=True)


class Manager:
    def __init__(self, directory: Path, state: Path) -> None:
        self._directory, self._state = directory, state
        self._units: dict[str, Unit] = {}
        self.reload()

    def reload(self) -> None:
        for file in self._directory.glob("*.service"):
            unit = self._units.setdefault(file.name, Unit(file.name, self._state))
            unit.load(self._directory)

    def look_after_all(self) -> None:
        while True:
            for unit in list(self._units.values()):
                unit.look_after()
            time.sleep(0.05)

    def answer(self, words: list[str]) -> tuple[int, str]:
        program, *rest = words
        names = [word for word in rest if word.endswith(".service")]
        if program == "journalctl":
            unit = self._units.get(names[0])
            count = int(rest[rest.index("-n") + 1])
            lines = unit.log.read_text(errors="replace").splitlines() if unit and unit.log.exists() else []
            return 0, "\n".join(lines[-count:]) + "\n"
        verb = rest[0]
        if verb == "daemon-reload":
            self.reload()
            return 0, ""
        unit = self._units.get(names[0])
        if verb == "show":
            return 0, self._show(unit, rest)
        if unit is None:
            return 5, f"Unit {names[0]} not found.\n"
        if verb == "cat":
            files = [self._directory / unit.name, *sorted((self._directory / f"{unit.name}.d").glob("*.conf"))]
            return 0, "\n".join(f"# {file}\n{file.read_text()}" for file in files)
        if verb == "kill":
            if unit.process is not None and unit.main_pid:
                unit.process.kill()
            return 0, ""
        if verb == "reset-failed":
            unit.state = "inactive" if unit.state == "failed" else unit.state
            return 0, ""
        work = {"start": unit.start, "stop": unit.stop}[verb]
        if "--no-block" in rest:
            threading.Thread(target=work, daemon=True).start()
        else:
            work()
        return 0, ""

    def _show(self, unit: Unit | None, words: list[str]) -> str:
        wanted = words[words.index("-p") + 1].split(",")
        said: dict[str, list[str]] = {"LoadState": ["not-found"], "ActiveState": ["inactive"], "MainPID": ["0"]}
        if unit is not None:
            command = " ".join(shlex.split(unit.last("ExecStart").replace("$$", "$").replace("%%", "%")))
            program = command.partition(" ")[0]
            said = {
                "LoadState": ["loaded"],
                "ActiveState": [unit.state],
                "MainPID": [str(unit.main_pid)],
                "User": [unit.last("User")],
                "Group": [unit.last("Group")],
                "WorkingDirectory": [unit.last("WorkingDirectory")],
                "ExecStart": [f"{{ path={program} ; argv[]={command} ; ignore_errors=no ; start_time=[n/a] ; pid=0 }}"],
                "Environment": [" ".join(unit.lines.get("Environment", []))],
                "EnvironmentFiles": [
                    f"{entry.removeprefix('-')} (ignore_errors={'yes' if entry.startswith('-') else 'no'})"
                    for entry in unit.lines.get("EnvironmentFile", [])
                ],
            }
        if "--value" in words:
            return "".join(f"{value}\n" for name in wanted for value in said.get(name, []))
        return "".join(f"{name}={value}\n" for name in wanted for value in said.get(name, []))


def serve(directory: Path, state: Path) -> None:
    manager = Manager(directory, state)
    threading.Thread(target=manager.look_after_all, daemon=True).start()

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            status, text = manager.answer(json.loads(self.rfile.readline()))
            self.wfile.write(json.dumps([status, text]).encode() + b"\n")

    with socketserver.ThreadingUnixStreamServer(str(state / "systemd.sock"), Handler) as server:
        server.daemon_threads = True
        server.serve_forever(poll_interval=0.5)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    serve(Path(sys.argv[1]), Path(sys.argv[2]))
