"""What a person is told when values do not fit the model."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import ValidationError


def complaints(error: ValidationError) -> Iterator[str]:
    """Yield one line for each mistake: where, and what is wrong, without the value (it may be a secret)."""
    for item in error.errors(include_url=False, include_input=False):
        place = ".".join(str(part) for part in item["loc"]) or "the file"
        message = item["msg"].removeprefix("Value error, ")
        if item["type"] == "extra_forbidden":
            message = "is not a known key"
        yield f"{place}: {message}"
