"""A kubelet for static pods, in one process: what lies in the manifests directory runs, what leaves it is stopped.

    python kubelet.py MANIFESTS_DIRECTORY STATE_DIRECTORY

- A manifest that changed is a pod that is stopped and started anew; a process that ended is started again after a
  moment. Hidden files are passed over, as the kubelet does.
- STATE_DIRECTORY/containers.json lists what was started, for the stand-in of crictl; NAME.log is a container's log.
- Its children die with it, and it with the test that started it.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import yaml

from etcd_dr.adapters.local_cluster.child import start_child

_LOOK_EVERY_SECONDS = 0.05
_BACK_OFF_SECONDS = 0.5
_GRACE_SECONDS = 10.0


class Pod:
    """One static pod with one container."""

    def __init__(self, text: bytes, state: Path) -> None:
        self.text = text
        container = yaml.safe_load(text)["spec"]["containers"][0]
        self.name = str(container["name"])
        self.command = [str(word) for part in ("command", "args") for word in container.get(part) or []]
        self.environment = {entry["name"]: entry["value"] for entry in container.get("env") or []}
        self.log = state / f"{self.name}.log"
        self.not_before = 0.0
        self.starts = 0
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def is_running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def keep_running(self) -> None:
        if self.is_running or time.monotonic() < self.not_before:
            return
        self.not_before = time.monotonic() + _BACK_OFF_SECONDS
        self.starts += 1
        self.process = start_child(self.command, log=self.log, environ={**os.environ, **self.environment})

    def stop(self) -> None:
        if self.process is None or not self.is_running:
            return
        self.process.terminate()
        try:
            self.process.wait(_GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def main(manifests: Path, state: Path) -> None:
    pods: dict[str, Pod] = {}
    told = ""
    while True:
        wanted = _wanted(manifests)
        for name in list(pods):
            if wanted.get(name) != pods[name].text:
                pods.pop(name).stop()
        for name, text in wanted.items():
            try:
                pod = pods.get(name) or Pod(text, state)
            except (yaml.YAMLError, KeyError, TypeError):
                continue  # a manifest that cannot be parsed runs nothing
            pods[name] = pod
            pod.keep_running()
        listed = json.dumps(
            [
                {"id": f"{p.name}-{p.starts}", "name": p.name, "log": str(p.log), "running": p.is_running}
                for p in pods.values()
            ]
        )
        if listed != told:
            part = state / "containers.json.part"
            part.write_text(listed)
            part.replace(state / "containers.json")
            told = listed
        time.sleep(_LOOK_EVERY_SECONDS)


def _wanted(manifests: Path) -> dict[str, bytes]:
    found = {}
    for path in sorted(manifests.iterdir()):
        if path.suffix == ".yaml" and not path.name.startswith("."):
            try:
                found[path.name] = path.read_bytes()
            except FileNotFoundError:
                continue
    return found


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    main(Path(sys.argv[1]), Path(sys.argv[2]))
