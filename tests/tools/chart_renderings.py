"""`python -m tools.chart_renderings`: render the chart into deploy/manifests, and into the golden file of its tests.

Every example of deploy/examples becomes a plain manifest; tests/real/chart/everything.yaml becomes the golden rendering
beside it. Tests fail when one of them is not what the chart gives today, so a change of the chart shows in review as
what it changes in clusters. It needs `make tools` (helm).
"""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_PROJECT = Path(__file__).resolve().parents[2]
CHART = _PROJECT / "charts" / "etcd-dr"
_NAMESPACES = {"kubeadm": "kube-system", "kubeadm-host-certificates": "kube-system"}
# Nothing may change with the release of helm that renders.
_KUBERNETES = "1.31.0"
_APIS = ("monitoring.coreos.com/v1",)
_HEADER = """\
# Made from {values} by `python -m tools.chart_renderings`; change it there, or render your own:
#
#   helm template etcd-dr charts/etcd-dr --no-hooks -n {namespace} -f VALUES --api-versions monitoring.coreos.com/v1
"""


@dataclass(frozen=True, slots=True)
class Rendering:
    """One values file and the manifest that is made of it."""

    values: Path
    manifest: Path
    namespace: str

    def text(self, helm: Path) -> str:
        """Return the manifest as the chart gives it today."""
        named = self.values.relative_to(_PROJECT)
        return _HEADER.format(values=named, namespace=self.namespace) + self._rendered(helm)

    def _rendered(self, helm: Path) -> str:
        command = ["template", "etcd-dr", CHART, "--no-hooks", "--namespace", self.namespace, "--values", self.values]
        command += ["--kube-version", _KUBERNETES, *(word for api in _APIS for word in ("--api-versions", api))]
        with tempfile.TemporaryDirectory() as home:
            done = subprocess.run(
                [helm, *command], env={"HOME": home, "PATH": ""}, capture_output=True, text=True, check=False
            )
        if done.returncode != 0:
            raise SystemExit(f"{self.values}: {done.stderr}")
        # Helm 3 ends a document where helm 4 leaves a line free.
        return re.sub(r"\n+---\n", "\n---\n", done.stdout.rstrip()) + "\n"


def renderings() -> Iterator[Rendering]:
    """Return every rendering that is kept."""
    for values in sorted((_PROJECT / "deploy" / "examples").glob("*.yaml")):
        manifest = _PROJECT / "deploy" / "manifests" / values.name
        yield Rendering(values, manifest, _NAMESPACES.get(values.stem, "etcd-dr"))
    everything = _PROJECT / "tests" / "real" / "chart" / "everything.yaml"
    yield Rendering(everything, everything.with_name("everything.rendered.yaml"), "etcd-dr")


if __name__ == "__main__":
    tools = Path(os.environ.get("ETCD_DR_TOOLS_DIR") or _PROJECT / ".tools")
    for each in renderings():
        each.manifest.write_text(each.text(tools / "bin" / "helm"), encoding="utf-8")
