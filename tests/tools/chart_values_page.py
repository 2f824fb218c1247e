"""`python -m tools.chart_values_page`: write the table of values in charts/etcd-dr/README.md.

The comments of values.yaml are the reference; this only lays them out, one row for each value that is not itself a
section. A test fails when the README and values.yaml differ, or when a value has no comment.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import yaml

CHART = Path(__file__).resolve().parents[2] / "charts" / "etcd-dr"
README = CHART / "README.md"
_BEGIN = "<!-- values: made from values.yaml by `python -m tools.chart_values_page` -->"
_END = "<!-- end of values -->"


@dataclass(frozen=True, slots=True)
class Value:
    """One value: where it stands, what it is by default, and what the comment above it says."""

    path: str
    default: str
    meaning: str


def readme(text: str) -> str:
    """Return the README with its table made anew."""
    before, _, rest = text.partition(_BEGIN)
    _, _, after = rest.partition(_END)
    rows = [f"| `{each.path}` | {each.default} | {each.meaning} |".replace("\n", " ") for each in values()]
    table = "\n".join(["| value | default | meaning |", "| --- | --- | --- |", *rows])
    return f"{before}{_BEGIN}\n\n{table}\n\n{_END}{after}"


def values() -> tuple[Value, ...]:
    """Return every value of values.yaml, in its order."""
    text = (CHART / "values.yaml").read_text(encoding="utf-8")
    root = yaml.compose(text)
    assert isinstance(root, yaml.MappingNode)
    return tuple(_values(root, lines=text.splitlines(), above="", said=""))


def _values(node: yaml.MappingNode, *, lines: list[str], above: str, said: str) -> Iterator[Value]:
    for key, value in node.value:
        path = f"{above}.{key.value}".removeprefix(".")
        comment = _comment(lines, key.start_mark.line)
        # What is written on one line is one value to whoever sets it.
        if isinstance(value, yaml.MappingNode) and value.value and not value.flow_style:
            yield from _values(value, lines=lines, above=path, said=comment)
        else:
            # The first of a section may be explained by the comment of the section.
            meaning = comment or said
            yield Value(path, _default(value), meaning.replace("|", "&#124;"))


def _comment(lines: list[str], row: int) -> str:
    """Return the comment right above a line, as one line."""
    found: list[str] = []
    for line in reversed(lines[:row]):
        match = re.fullmatch(r"\s*# ?(.*)", line)
        if match is None:
            break
        found.insert(0, match[1])
    return " ".join(found)


def _default(node: yaml.Node) -> str:
    plain = yaml.safe_load(yaml.serialize(node))
    return "" if plain in ("", None) else f"`{json.dumps(plain) if not isinstance(plain, str) else plain}`"


if __name__ == "__main__":
    README.write_text(readme(README.read_text(encoding="utf-8")), encoding="utf-8")
