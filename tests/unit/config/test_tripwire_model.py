"""A tripwire that could never trip is refused."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from etcd_dr.config.tripwire_model import TripwireSection


def test_wire_is_up_unless_it_is_said_otherwise() -> None:
    """Nobody thinks of it before the night in which it is needed."""
    assert TripwireSection().enabled


@pytest.mark.parametrize(
    "said",
    [
        pytest.param({"within": "1m", "interval": "1m"}, id="one count has nothing to be compared with"),
        pytest.param({"ignore_prefixes": [""]}, id="every key is ignored"),
        pytest.param({"fall_percent": 101}, id="more than all keys"),
        pytest.param({"min_keys": 0}, id="no key is gone"),
    ],
)
def test_settings_with_which_it_never_trips_are_refused(said: dict[str, object]) -> None:
    """At the start, and not found out after the keys are gone."""
    with pytest.raises(ValidationError):
        TripwireSection.model_validate(said)
