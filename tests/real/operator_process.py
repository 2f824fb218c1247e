"""The operator as a process of its own, with its log and its answers over HTTP."""

from __future__ import annotations

import json
import signal
import sys
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from etcd_dr.adapters.local_cluster.child import start_child

DEADLINE_SECONDS = 60


class OperatorUnderTest:
    """One running `etcd-dr operator` with its log."""

    def __init__(self, directory: Path, config: dict[str, Any]) -> None:
        self.directory = directory
        self.config_file = directory / "etcd-dr.yaml"
        self.config_file.write_text(yaml.safe_dump(config))
        self.log_file = directory / "operator.log"
        command = Path(sys.executable).with_name("etcd-dr")
        self.process = start_child([command, "operator", "--config", self.config_file], log=self.log_file)

    @property
    def events(self) -> list[dict[str, object]]:
        whole_lines, _, _ = self.log_file.read_text().rpartition("\n")  # the last one may be on its way
        return [json.loads(line) for line in whole_lines.splitlines()]

    def of(self, event: str) -> list[dict[str, object]]:
        return [told for told in self.events if told["event"] == event]

    def wait_for(
        self, condition: Callable[[], object], what: str, *, seconds: float = DEADLINE_SECONDS, every: float = 0.05
    ) -> None:
        """Look again every so many seconds until the condition holds, or fail with the log."""
        end = time.monotonic() + seconds
        while not condition():
            assert self.process.poll() is None, f"the operator ended: {self.log_file.read_text()[-3000:]}"
            assert time.monotonic() < end, f"no {what}: {self.log_file.read_text()[-3000:]}"
            time.sleep(every)

    def get(self, path: str) -> str:
        self.wait_for(lambda: self.of("operator.started"), "start")  # its first jobs may be through before it says so
        address = self.of("operator.started")[0]["listen"]
        with urllib.request.urlopen(f"http://{address}{path}", timeout=30) as response:
            return response.read().decode()

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=40)
