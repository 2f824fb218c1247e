"""A Talos double, a configuration for it, and the program: what the tests of recoveries on Talos share."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from real.peers.talos import Machine, TalosDouble
from scenarios.command_line import CommandLine, Done

TREASURE = b"treasure"


@dataclass
class Site:
    """`cluster` overrides the cluster's section of the configuration."""

    double: TalosDouble
    directory: Path
    cluster: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        config = self.double.talosconfig("recovery")
        self.cluster = {
            "name": "prod",
            "store": "here",
            "talos": {"config_file": str(config), "nodes": list(self.double.addresses)},
        } | self.cluster
        self._command = CommandLine(self.directory)

    def __call__(self, *words: object, stdin: str | None = None) -> Done:
        settings = {
            "clusters": [self.cluster],
            "stores": [{"name": "here", "directory": {"path": str(self.directory / "store")}}],
            "encryption": {"enabled": False},
            "scratch_dir": str(self.directory),
            "state_dir": str(self.directory / "state"),
            "tools": {"directories": [str(Path(self.double.settings.binaries.etcdutl or "").parent)]},
        }
        (self.directory / "etcd-dr.yaml").write_text(yaml.safe_dump(settings))
        return self._command(*words, "--config", self.directory / "etcd-dr.yaml", stdin=stdin)

    def save(self) -> None:
        """Write a key, and take a snapshot that has it."""
        self.double.put(b"/kept", TREASURE)
        done = self("snapshot", "save")
        assert done.status == 0, done.err

    def lose(self, *machines: Machine) -> None:
        """Empty these machines' disks, all of them where none is named, and wait until their etcd waits."""
        lost = machines or tuple(self.double.machines)
        for machine in lost:
            self.double.switch_off(machine)  # or the first one joins again through the last one
        for machine in lost:
            self.double.lose_data(machine)
        for machine in lost:
            self.double.wait_for_state(machine, "Preparing")

    def plan(self, *words: object) -> dict[str, Any]:
        """Make a plan, keep it as plan.json, and return it."""
        done = self("recover", "plan", "-o", "json", *words)
        assert done.status == 0, done.err
        self.plan_file.write_text(done.out)
        return dict(json.loads(done.out))

    def run(self) -> Done:
        """Carry out the plan that was made last."""
        return self("recover", "run", "--plan", self.plan_file, "--yes", "-o", "json")

    def resume(self, *words: object) -> Done:
        return self("recover", "resume", "-o", "json", *words)

    @property
    def plan_file(self) -> Path:
        return self.directory / "plan.json"

    def has_begun(self, kind: str) -> bool:
        """Whether the journal of a recovery says that a step of this kind was begun."""
        entries = self.directory.glob("store/v1/prod/recoveries/*/journal/*.json")
        return any(f"-{kind}-" in text or f'-{kind}"' in text for text in (path.read_text() for path in entries))

    def has_the_treasure(self) -> bool:
        """Whether every machine has what was saved, and votes."""
        found = [self.double.get(b"/kept", machine=machine) for machine in self.double.control_planes]
        members = self.double.members()
        is_whole = len(members) == len(self.double.control_planes) and not any(m.isLearner for m in members)
        return is_whole and set(found) == {TREASURE}


def kinds(plan: dict[str, Any]) -> list[str]:
    """Return the kinds of a plan's steps, in order."""
    return [step["kind"] for step in plan["steps"]]


def verification(done: Done) -> dict[str, Any]:
    """Return what the verification found out, from the outcome of a run."""
    found: dict[str, Any] = done.document["report"]["verification"]
    return found
