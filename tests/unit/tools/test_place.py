"""The tools directory: entries appear whole, are remembered, and survive whoever fills it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tools.go_modules import newest_release
from tools.place import NotServed, Place, run


def pretend_program(directory: Path, name: str, *, says: str) -> Path:
    """Put a program into a directory that prints one line, whatever it is asked."""
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / name
    path.write_text(f"#!/bin/sh\necho '{says}'\n")
    path.chmod(0o755)
    return path


def put_pretended_etcd(
    place: Place, *, source: str, version: str, programs: tuple[str, ...] = ("etcd", "etcdctl")
) -> Path:
    with place.held(), place.partial() as scratch:
        for name in programs:
            pretend_program(scratch / "found", name, says=f"etcd Version: {version}")
        return place.put_etcd(source, scratch=scratch, find=lambda name: _existing(scratch / "found" / name))


def _existing(path: Path) -> Path | None:
    return path if path.exists() else None


def test_etcd_is_put_under_the_version_that_it_reports(tmp_path: Path) -> None:
    """What a suite carries today is asked of the binary; programs that do not exist there are left out."""
    place = Place(tmp_path / "tools")

    entry = put_pretended_etcd(place, source="debian-sid", version="3.5.30")

    assert entry == tmp_path / "tools" / "etcd-3.5.30"
    assert sorted(path.name for path in entry.iterdir()) == ["etcd", "etcdctl"]
    assert place.given_by("debian-sid") == entry
    assert place.has_etcd()


def test_entry_that_was_removed_is_wanted_again(tmp_path: Path) -> None:
    """The stamp alone is worth nothing: removing a directory is how it is fetched anew."""
    place = Place(tmp_path)
    entry = put_pretended_etcd(place, source="debian-sid", version="3.5.30")

    entry.rename(tmp_path / "elsewhere")

    assert place.given_by("debian-sid") is None


def test_failure_leaves_nothing_behind(tmp_path: Path) -> None:
    """A download that breaks off leaves neither an entry nor its scratch files."""
    place = Place(tmp_path)

    with pytest.raises(NotServed):
        put_pretended_etcd(place, source="debian-sid", version="3.5.30", programs=("etcdctl",))

    assert [path.name for path in tmp_path.iterdir()] == [".lock"]


def test_leftovers_of_a_killed_process_are_swept(tmp_path: Path) -> None:
    """The next process that holds the directory removes what a killed one could not."""
    place = Place(tmp_path)
    pretend_program(tmp_path / ".partial-killed", "etcd", says="half of it")

    with place.held():
        left = [path.name for path in tmp_path.iterdir()]

    assert left == [".lock"]


def test_apts_first_error_is_the_one_that_is_told(tmp_path: Path) -> None:
    """apt names the cause first and sums up last; everybody else ends with the cause."""
    script = (
        "echo 'W: old' >&2; echo 'E: no route to the archive' >&2; echo 'E: Some index files failed.' >&2; exit 100"
    )

    with pytest.raises(NotServed, match="no route to the archive"):
        run("sh", "-c", script, cwd=tmp_path)


def test_newest_release_of_a_minor_leaves_other_minors_and_previews_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """3.6.16 is newer than 3.6.9, and neither 3.60 nor a release candidate is a 3.6."""
    known = "go.etcd.io/etcd/server/v3 v3.5.99 v3.6.0-rc.1 v3.6.9 v3.6.16 v3.6.17-rc.0 v3.60.1"
    pretend_program(tmp_path, "go", says=known)
    monkeypatch.setenv("PATH", str(tmp_path))

    assert newest_release("go.etcd.io/etcd/server/v3", "3.6", cwd=tmp_path) == "v3.6.16"
