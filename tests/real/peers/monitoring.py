"""A real Prometheus and a real Alertmanager on loopback, fast: every second a scrape, a judgement, a delivery."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import time
import urllib.parse
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import yaml

from etcd_dr.adapters.local_cluster.child import free_ports, start_child

_DEADLINE_SECONDS = 60
# Debian's Alertmanager reads its templates from here, also when a webhook needs none.
_TEMPLATES = re.compile(rb"/usr/share/prometheus/alertmanager(?!/)")


class _Server:
    """A program that says over HTTP when it is ready."""

    def __init__(self, directory: Path, name: str) -> None:
        self.directory = directory / name
        self.directory.mkdir()
        [self.port] = free_ports(1)
        self.log_file = self.directory / "log"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def get(self, path: str) -> Any:
        with urllib.request.urlopen(f"http://{self.address}{path}", timeout=10) as response:
            return json.loads(response.read())

    def run(self, *command: str | Path) -> None:
        self._process = start_child(["env", f"--chdir={self.directory}", *command], log=self.log_file)
        end = time.monotonic() + _DEADLINE_SECONDS
        while not self._is_ready():
            assert self._process.poll() is None, self.log_file.read_text()[-3000:]
            assert time.monotonic() < end, self.log_file.read_text()[-3000:]
            time.sleep(0.05)

    def _is_ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"http://{self.address}/-/ready", timeout=2) as response:
                return bool(response.status == 200)
        except OSError:
            return False

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(10)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()


class Alertmanager(_Server):
    """Hands every alert to one webhook at once, and its end too."""

    def __init__(self, program: Path, directory: Path, *, webhook: str) -> None:
        super().__init__(directory, "alertmanager")
        self._program = _with_templates_beside(program, self.directory)
        self._config = self.directory / "alertmanager.yaml"
        route = {"receiver": "hook", "group_by": ["..."], "group_wait": "0s", "group_interval": "1s"}
        receiver = {"name": "hook", "webhook_configs": [{"url": webhook, "send_resolved": True}]}
        self._config.write_text(
            yaml.safe_dump({"global": {"resolve_timeout": "30s"}, "route": route, "receivers": [receiver]})
        )

    def __enter__(self) -> Self:
        self.run(
            self._program,
            f"--config.file={self._config}",
            f"--storage.path={self.directory / 'data'}",
            f"--web.listen-address={self.address}",
            "--cluster.listen-address=",
        )
        return self


class Prometheus(_Server):
    """Scrapes its targets, judges the rules, and tells an Alertmanager."""

    def __init__(
        self,
        program: Path,
        directory: Path,
        *,
        targets: list[str],
        rules: Mapping[str, Any],
        alertmanager: Alertmanager,
    ) -> None:
        super().__init__(directory, "prometheus")
        self._program = program
        (self.directory / "rules.yaml").write_text(yaml.safe_dump(dict(rules)))
        self._config = self.directory / "prometheus.yaml"
        managers = [{"static_configs": [{"targets": [alertmanager.address]}]}]
        self._config.write_text(
            yaml.safe_dump(
                {
                    "global": {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"},
                    "rule_files": [str(self.directory / "rules.yaml")],
                    "alerting": {"alertmanagers": managers},
                    "scrape_configs": [{"job_name": "etcd-dr", "static_configs": [{"targets": targets}]}],
                }
            )
        )

    def __enter__(self) -> Self:
        self.run(
            self._program,
            f"--config.file={self._config}",
            f"--storage.tsdb.path={self.directory / 'data'}",
            f"--web.listen-address={self.address}",
        )
        return self

    def query(self, expression: str) -> list[Any]:
        """Return what an expression gives now."""
        found = self.get(f"/api/v1/query?{urllib.parse.urlencode({'query': expression})}")["data"]["result"]
        return list(found)


def _with_templates_beside(program: Path, directory: Path) -> Path:
    """Return a program that finds its templates on this machine: a copy that looks below its working directory, if need
    be. The place is a constant in the program, so another one must be as long as it."""
    content = program.read_bytes()
    if _TEMPLATES.search(content) is None or Path("/usr/share/prometheus/alertmanager").is_dir():
        return program
    (directory / "template").mkdir()
    for name in ("default.tmpl", "email.tmpl"):
        (directory / "template" / name).touch()
    copy = directory / "alertmanager"
    copy.write_bytes(_TEMPLATES.sub(b"./" * 13 + b"template", content))
    copy.chmod(0o755)
    return copy
