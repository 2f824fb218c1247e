"""A real cluster on local nodes as the recover commands see it: a configuration file, a store, and what befalls it."""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pexpect

from etcd_dr.adapters.local_cluster import LocalCluster
from etcd_dr.adapters.process_table import find_process, runs_etcd_on
from real.etcd_command_line import command_line
from scenarios.command_line import CommandLine

_PROGRAM = (sys.executable, "-m", "etcd_dr.entrypoints.cli")

# It gives up after two minutes: nobody ends what is held by a run that was killed.
_WAITING_ETCD = """\
#!/bin/sh
left=1200
while [ "$1" != --version ] && [ -e {gate} ]; do
  left=$((left - 1))
  if [ "$left" = 0 ]; then exit 1; fi
  sleep 0.1
done
exec {etcd} "$@"
"""


class Conversation(pexpect.spawn):  # type: ignore[type-arg]  # a class is no generic one at run time
    """A program at a terminal, which says how it ended where it ended before its time."""

    def expect(self, pattern: Any, *words: Any, **options: Any) -> int:
        try:
            return int(super().expect(pattern, *words, **options))
        except pexpect.EOF as ended:
            said = self.before
            self.close()
            how = f"status {self.exitstatus}, signal {self.signalstatus}"
            raise AssertionError(f"it ended ({how}) before it said {pattern!r}; its last words: {said!r}") from ended


class Nodes:
    """A cluster on local nodes with a configuration file, and what happens to it."""

    def __init__(self, cluster: LocalCluster, directory: Path, *, encryption: dict[str, Any] | None = None) -> None:
        self.cluster = cluster
        self.directory = directory
        self.cli: CommandLine = command_line(cluster, directory)
        tls = cluster.client_tls
        document = {
            "clusters": [
                {
                    "name": "prod",
                    "store": "here",
                    "etcd": {
                        "endpoints": list(cluster.endpoints),
                        "cacert": str(tls.ca),
                        "cert": str(tls.certificate),
                        "key": str(tls.key),
                    },
                    "control_plane": {
                        "platform": "local",
                        "local": {"root": str(cluster.describe_nodes(directory / "nodes"))},
                    },
                }
            ],
            "stores": [{"name": "here", "directory": {"path": str(directory / "store")}}],
            "encryption": encryption or {"enabled": False},
            "tools": {"directories": [str(cluster.binaries.etcd.parent)]},
            "state_dir": str(directory / "state"),
        }
        self.document: dict[str, Any] = document
        self.write()
        self.cli.environment.clear()
        self.cli.environment["PATH"] = os.environ["PATH"]

    def write(self) -> None:
        """Write the configuration file; JSON is YAML, and needs no library to be written."""
        (self.directory / "etcd-dr.yaml").write_text(json.dumps(self.document))

    def plan(self, *words: str) -> Path:
        """Make a plan and return its file."""
        done = self.cli("recover", "plan", *words, "-o", "json")
        assert done.status == 0, done.err
        path = self.directory / "plan.json"
        path.write_text(done.out)
        return path

    def fill_and_save(self) -> None:
        with self.cluster.gateway() as gateway:
            for number in range(50):
                gateway.put_through(b"/registry/%d" % number, b"v" * 100)
        assert self.cli("snapshot", "save").status == 0

    def wipe(self, *names: str) -> None:
        for name in names:
            self.cluster.member(name).wipe()

    @contextlib.contextmanager
    def held_at_start(self, name: str) -> Iterator[None]:
        """Hold a run where it starts this member's etcd; what was held there has become etcd afterwards."""
        described, gate = self.directory / "nodes" / name / "node.json", self.directory / f"{name}-waits"
        node, program = json.loads(described.read_text()), self.directory / f"{name}-etcd"
        etcd = str(self.cluster.binaries.etcd)
        program.write_text(_WAITING_ETCD.format(gate=shlex.quote(str(gate)), etcd=shlex.quote(etcd)))
        program.chmod(0o755)
        gate.touch()
        described.write_text(json.dumps({**node, "etcd": [str(program), *node["etcd"][1:]]}))
        try:
            yield
        finally:
            gate.unlink()
            while (held := find_process(lambda words: words[1:2] == (str(program),))) is not None:
                held.close()
                time.sleep(0.02)

    def spawn(self, *words: str, term: str = "dumb") -> pexpect.spawn[str]:
        environment = {**os.environ, "TERM": term}
        return Conversation(
            _PROGRAM[0],
            [*_PROGRAM[1:], *words],
            cwd=str(self.directory),
            env=environment,
            encoding="utf-8",
            timeout=120,
            dimensions=(40, 80),
        )

    def is_running(self, name: str) -> bool:
        found = find_process(runs_etcd_on(self.cluster.member(name).data_dir))
        if found is not None:
            found.close()
        return found is not None
