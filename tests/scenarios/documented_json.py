"""The examples of docs/json-output.md, and whether an answer has the same keys."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

PAGE = Path(__file__).resolve().parents[2] / "docs" / "json-output.md"

_EXAMPLE = re.compile(r"^## (?P<name>[^\n]+)\n(?P<text>.*?)```json\n(?P<body>.*?)```", re.MULTILINE | re.DOTALL)
_FREE = frozenset({"context", "evidence", "labels", "libraries", "parameters"})
"""Mappings whose keys are data."""


def examples() -> dict[str, Any]:
    """Return the documented examples by the name of their command."""
    return {match["name"]: json.loads(match["body"]) for match in _EXAMPLE.finditer(PAGE.read_text(encoding="utf-8"))}


def differences(documented: Any, printed: Any, *, at: str = "") -> Iterator[str]:
    """Yield every key that only one of the two has. What is null or empty on one side cannot be compared."""
    if isinstance(documented, dict) and isinstance(printed, dict):
        for key in sorted(set(documented) ^ set(printed)):
            yield f"{at}.{key} is {'documented, not printed' if key in documented else 'printed, not documented'}"
        for key in set(documented) & set(printed) - _FREE:
            yield from differences(documented[key], printed[key], at=f"{at}.{key}")
    elif isinstance(documented, list) and isinstance(printed, list):
        for each in printed if documented else ():
            yield from differences(documented[0], each, at=f"{at}[]")
    elif _kind(documented) != _kind(printed) and None not in (documented, printed):
        yield f"{at} is documented as {_kind(documented)} and printed as {_kind(printed)}"


def _kind(value: Any) -> str:
    return "number" if isinstance(value, int | float) and not isinstance(value, bool) else type(value).__name__
