"""JSON answers have the keys that docs/json-output.md promises; those that need etcd are in tests/real."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from etcd_dr.entrypoints.cli.doors import DOORS, Group
from fakes.etcd_database import EtcdDatabase
from scenarios.command_line import CommandLine
from scenarios.documented_json import PAGE, differences, examples

pytestmark = pytest.mark.skipif(not PAGE.is_file(), reason="the documentation is not part of this copy")

WITHOUT_A_DOCUMENT = {"demo", "operator"}


@pytest.fixture
def cli(tmp_path: Path) -> CommandLine:
    database = EtcdDatabase.of_keys(30).to_bytes()
    (tmp_path / "etcd.db").write_bytes(database + hashlib.sha256(database).digest())
    cli = CommandLine(tmp_path, {"ETCD_DR_STORE": str(tmp_path / "store"), "ETCD_DR_ENCRYPTION__ENABLED": "false"})
    assert cli("snapshot", "import", tmp_path / "etcd.db", "--label", "a=b").status == 0
    assert cli("snapshot", "pin", "latest", "--yes").status == 0
    leftover = tmp_path / "store" / "v1" / "default" / "snapshots" / "20260101T000000Z-0123456789ab" / "data"
    leftover.parent.mkdir()
    leftover.touch()
    return cli


@pytest.mark.parametrize(
    "words",
    [
        "snapshot list",
        "snapshot show",
        "snapshot status etcd.db",
        "snapshot verify",
        "snapshot fetch --to fetched.db",
        "snapshot import etcd.db",
        "snapshot pin latest --yes",
        "snapshot unpin latest --yes",
        "snapshot prune --keep-last 1 --dry-run",
        "snapshot delete latest --force --dry-run",
        "version",
        "docs",
    ],
)
def test_answer_has_the_documented_keys(cli: CommandLine, monkeypatch: pytest.MonkeyPatch, words: str) -> None:
    """Programs are written against the page."""
    monkeypatch.chdir(cli.directory)
    if "delete" in words:
        assert cli("snapshot", "unpin", "latest", "--yes").status == 0

    done = cli(*words.split(), "-o", "json")

    assert done.status == 0, done.err
    name = " ".join(words.split()[:2]) if words.startswith("snapshot") else words.split(maxsplit=1)[0]
    assert list(differences(examples()[name], done.document)) == []


def test_error_has_the_documented_keys(cli: CommandLine) -> None:
    """The one line on standard error."""
    done = cli("snapshot", "show", "20260820T030000Z-0123456789ab", "-o", "json")

    assert list(differences(examples()["error"], {"error": done.error})) == []


def test_every_command_has_its_example() -> None:
    """A command without one would be a promise that nobody made."""
    names = {f"{entry.name} {door.name}" for entry in DOORS if isinstance(entry, Group) for door in entry.doors} | {
        entry.name for entry in DOORS if not isinstance(entry, Group)
    }

    assert set(examples()) == (names - WITHOUT_A_DOCUMENT) | {"error", "doctor over ssh", "docs page"}


def test_page_has_the_documented_keys(cli: CommandLine) -> None:
    """A page of the documentation, too, is an answer."""
    done = cli("docs", "quorum", "-o", "json")

    assert list(differences(examples()["docs page"], done.document)) == []
