"""What the chart's files say of themselves, without helm."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from etcd_dr import __version__
from tools.chart_schema import SCHEMA, schema_text
from tools.chart_values_page import CHART, README, readme, values


def _chart() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((CHART / "Chart.yaml").read_text(encoding="utf-8"))
    return loaded


def test_schema_is_that_of_the_model() -> None:
    """After a change of the model or of tools/chart_schema.py: make chart."""
    assert SCHEMA.read_text(encoding="utf-8") == schema_text()


def test_readme_lists_the_values_as_they_are() -> None:
    """After a change of values.yaml: make chart."""
    text = README.read_text(encoding="utf-8")

    assert readme(text) == text


def test_every_value_says_what_it_is_for() -> None:
    """No value is without a comment of its own or of its section."""
    silent = [each.path for each in values() if len(each.meaning) < 5]

    assert not silent


def test_chart_carries_the_version_of_the_program() -> None:
    """The image that the chart asks for is the one of this program."""
    chart = _chart()

    assert chart["appVersion"] == __version__
    assert yaml.safe_load(chart["annotations"]["artifacthub.io/images"])[0]["image"].endswith(f":{__version__}")


def test_artifact_hub_is_told_every_resource_of_ours() -> None:
    """The annotation names the definitions that the chart brings, and no other."""
    told = {
        (each["name"], each["kind"], each["version"])
        for each in yaml.safe_load(_chart()["annotations"]["artifacthub.io/crds"])
    }

    brought = {
        (definition["metadata"]["name"], definition["spec"]["names"]["kind"], definition["spec"]["versions"][0]["name"])
        for definition in map(_loaded, sorted((CHART / "files" / "crds").glob("*.yaml")))
    }

    assert told == brought


def test_annotations_of_artifact_hub_can_be_read() -> None:
    """Each is text, and those that hold YAML hold valid YAML."""
    annotations = _chart()["annotations"]

    assert all(isinstance(value, str) for value in annotations.values())
    for name in ("images", "links", "crds", "crdsExamples", "recommendations", "changes"):
        assert isinstance(yaml.safe_load(annotations[f"artifacthub.io/{name}"]), list), name


def _loaded(path: Path) -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return loaded
