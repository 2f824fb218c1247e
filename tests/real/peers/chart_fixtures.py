"""The chart as a pytest fixture."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from real.chart_rig import Chart


@pytest.fixture
def chart(stock_program: Callable[[str], Path], tmp_path: Path) -> Chart:
    """Return the chart; skips where helm is not at hand."""
    return Chart(stock_program("helm"), tmp_path)
