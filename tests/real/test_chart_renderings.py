"""The renderings that are kept: current, applicable as they are, and valid for Kubernetes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from real.chart_rig import PROJECT, Chart, manifests
from tools.chart_renderings import Rendering, renderings
from tools.kubernetes_schemas import NAME

_KEPT = pytest.mark.parametrize("rendering", list(renderings()), ids=lambda rendering: rendering.values.stem)
_OF_OTHERS = {"PrometheusRule", "ServiceMonitor", "PodMonitor", "talos.dev/v1alpha1 ServiceAccount"}
"""Kinds that Kubernetes itself knows nothing of."""


@_KEPT
def test_kept_rendering_is_what_the_chart_gives_today(chart: Chart, rendering: Rendering) -> None:
    """After a change of the chart, and a look at what it changes: make chart."""
    assert rendering.manifest.read_text(encoding="utf-8") == rendering.text(chart.helm)


@_KEPT
def test_manifest_says_where_everything_goes(rendering: Rendering) -> None:
    """`kubectl apply -f` puts each object into its namespace, whatever the current one is."""
    cluster_wide = {"ClusterRole", "CustomResourceDefinition"}

    for manifest in manifests(rendering.manifest.read_text(encoding="utf-8")):
        namespace = manifest["metadata"].get("namespace")
        assert (namespace is None) is (manifest["kind"] in cluster_wide), manifest["kind"]


@pytest.mark.matrix
@pytest.mark.parametrize("kubernetes", ["1.25", "1.31", "1.37"])
@_KEPT
def test_manifest_is_valid_for_kubernetes(rendering: Rendering, kubernetes: str) -> None:
    """No field is unknown, misplaced or of a wrong type, from the oldest release that the chart names to the newest."""
    done = _validated(rendering.manifest, kubernetes)

    assert done.returncode == 0, done.stdout
    passed = sum(line.startswith("INFO ") for line in done.stdout.splitlines())
    unknown = [line for line in done.stdout.splitlines() if line.startswith("WARN ")]
    whole = list(manifests(rendering.manifest.read_text(encoding="utf-8")))
    foreign = [each for each in whole if {each["kind"], f"{each['apiVersion']} {each['kind']}"} & _OF_OTHERS]
    assert (passed, len(unknown)) == (len(whole) - len(foreign), len(foreign)), done.stdout


@pytest.mark.matrix
def test_validation_notices_a_field_that_does_not_exist(tmp_path: Path) -> None:
    """The validation itself is not blind."""
    kept = next(renderings()).manifest.read_text(encoding="utf-8")
    assert "readOnlyRootFilesystem" in kept
    (tmp_path / "wrong.yaml").write_text(kept.replace("readOnlyRootFilesystem", "readOnlyRootFileSystem"))

    done = _validated(tmp_path / "wrong.yaml", "1.31")

    assert done.returncode != 0
    assert "readOnlyRootFileSystem" in done.stdout


def _validated(manifest: Path, kubernetes: str) -> subprocess.CompletedProcess[str]:
    packages = Path(os.environ.get("ETCD_DR_TOOLS_DIR") or PROJECT / ".tools").absolute() / NAME
    if not packages.is_dir():
        pytest.skip(f"no {NAME} at hand: run `make tools-all`")
    return subprocess.run(
        [sys.executable, "-m", "kubernetes_validate", "--strict", "-k", kubernetes, manifest],
        env={"PYTHONPATH": str(packages), "PATH": ""},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
