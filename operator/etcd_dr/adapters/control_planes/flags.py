"""etcd's settings, from its command line and its environment, and how it is told to join an existing cluster.

Facts this module rests on:
- Every flag can be given as ETCD_NAME_IN_CAPITALS (pkg/flags/flag.go). Given both ways etcd refuses to start
  ("conflicting environment variable is shadowed", in 3.4 to 3.7), so a setting is changed where it was made.
- A flag given twice counts as it was given last (Go's flag package).
- With --config-file everything else is ignored (etcdmain/config.go, parse), so nothing can be added.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from etcd_dr.domain.recovery.sight import Launch

_CONFIG_FILE = "config-file"
_DEFAULT_CLIENT_URL = "http://localhost:2379"
_DEFAULT_PEER_URL = "http://localhost:2380"


@dataclass(frozen=True, slots=True)
class Joining:
    """What makes etcd join: flags to add to its command line, and variables to set anew."""

    flags: tuple[str, ...]
    environment: Mapping[str, str]


class EtcdSettings:
    """What one etcd is started with; `arguments` follow the program's name."""

    def __init__(self, arguments: Sequence[str], environment: Mapping[str, str], *, problem: str = "") -> None:
        self.flags = parse_flags(arguments)
        self.environment = environment
        self._problem = problem

    def get(self, name: str) -> str | None:
        """Return a setting, None where it is not set: etcd's default then holds."""
        said = self.flags.get(name)
        return said if said is not None else self.environment.get(variable(name)) or None

    def merged(self) -> dict[str, str]:
        """Return all settings by the names of their flags, wherever they were made."""
        said = {
            name.removeprefix("ETCD_").lower().replace("_", "-"): value
            for name, value in self.environment.items()
            if name.startswith("ETCD_") and value
        }
        return said | self.flags

    def launch(self, *, data_dir: str | None = None, wal_dir: str | None = None) -> Launch:
        """Return the settings as a Launch; `data_dir` and `wal_dir` are the node's where etcd has other names."""
        name = self.get("name") or "default"
        return Launch(
            member_name=name,
            data_dir=data_dir or self.get("data-dir") or f"{name}.etcd",
            peer_urls=_urls(self.get("initial-advertise-peer-urls") or _DEFAULT_PEER_URL),
            client_urls=_urls(self.get("advertise-client-urls") or _DEFAULT_CLIENT_URL),
            wal_dir=wal_dir or self.get("wal-dir"),
            problem=self.problem,
        )

    @property
    def problem(self) -> str:
        """Why etcd cannot be started differently, empty where it can."""
        if self.get(_CONFIG_FILE):
            return f"--config-file {self.get(_CONFIG_FILE)} takes precedence over every flag"
        return self._problem

    def joining(self, members: Mapping[str, Sequence[str]]) -> Joining:
        """Return what makes it join these members (name to peer URLs, its own included)."""
        cluster = ",".join(f"{name}={url}" for name, urls in members.items() for url in urls)
        flags: list[str] = []
        environment: dict[str, str] = {}
        for name, value in (("initial-cluster", cluster), ("initial-cluster-state", "existing")):
            if name not in self.flags and variable(name) in self.environment:
                environment[variable(name)] = value
            else:
                flags.append(f"--{name}={value}")
        return Joining(tuple(flags), environment)


def parse_flags(arguments: Sequence[str]) -> dict[str, str]:
    """Return flags by name: `--name=v`, `--name v`, `-name v`, and `--name` alone, which is "true"."""
    flags: dict[str, str] = {}
    waiting: str | None = None
    for argument in arguments:
        if argument.startswith("-") and argument.strip("-"):
            name, equals, value = argument.lstrip("-").partition("=")
            flags[name] = value if equals else "true"
            waiting = None if equals else name
        elif waiting is not None:
            flags[waiting], waiting = argument, None
    return flags


def variable(flag: str) -> str:
    """Return the environment variable of a flag."""
    return "ETCD_" + flag.upper().replace("-", "_")


def _urls(text: str) -> tuple[str, ...]:
    return tuple(url.strip() for url in text.split(",") if url.strip())
