"""Names of proof objects, which come back from a bucket."""

from __future__ import annotations

import pytest

from etcd_dr.domain.proof import ProofLevel
from etcd_dr.domain.proof_name import ProofName
from fakes.catalogue import moment


def test_name_says_level_and_time_and_comes_back() -> None:
    """A name is parsed into what it was made of."""
    name = ProofName(ProofLevel.STORED, moment("2026-08-20 03:00"), "0123456789ab")

    assert str(name) == "stored-20260820T030000Z-0123456789ab.json"
    assert ProofName.parse(str(name)) == name


@pytest.mark.parametrize(
    "text",
    [
        "",
        "stored-20260820T030000Z-0123456789ab",
        "proven-20260820T030000Z-0123456789ab.json",
        "stored-20260820T030000Z-0123456789AB.json",
        "stored-20260820T030000Z-0123456789ab.json\n",
        "../stored-20260820T030000Z-0123456789ab.json",
        "stored-20261320T030000Z-0123456789ab.json",
    ],
)
def test_other_names_are_refused(text: str) -> None:
    """Exactly what we would make, and nothing like it."""
    with pytest.raises(ValueError, match=r"proof|time data|month"):
        ProofName.parse(text)
