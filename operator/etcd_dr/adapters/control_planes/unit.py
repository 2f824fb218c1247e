"""What systemd says about a unit, and a drop-in that starts it differently.

Facts this module rests on:
- `systemctl show` prints ExecStart as `{ path=… ; argv[]=… ; …}`: specifiers are expanded there, variables are not.
- `systemctl cat` prints the unit and its drop-ins as written, each after a line `# /path`.
- An empty `ExecStart=` forgets the ones before it; of several environment files a later one wins, and files win over
  `Environment=` (systemd.service(5), systemd.exec(5)).
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from etcd_dr.adapters.control_planes.flags import EtcdSettings

PROPERTIES = "LoadState,ActiveState,SubState,MainPID,User,Group,WorkingDirectory,ExecStart,Environment,EnvironmentFiles"

_ARGV = re.compile(r"argv\[\]=(.*?) ; ignore_errors=")
_REFERENCE = re.compile(r"\$\{(\w+)\}|\$(\w+)")
_FILE = re.compile(r"(.+?) \(ignore_errors=(?:yes|no)\)")


@dataclass(frozen=True, slots=True)
class Unit:
    """A unit's properties, by systemd's names; `environment_files` in systemd's order."""

    properties: Mapping[str, str]
    environment_files: tuple[str, ...]

    @classmethod
    def parse(cls, shown: str) -> Unit:
        """Return the unit from `systemctl show`."""
        pairs = [line.partition("=")[::2] for line in shown.splitlines() if "=" in line]
        files = [_FILE.fullmatch(value) for name, value in pairs if name == "EnvironmentFiles"]
        return cls(dict(pairs), tuple(found[1] for found in files if found is not None))

    def get(self, name: str) -> str:
        return self.properties.get(name, "")

    @property
    def exists(self) -> bool:
        return self.get("LoadState") not in ("", "not-found")

    @property
    def main_pid(self) -> int:
        text = self.get("MainPID")
        return int(text) if text.isdigit() else 0

    @property
    def owner(self) -> str:
        """`user:group`, as chown takes it; empty for root."""
        return f"{self.get('User')}:{self.get('Group')}" if self.get("User") else ""

    def command(self, environment: Mapping[str, str]) -> tuple[str, ...]:
        """Return the words of the last command that it starts, variables put in."""
        found = _ARGV.findall(self.get("ExecStart"))
        words: list[str] = []
        for word in found[-1].split() if found else ():
            whole = re.fullmatch(r"\$(\w+)", word)
            if whole is not None:  # a word that is only $NAME becomes as many words as its value has
                words += shlex.split(environment.get(whole[1], ""))
            else:
                words.append(_REFERENCE.sub(lambda at: environment.get(at[1] or at[2], ""), word))
        return tuple(words)

    def settings(self, environment_files: Sequence[bytes]) -> tuple[str, EtcdSettings]:
        """Return the program and what it is started with; the files' contents come in systemd's order."""
        environment = {}
        for assignment in _split(self.get("Environment")):
            name, _, value = assignment.partition("=")
            environment[name] = value
        for content in environment_files:
            environment |= parse_environment_file(content.decode(errors="replace"))
        command = self.command(environment)
        program = command[0] if command else ""
        is_etcd = PurePosixPath(program).name == "etcd"
        problem = "" if is_etcd else f"the unit starts {program or 'nothing'}, not etcd itself"
        etcds = {name: value for name, value in environment.items() if name.startswith("ETCD_")}
        return program, EtcdSettings(command[1:] if is_etcd else (), etcds, problem=problem)


def parse_environment_file(text: str) -> dict[str, str]:
    """Return the assignments of an EnvironmentFile: comments, quotes and continued lines understood."""
    found = {}
    for line in text.replace("\\\n", "").splitlines():
        name, equals, value = line.strip().partition("=")
        if not equals or name.startswith(("#", ";")):
            continue
        value = value.strip()
        if len(value) >= 2 and value[0] == value[-1] and value[0] in "'\"":
            value = value[1:-1]
        found[name.strip()] = value
    return found


def exec_start_as_written(cat: str, *, without: str) -> str:
    """Return the last ExecStart of `systemctl cat`, as written; files whose name holds `without` do not count."""
    found, counts, section = "", True, ""
    for line in cat.replace("\\\n", " ").splitlines():
        if line.startswith("# /"):
            counts, section = without not in line, ""
        elif line.startswith("["):
            section = line.strip()
        elif counts and section == "[Service]" and line.partition("=")[0].strip() == "ExecStart":
            found = line.partition("=")[2].strip()
    return found


def joining_drop_in(exec_start: str, flags: Sequence[str], *, environment_file: str | None) -> str:
    """Return the drop-in that starts the same command with more flags, and with variables from a file."""
    lines = ["# Written by etcd-dr: etcd joins an existing cluster. `recover abort` takes it away.", "[Service]"]
    if flags:
        lines += ["ExecStart=", f"ExecStart={' '.join([exec_start, *map(_quoted, flags)])}"]
    if environment_file is not None:
        lines.append(f"EnvironmentFile={environment_file}")
    return "\n".join(lines) + "\n"


def _quoted(word: str) -> str:
    """Quote for a unit file, where % and $ mean something."""
    escaped = word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("$", "$$")
    return f'"{escaped}"'


def _split(text: str) -> list[str]:
    try:
        return shlex.split(text)
    except ValueError:
        return text.split()
