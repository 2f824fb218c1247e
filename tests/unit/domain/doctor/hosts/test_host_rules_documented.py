"""Every code of a node is explained, and docs/doctor.md has the same words."""

from __future__ import annotations

import re
from pathlib import Path

from etcd_dr.domain.doctor import CODES, EXPLANATIONS
from etcd_dr.domain.doctor.hosts import HOST_CODES, HOST_EXPLANATIONS

PAGE = (Path(__file__).parents[5] / "docs" / "doctor.md").read_text(encoding="utf-8")
ROW = re.compile(r"^\| `([a-z]+\.[a-z_]+)` \| (.+) \| (.+) \|$", re.MULTILINE)


def test_every_code_is_explained() -> None:
    """A code that `--explain` does not know helps nobody at 3 a.m."""
    assert sorted(HOST_EXPLANATIONS) == sorted(HOST_CODES)


def test_the_page_says_what_the_command_says() -> None:
    """One text in two places stays one text."""
    written = {code: (symptom, remedy) for code, symptom, remedy in ROW.findall(PAGE)}

    told = {code: (e.symptom, e.remedy) for code, e in HOST_EXPLANATIONS.items() if code not in EXPLANATIONS}
    assert written == told


def test_one_code_means_one_thing() -> None:
    """`--explain` does not ask for the platform, so what both have in common is the same text."""
    for code in set(CODES) & set(HOST_CODES):
        assert EXPLANATIONS[code] == HOST_EXPLANATIONS[code]
