"""`--label KEY=VALUE`, for what is kept in a manifest."""

from __future__ import annotations

from typing import Annotated

import typer

from etcd_dr.errors import UsageError

Label = Annotated[
    list[str] | None, typer.Option("--label", metavar="KEY=VALUE", help="Kept in the manifest; repeatable.")
]


def parse_labels(words: list[str] | None) -> dict[str, str]:
    """Return the labels that were said. Raises UsageError for a word that is none."""
    labels = {}
    for word in words or ():
        key, separator, value = word.partition("=")
        if not separator or not key:
            raise UsageError("is not KEY=VALUE", subject=f"--label {word}", next_step="Such as: --label change=4711")
        labels[key] = value
    return labels
