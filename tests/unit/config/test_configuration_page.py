"""docs/configuration.md says what the model says."""

from __future__ import annotations

import pytest

from etcd_dr.config import parse_config
from tools.configuration_page import EXAMPLE, PAGE, page


@pytest.mark.skipif(not PAGE.parent.is_dir(), reason="the documentation is not part of this copy")
def test_page_is_current() -> None:
    """After a change of the model: PYTHONPATH=tests .venv/bin/python -m tools.configuration_page."""
    assert PAGE.read_text(encoding="utf-8") == page()


def test_example_of_the_page_is_a_configuration() -> None:
    """What people copy must work."""
    assert parse_config(EXAMPLE, {}, subject="the example").clusters[0].name == "prod"


def test_every_field_has_its_line_and_every_hard_one_its_meaning() -> None:
    """A required key without a word of explanation would be a riddle."""
    rows = [line for line in page().splitlines() if line.startswith("| `")]

    assert len(rows) > 80
    assert not [row for row in rows if "**required**" in row and row.rstrip().endswith("|  |")]
