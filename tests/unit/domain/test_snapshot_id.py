"""The names of snapshots are read strictly: what no snapshot can be called is no id."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from etcd_dr.domain.snapshot import SnapshotId

FOREIGN_DIGITS = "".join(chr(0x660 + int(digit)) for digit in "20260820")
"""A date in Arabic-Indic digits, which `\\d` matches as well: two folders would carry one name."""


def test_id_reads_back_as_it_is_written() -> None:
    """`parse` undoes `str`."""
    snapshot_id = SnapshotId(datetime(2026, 8, 20, 3, tzinfo=UTC), "9f2c41d07b6a")

    assert SnapshotId.parse(str(snapshot_id)) == snapshot_id


@pytest.mark.parametrize(
    "text",
    [
        "",
        "20260820T030000Z-9f2c41d07b6",
        "20260820T030000Z-9F2C41D07B6A",
        "20260820T030000Z-9f2c41d07b6a\n",
        "20261320T030000Z-9f2c41d07b6a",
        FOREIGN_DIGITS + "T030000Z-9f2c41d07b6a",
    ],
)
def test_other_text_is_no_id(text: str) -> None:
    """Whatever `create` would not make is refused."""
    with pytest.raises(ValueError, match=r"not a snapshot id|does not match"):
        SnapshotId.parse(text)
