"""What is wrong with a value that does not fit its model, in words for whoever wrote it.

The model's library says "Tuple should have at least 1 item after validation, not 0"; a person reads "needs at least 1
entry". The value itself is never repeated: it may be a secret.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import ValidationError

_TEXTS = {
    "extra_forbidden": "is not a known key",
    "missing": "is missing",
    "string_pattern_mismatch": "is not written as it must be ({pattern})",
    "literal_error": "must be {expected}",
    "enum": "must be {expected}",
    "union_tag_invalid": "must be one of {expected_tags}",
    "greater_than": "must be more than {gt}",
    "greater_than_equal": "must be at least {ge}",
    "less_than": "must be less than {lt}",
    "less_than_equal": "must be at most {le}",
    "finite_number": "must be a finite number",
    "int_from_float": "must be a whole number",
    "json_invalid": "is not JSON",
    "none_required": "must be left out",
    "timezone_aware": "needs a time zone, such as Z",
    "path_type": "must be a path",
}
_KINDS = {
    "string": "text",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "bytes": "text",
    "date": "a date",
    "datetime": "a time such as 2026-08-20T03:00:00Z",
    "list": "a list",
    "tuple": "a list",
    "set": "a list",
    "dict": "a mapping",
    "model": "a mapping",
    "dataclass": "a mapping",
    "mapping": "a mapping",
}


def mistakes(error: ValidationError) -> Iterator[tuple[str, str]]:
    """Yield where each mistake is (`clusters.0.store`, empty for the whole) and what it is.

    A list that lacks entries only because those that it has are wrong is no mistake of its own.
    """
    items = error.errors(include_url=False, include_input=False)
    holders = {item["loc"][:-1] for item in items if item["loc"]}
    for item in items:
        if item["type"] == "too_short" and item["loc"] in holders:
            continue
        yield ".".join(str(part) for part in item["loc"]), _said(item["type"], item["msg"], item.get("ctx") or {})


def _said(kind: str, message: str, context: Mapping[str, Any]) -> str:
    if kind in _TEXTS:
        return _TEXTS[kind].format_map(context)
    if kind in ("too_short", "too_long"):
        return _length(kind, context, one="entry", several="entries")
    if kind in ("string_too_short", "string_too_long"):
        return _length(kind, context, one="character", several="characters")
    if kind in ("value_error", "assertion_error"):
        return message.removeprefix("Value error, ").removeprefix("Assertion failed, ")
    family, _, how = kind.rpartition("_")
    wanted = _KINDS.get(family.split("_")[0])
    return f"must be {wanted}" if wanted and how in ("type", "parsing", "size", "unicode") else _ours(message)


def _length(kind: str, context: Mapping[str, Any], *, one: str, several: str) -> str:
    is_short = kind.endswith("short")
    number = int(context.get("min_length" if is_short else "max_length", 0))
    return f"{'needs at least' if is_short else 'takes at most'} {number} {one if number == 1 else several}"


def _ours(message: str) -> str:
    """Return the library's sentence, for a kind that nobody has met yet, as the rest of one of ours."""
    return message[:1].lower() + message[1:]
