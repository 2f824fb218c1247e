"""The chart as helm renders it, for the tests that look at it."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

PROJECT = Path(__file__).resolve().parents[2]
CHART = PROJECT / "charts" / "etcd-dr"
EXAMPLES = {path.stem: path for path in sorted((PROJECT / "deploy" / "examples").glob("*.yaml"))}
EVERYTHING = PROJECT / "tests" / "real" / "chart" / "everything.yaml"
MONITORING = ("--api-versions", "monitoring.coreos.com/v1")

Manifest = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Chart:
    """helm, offline and in a home of its own."""

    helm: Path
    home: Path

    def run(self, *words: str | Path) -> subprocess.CompletedProcess[str]:
        """Run helm, whatever comes of it."""
        environ = {"HOME": str(self.home), "PATH": ""}
        return subprocess.run([self.helm, *words], capture_output=True, text=True, check=False, timeout=60, env=environ)

    def template(
        self, values: Path, *words: str | Path, said: Mapping[str, Any] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run `helm template` with a values file; `said` is put over it, as `--set-json` has it."""
        told = [word for key, value in (said or {}).items() for word in ("--set-json", f"{key}={json.dumps(value)}")]
        return self.run("template", "release", CHART, "--namespace", "etcd-dr", "--values", values, *told, *words)

    def rendered(
        self, values: Path, *words: str | Path, said: Mapping[str, Any] | None = None
    ) -> dict[str, list[Manifest]]:
        """Return the manifests by kind, on a cluster with the Prometheus operator."""
        done = self.template(values, *MONITORING, *words, said=said)
        assert done.returncode == 0, done.stderr
        found: dict[str, list[Manifest]] = {}
        for manifest in manifests(done.stdout):
            found.setdefault(manifest["kind"], []).append(manifest)
        return found

    def complaint(self, values: Path, said: Mapping[str, Any]) -> str:
        """Return why the chart refuses these values."""
        done = self.template(values, said=said)
        assert done.returncode != 0, "nothing was refused"
        return done.stderr


def manifests(text: str) -> Iterator[Manifest]:
    """Return the documents of a rendering."""
    yield from (document for document in yaml.safe_load_all(text) if document)


def pods(found: Mapping[str, list[Manifest]]) -> dict[str, Manifest]:
    """Return the specification of every pod that a rendering makes, by what makes it."""
    [deployment] = found["Deployment"]
    tests = {f"Pod {each['metadata']['name']}": each["spec"] for each in found.get("Pod", [])}
    return {f"Deployment {deployment['metadata']['name']}": deployment["spec"]["template"]["spec"], **tests}
