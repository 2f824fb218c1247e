"""The chart's Prometheus rules as helm renders them."""

from __future__ import annotations

import functools
import subprocess
from pathlib import Path
from typing import Any

import yaml

PROJECT = Path(__file__).resolve().parents[2]


@functools.cache
def chart_rules(helm: Path) -> dict[str, Any]:
    """Return the rule groups that a cluster gets with the chart's own values."""
    done = subprocess.run(
        [
            *(helm, "template", "release", PROJECT / "charts" / "etcd-dr"),
            *("--values", PROJECT / "deploy" / "examples" / "kubeadm.yaml"),
            *("--set", "metrics.prometheusRule.enabled=true", "--api-versions", "monitoring.coreos.com/v1"),
            *("--show-only", "templates/prometheusrule.yaml"),
        ],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
        env={"HOME": "/nonexistent", "PATH": ""},
    )
    spec: dict[str, Any] = yaml.safe_load(done.stdout)["spec"]
    return spec
