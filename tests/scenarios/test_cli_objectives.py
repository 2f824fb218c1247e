"""`etcd-dr objectives`: what was promised, what is measured, and an exit status that a monitor understands."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from fakes.etcd_database import EtcdDatabase
from scenarios.command_line import CommandLine
from scenarios.documented_json import differences, examples


def configured(directory: Path, objectives: str) -> CommandLine:
    """Return a command whose store has one snapshot, proven just now and taken just now."""
    cli = CommandLine(directory, {"PATH": ""})
    (directory / "etcd-dr.yaml").write_text(
        f"""
stores: [{{name: main, directory: {{path: {directory}/store}}}}]
encryption: {{enabled: false}}
clusters:
  - name: prod
    store: main
    etcd: {{endpoints: ["https://10.0.0.1:2379"]}}
    schedule: {{cron: "0 */6 * * *"}}
    objectives: {objectives}
"""
    )
    database = EtcdDatabase.of_keys(30).to_bytes()
    (directory / "etcd.db").write_bytes(database + hashlib.sha256(database).digest())
    done = cli("snapshot", "import", directory / "etcd.db")
    assert done.status == 0, done.err
    return cli


@pytest.mark.parametrize(
    ("objectives", "status", "word"),
    [
        ("{rpo: 7d}", 0, "met"),
        ("{rpo: 1ms}", 2, "broken"),
        ("{rto: 15m}", 3, "unknown"),
        ("{rpo: 1ms, rto: 15m}", 2, "broken"),
        ("{}", 0, "unset"),
    ],
)
def test_exit_status_is_that_of_the_worse_one(tmp_path: Path, objectives: str, status: int, word: str) -> None:
    """Broken is worse than unknown; nothing promised is nothing broken."""
    done = configured(tmp_path, objectives)("objectives", "-o", "json")

    assert (done.status, done.document["status"]) == (status, word)
    assert done.document["exit_status"] == status


def test_page_says_both_with_the_figures_behind_them(tmp_path: Path) -> None:
    """Enough to answer an auditor: objective, standing, budget, schedule."""
    done = configured(tmp_path, "{rpo: 2h, rto: 15m}")("objectives")

    assert "RPO met" in done.out or "RPO at-risk" in done.out
    assert "RTO unknown" in done.out
    assert "the objective is 2 h" in done.out
    assert "which is more than the objective" in done.out
    assert "etcd-dr drill run" in done.out


def test_document_has_the_documented_keys(tmp_path: Path) -> None:
    """Programs are written against the page."""
    done = configured(tmp_path, "{rpo: 2h, rto: 15m}")("objectives", "-o", "json")

    assert list(differences(examples()["objectives"], done.document)) == []


def test_empty_store_keeps_no_promise(tmp_path: Path) -> None:
    """And says how to begin; the RPO is not broken yet, because nothing was due for as long."""
    cli = configured(tmp_path, "{rpo: 2h, rto: 15m}")
    assert cli("snapshot", "delete", "latest", "--force", "--yes").status == 0

    done = cli("objectives", "-o", "json")

    assert done.status == 2
    assert (done.document["rpo"]["status"], done.document["rto"]["status"]) == ("at-risk", "broken")
    assert done.document["rpo"]["age_seconds"] is None
