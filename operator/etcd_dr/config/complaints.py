"""What a person is told when values do not fit the model."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import ValidationError

from etcd_dr.domain.mistakes import mistakes


def complaints(error: ValidationError) -> Iterator[str]:
    """Yield one line for each mistake: where, and what is wrong, without the value (it may be a secret)."""
    for place, mistake in mistakes(error):
        yield f"{place or 'the file'}: {mistake}"
