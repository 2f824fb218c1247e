"""`etcd-dr readiness` over a real directory, without etcd: what it needs on the day."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from fakes.etcd_database import EtcdDatabase
from scenarios.command_line import CommandLine
from scenarios.documented_json import PAGE, differences, examples


@pytest.fixture
def cli(tmp_path: Path) -> CommandLine:
    (tmp_path / "store").mkdir()
    return CommandLine(tmp_path, {"ETCD_DR_STORE": str(tmp_path / "store"), "ETCD_DR_ENCRYPTION__ENABLED": "false"})


def imported(cli: CommandLine, directory: Path) -> CommandLine:
    database = EtcdDatabase.of_keys(30).to_bytes()
    (directory / "etcd.db").write_bytes(database + hashlib.sha256(database).digest())
    assert cli("snapshot", "import", directory / "etcd.db").status == 0
    return cli


def test_an_empty_store_is_a_no(cli: CommandLine) -> None:
    """Exit status 2, and what to do."""
    done = cli("readiness")

    assert done.status == 2
    assert "recoverable now: no" in done.out
    assert "snapshot.none" in done.out


def test_reservations_are_told_with_commands_that_lead_here(cli: CommandLine, tmp_path: Path) -> None:
    """A proven file that nobody drilled and no schedule renews: yes, but."""
    done = imported(cli, tmp_path)("readiness", "--cluster", "default")

    assert done.status == 1
    assert "recoverable now: yes, but" in done.out
    assert "etcd-dr drill run --cluster default" in done.out


def test_damage_moves_the_verdict(cli: CommandLine, tmp_path: Path) -> None:
    """One flipped byte, found by a verification, and there is nothing left to begin with."""
    imported(cli, tmp_path)
    data = next((tmp_path / "store").rglob("data"))
    content = bytearray(data.read_bytes())
    content[len(content) // 2] ^= 1
    data.chmod(0o600)
    data.write_bytes(content)
    cli("snapshot", "verify")

    done = cli("readiness", "-o", "json")

    assert done.status == 2
    assert done.document["recoverable"] == "no"
    assert [reason["code"] for reason in done.document["reasons"]] == ["snapshot.none_proven"]


@pytest.mark.skipif(not PAGE.is_file(), reason="the documentation is not part of this copy")
def test_answer_has_the_documented_keys(cli: CommandLine, tmp_path: Path) -> None:
    """Programs are written against the page."""
    done = imported(cli, tmp_path)("readiness", "-o", "json")

    assert list(differences(examples()["readiness"], done.document)) == []


def test_a_store_that_cannot_be_read_is_unknown(tmp_path: Path) -> None:
    """3, as a check has it that could not be made."""
    cli = CommandLine(tmp_path, {"ETCD_DR_STORE": str(tmp_path / "nowhere")})

    assert cli("readiness").status == 3
