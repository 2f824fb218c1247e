"""Waiting between two looks, in a way that a wish to stop ends at once."""

from __future__ import annotations

from typing import Protocol


class Pause(Protocol):
    def __call__(self, seconds: float) -> None:
        """Return after so many seconds. Raises Cancelled as soon as somebody asks to stop."""
        ...
