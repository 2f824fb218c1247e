"""Programs are found where they are said to be, and are what they say of themselves."""

from __future__ import annotations

from pathlib import Path

import pytest

from etcd_dr.adapters.etcd_programs import InstalledPrograms


def program(directory: Path, name: str, said: str, *, mode: int = 0o755) -> Path:
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / name
    path.write_text(f"#!/bin/sh\n{said}\n")
    path.chmod(mode)
    return path


def versions(programs: InstalledPrograms, name: str = "etcdutl") -> list[str]:
    return [str(found.version) for found in programs.find(name)]  # type: ignore[arg-type]


def test_unpacked_releases_and_plain_directories_are_searched(tmp_path: Path) -> None:
    """Oldest version first, and the name of the directory proves nothing."""
    program(tmp_path / "etcd-v9.9.9-linux-amd64", "etcdutl", "echo 'etcdutl version: 3.5.30'")
    program(tmp_path, "etcdutl", "echo 'etcdutl version: 3.6.1'")
    program(tmp_path / "on-path", "etcdutl", "echo 'etcdutl version: 3.4.1'")

    assert versions(InstalledPrograms([tmp_path], search_path=f"{tmp_path}/on-path")) == ["3.4.1", "3.5.30", "3.6.1"]


def test_first_place_of_two_with_the_same_version_wins(tmp_path: Path) -> None:
    """What is configured goes before PATH."""
    first = program(tmp_path / "a", "etcdutl", "echo 'etcdutl version: 3.5.30'")
    program(tmp_path / "b", "etcdutl", "echo 'etcdutl version: 3.5.30'")

    [found] = InstalledPrograms([tmp_path / "a"], search_path=str(tmp_path / "b")).find("etcdutl")

    assert found.path == first


def test_what_does_not_run_or_is_something_else_is_not_there(tmp_path: Path) -> None:
    """A directory of tools holds many things."""
    program(tmp_path / "a", "etcdutl", "exit 1")
    program(tmp_path / "b", "etcdutl", "echo hello")
    program(tmp_path / "c", "etcdutl", "echo 'etcdutl version: 3.5.30'", mode=0o644)
    (tmp_path / "d" / "etcdutl").mkdir(parents=True)

    found = versions(InstalledPrograms([tmp_path / name for name in ("a", "b", "c", "d", "none")]))

    assert found == []


def test_relative_parts_of_path_are_not_searched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The working directory is nobody's tool box."""
    program(tmp_path, "etcdutl", "echo 'etcdutl version: 3.5.30'")
    monkeypatch.chdir(tmp_path)

    assert versions(InstalledPrograms([], search_path=":.:relative")) == []


def test_replaced_program_is_asked_again(tmp_path: Path) -> None:
    """A long process sees what was installed meanwhile."""
    programs = InstalledPrograms([tmp_path])
    program(tmp_path, "etcdutl", "echo 'etcdutl version: 3.5.9'")
    before = versions(programs)

    program(tmp_path, "etcdutl", "echo 'etcdutl version: 3.5.30'")

    assert (before, versions(programs)) == (["3.5.9"], ["3.5.30"])


def test_program_that_may_be_run_now_is_found(tmp_path: Path) -> None:
    """Rights leave the time of writing as it was."""
    programs = InstalledPrograms([tmp_path])
    path = program(tmp_path, "etcdutl", "echo 'etcdutl version: 3.5.30'", mode=0o644)
    before = versions(programs)

    path.chmod(0o755)

    assert (before, versions(programs)) == ([], ["3.5.30"])


def test_program_that_did_not_come_to_an_answer_is_asked_again(tmp_path: Path) -> None:
    """Once there was no process to be had, or no answer within half a minute: that says nothing about the program."""
    programs = InstalledPrograms([tmp_path])
    path = program(tmp_path, "etcdutl", "echo 'etcdutl version: 3.5.30'")
    path.write_text(path.read_text().replace("/bin/sh", str(tmp_path / "sh")))
    before = versions(programs)

    (tmp_path / "sh").symlink_to("/bin/sh")

    assert (before, versions(programs)) == ([], ["3.5.30"])
