"""What the documentation and our own next steps call by name exists: commands, options, metrics, alerts, keys."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from importlib import import_module
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest
import typer
import yaml
from pydantic import BaseModel, ValidationError

from etcd_dr.adapters.manual import Manual
from etcd_dr.config import Config
from etcd_dr.config.cluster_model import ClusterSection
from etcd_dr.domain.mistakes import mistakes
from etcd_dr.entrypoints.cli.doors import DOORS, Door
from etcd_dr.entrypoints.cli.global_options import ask_everywhere

ROOT = Path(__file__).parents[2]
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md"), *(ROOT / "charts" / "etcd-dr").glob("*.md")])
RULES = ROOT / "charts" / "etcd-dr" / "files" / "alerts.yaml"
TELLERS = [*PAGES, RULES, *sorted((ROOT / "operator").rglob("*.py"))]

CALL = re.compile(r"(?:(?P<sure>`|\$ )|: |, |\()(?:kubectl )?etcd-dr (?P<words>[^`\n;|()\"\\]+)")
READ = re.compile(r"etcd-dr docs ([\w/-]+)(?=[\"`,.);{]| \|)")
OPTION = re.compile(r"--[a-z][a-z-]*")
METRIC = re.compile(r"\betcd_dr_[a-z_]+[a-z]\b")
ALERT = re.compile(r"`(EtcdDR\w+)`")
KEY = re.compile(r"`([a-z_]+(?:\.[a-z_]+)+)(?:: [^`]*)?`")
BLOCK = re.compile(r"^```yaml\n(.*?)^```", re.DOTALL | re.MULTILINE)
NO_KEYS = {"snapshot.failed", "etcd.yaml.original", "kubernetes.leaderelection"}  # an event, a file, somebody's package
MADE_BY_THE_CLIENT = ("_created", "_bucket", "_sum", "_count")


def begin(_context: typer.Context, _options: object) -> None:
    """Nothing is run here."""


@cache
def options_of(door: Door) -> frozenset[str]:
    """Return the options of a command, those of every command among them."""
    app = typer.Typer()
    app.command()(ask_everywhere(getattr(import_module(door.module), door.function), begin, hidden=True))
    parameters = typer.main.get_command(app).params
    return frozenset(name for each in parameters for name in (*each.opts, *each.secondary_opts)) | {"--help"}


def wrong_in(words: list[str], *, is_sure: bool) -> str:
    """Return what does not exist in a call; empty: nothing, or it is prose."""
    if not words or not words[0][:1].isalpha() or words[0].isupper():
        return ""
    entry = next((each for each in DOORS if each.name == words[0]), None)
    if entry is None:
        return f"no command {words[0]}" if is_sure else ""
    rest = words[1:]
    if not isinstance(entry, Door):
        if not rest or not re.fullmatch(r"[a-z]+", rest[0]):
            return ""
        door = next((each for each in entry.doors if each.name == rest[0]), None)
        if door is None:
            return f"no command {entry.name} {rest[0]}"
        entry = door
    said = {match for word in rest for match in OPTION.findall(word) if word.startswith("--")}
    unknown = said - options_of(entry)
    return f"{entry.name} has no {', '.join(sorted(unknown))}" if unknown else ""


@pytest.mark.parametrize("teller", TELLERS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_command_that_is_named_exists_with_its_options(teller: Path) -> None:
    """A next step that cannot be pasted is worse than none."""
    calls = CALL.finditer(teller.read_text())

    wrong = [wrong_in(call["words"].split(), is_sure=call["sure"] is not None) for call in calls]

    assert [each for each in wrong if each] == []


def test_every_page_that_is_named_for_reading_exists() -> None:
    """`etcd-dr docs PAGE`, in our next steps above all."""
    manual = Manual.installed()
    named = {name for teller in TELLERS for name in READ.findall(teller.read_text())}

    assert "control-planes" in named
    assert {name for name in named if not manual.page(name).text} == set()  # raises for what nobody could read


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_metric_and_alert_that_is_named_exists(page: Path) -> None:
    """docs/metrics.md is held to what a scrape exposes (tests/scenarios/test_operator_metrics.py)."""
    text = page.read_text()
    metrics = set(METRIC.findall((ROOT / "docs" / "metrics.md").read_text()))
    alerts = set(re.findall(r"- alert: (\w+)", RULES.read_text()))

    named = {name for name in METRIC.findall(text) if not name.endswith(MADE_BY_THE_CLIENT)}

    assert named - metrics == set()
    assert set(ALERT.findall(text)) - alerts == set()


def models_below(model: type[BaseModel]) -> Iterator[type[BaseModel]]:
    yield model
    for field in model.model_fields.values():
        for inner in _models_in(field.annotation):
            yield from models_below(inner)


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in getattr(annotation, "__args__", ()):
        yield from _models_in(part)


SECTIONS: dict[str, set[str]] = {}
for model in models_below(Config):
    for name, field in model.model_fields.items():
        for inner in _models_in(field.annotation):
            SECTIONS.setdefault(name, set()).update(inner.model_fields)


CODES = set(
    re.findall(r"\"([a-z_]+(?:\.[a-z_]+)+)\"", "".join(p.read_text() for p in (ROOT / "operator").rglob("*.py")))
)


@pytest.mark.parametrize("page", [p for p in PAGES if "charts" not in p.parts], ids=lambda p: str(p.relative_to(ROOT)))
def test_every_key_of_the_configuration_that_is_named_exists(page: Path) -> None:
    """`objectives.rpo` and the like; what does not begin with a section, or is a code of ours, is something else."""
    named = [key.split(".") for key in KEY.findall(page.read_text())]

    wrong = [
        ".".join(parts)
        for parts in named
        for outer, inner in [parts[:2]]
        if outer in SECTIONS and inner not in SECTIONS[outer] and ".".join(parts) not in CODES | NO_KEYS
    ]

    assert wrong == []


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_example_of_the_configuration_has_known_keys(page: Path) -> None:
    """Unknown keys are refused, so an example with one does not start."""
    wrong = [mistake for block in BLOCK.findall(page.read_text()) for mistake in unknown_keys(block)]

    assert wrong == []


def unknown_keys(block: str) -> list[str]:
    """Return the unknown keys of an example; one of something else, such as chart values, has none."""
    try:
        said = yaml.safe_load(dedent(block))
    except yaml.YAMLError:
        return []
    if not isinstance(said, dict):
        return []
    for model in (Config, ClusterSection):
        if said.keys() <= model.model_fields.keys():
            try:
                model.model_validate(said)
            except ValidationError as error:
                return [f"{place} {told}" for place, told in mistakes(error) if told == "is not a known key"]
            return []
    return []
