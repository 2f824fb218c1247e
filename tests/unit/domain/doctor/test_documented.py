"""Every code of the doctor is explained, and docs/talos.md has the same words."""

from __future__ import annotations

import re
from pathlib import Path

from etcd_dr.domain.doctor import CODES, EXPLANATIONS

PAGE = (Path(__file__).parents[4] / "docs" / "talos.md").read_text(encoding="utf-8")
ROW = re.compile(r"^\| `([a-z]+\.[a-z_]+)` \| (.+) \| (.+) \|$", re.MULTILINE)


def test_every_code_is_explained() -> None:
    """A code that `--explain` does not know helps nobody at 3 a.m."""
    assert sorted(EXPLANATIONS) == sorted(CODES)


def test_the_page_says_what_the_command_says() -> None:
    """One text in two places stays one text."""
    written = {code: (symptom, remedy) for code, symptom, remedy in ROW.findall(PAGE)}

    assert written == {code: (e.symptom, e.remedy) for code, e in EXPLANATIONS.items()}
