"""Finding etcd: which directories count, in which order, and what a version is."""

from __future__ import annotations

from pathlib import Path

import pytest

from etcd_dr.adapters.local_cluster import find_etcd_binaries, preferred_etcd_binaries
from etcd_dr.errors import ToolMissing


def pretend_etcd(directory: Path, version: str, *, programs: tuple[str, ...] = ("etcd", "etcdctl", "etcdutl")) -> Path:
    """Put programs into a directory that say they are etcd of this version."""
    directory.mkdir(parents=True)
    for name in programs:
        path = directory / name
        path.write_text(f"#!/bin/sh\necho 'etcd Version: {version}'\necho 'Go OS/Arch: linux/amd64'\n")
        path.chmod(0o755)
    return directory


def test_nothing_is_found_where_nothing_is(tmp_path: Path) -> None:
    """Without etcd the answer is empty, and who needs one is told how to get it."""
    environ = {"PATH": "", "ETCD_DR_TOOLS_DIR": str(tmp_path)}

    found = find_etcd_binaries(environ)
    with pytest.raises(ToolMissing) as raised:
        preferred_etcd_binaries(environ)

    assert found == ()
    assert "make tools" in raised.value.next_step


def test_versions_are_what_programs_report_in_order_of_age(tmp_path: Path) -> None:
    """A directory's name says nothing, and 3.5.9 is older than 3.5.30."""
    pretend_etcd(tmp_path / "etcd-newest", "3.5.9")
    pretend_etcd(tmp_path / "etcd-oldest", "3.5.30")
    environ = {"PATH": "", "ETCD_DR_TOOLS_DIR": str(tmp_path)}

    assert [binaries.version for binaries in find_etcd_binaries(environ)] == ["3.5.9", "3.5.30"]


def test_named_directories_win_over_tools_and_path(tmp_path: Path) -> None:
    """What a person names is used even where the same version is at hand otherwise."""
    named = pretend_etcd(tmp_path / "named", "3.6.1")
    pretend_etcd(tmp_path / "tools" / "etcd-a", "3.6.1")
    on_path = pretend_etcd(tmp_path / "path", "3.4.40", programs=("etcd", "etcdctl"))
    environ = {
        "ETCD_DR_TEST_ETCD_DIRS": f"{tmp_path / 'absent'}:{named}",
        "ETCD_DR_TOOLS_DIR": str(tmp_path / "tools"),
        "PATH": f"{on_path}:/usr/bin:/bin",
    }

    old, new = find_etcd_binaries(environ)

    assert (old.version, old.etcdutl) == ("3.4.40", None)
    assert (new.version, new.etcd) == ("3.6.1", named / "etcd")


def test_newest_of_3_5_is_preferred_and_else_the_newest(tmp_path: Path) -> None:
    """3.5 is what most clusters run, so it is what is used when nobody chose."""
    pretend_etcd(tmp_path / "etcd-1", "3.4.23")
    pretend_etcd(tmp_path / "etcd-2", "3.7.0")
    environ = {"PATH": "", "ETCD_DR_TOOLS_DIR": str(tmp_path)}
    without = preferred_etcd_binaries(environ).version

    pretend_etcd(tmp_path / "etcd-3", "3.5.2-rc.1")
    pretend_etcd(tmp_path / "etcd-4", "3.5.16+k3s1")

    assert without == "3.7.0"
    assert preferred_etcd_binaries(environ).version == "3.5.16+k3s1"


def test_program_that_does_not_run_here_is_left_out(tmp_path: Path) -> None:
    """A binary of another machine, or half of one, is no etcd."""
    directory = tmp_path / "etcd-foreign"
    directory.mkdir()
    for name in ("etcd", "etcdctl"):
        (directory / name).write_bytes(b"\x7fELF not really")
        (directory / name).chmod(0o755)

    assert find_etcd_binaries({"PATH": "", "ETCD_DR_TOOLS_DIR": str(tmp_path)}) == ()
