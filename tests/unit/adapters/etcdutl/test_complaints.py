"""What etcd's tools say on failing, as it was seen, and which error it becomes."""

from __future__ import annotations

from pathlib import Path

import pytest

from etcd_dr.adapters.etcdutl.complaints import explain
from etcd_dr.adapters.etcdutl.process import Ended
from etcd_dr.domain.etcd_version import EtcdVersion
from etcd_dr.errors import EtcdDrError, LocalStorageFull, SnapshotDamaged, ToolFailed
from etcd_dr.ports.etcd_programs import EtcdProgram
from etcd_dr.ports.restorer import RestoreOrder

ORDER = RestoreOrder(Path("/s/a.db"), Path("/d/m1"), "m1", ("http://a:2380",), {"m1": ("http://a:2380",)}, "t")
TOOL = EtcdProgram("etcdutl", Path("/opt/etcdutl"), EtcdVersion(3, 5, 30))


def explained(output: str, *, status: int = 1) -> EtcdDrError:
    return explain(Ended(status, output), order=ORDER, tool=TOOL, place="/d")


@pytest.mark.parametrize(
    ("output", "status", "kind"),
    [
        ("Error: snapshot missing hash but --skip-hash-check=false\n", 1, SnapshotDamaged),
        ("Error: expected sha256 [1 2], got [3 4]\n", 1, SnapshotDamaged),
        ("panic: invalid database\n\ngoroutine 1 [running]:\n", 2, SnapshotDamaged),
        ("unexpected fault address 0x7f\nfatal error: fault\n[signal SIGBUS: bus error]\n", 2, SnapshotDamaged),
        ("", -7, SnapshotDamaged),
        ("Error: write /d/x/db: no space left on device\n", 1, LocalStorageFull),
        ("panic: write: no space left on device\ngo.etcd.io/bbolt.(*DB).Update\n", 2, LocalStorageFull),
        ("Error: missing term information\n", 1, ToolFailed),
        ("", -9, ToolFailed),
    ],
)
def test_complaint_becomes_the_error_of_who_is_at_fault(output: str, status: int, kind: type[EtcdDrError]) -> None:
    """A full disk explains a panic of the database; what is unknown is the tool's own."""
    assert type(explained(output, status=status)) is kind


def test_unknown_failure_shows_the_tools_last_words() -> None:
    """The end of a long output is kept, not its beginning."""
    error = explained("x" * 5000 + "\nError: no idea\n")

    assert error.message == "snapshot restore ended with status 1: Error: no idea"
    assert len(str(error.context["output"])) <= 2000
