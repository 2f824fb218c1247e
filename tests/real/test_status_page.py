"""The status page of a real operator over a real etcd: the verdict follows what is so."""

from __future__ import annotations

import json
import os
import signal
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from etcd_dr.adapters.local_cluster import EtcdBinaries, LocalCluster
from fakes.page_client import TOKEN
from real.operator_process import OperatorUnderTest
from real.quiet_cron import cron_of_half_a_day_ago
from scenarios.command_line import CommandLine

RECOVERABLE = 'etcd_dr_recoverable{answer="yes",cluster="prod",store="main"} 1.0'


class PageUnderTest:
    """The page of one operator, asked with its token."""

    def __init__(self, operator: OperatorUnderTest) -> None:
        self.operator = operator

    def get(self, path: str, *, token: str = TOKEN) -> str:
        started = self.operator.of("page.started")
        request = urllib.request.Request(f"{started[0]['url']}{path}", headers={"Authorization": f"Bearer {token}"})
        with urllib.request.urlopen(request, timeout=30) as response:
            return response.read().decode()

    def verdict(self) -> tuple[str, set[str]]:
        """Return the answer with the codes of what speaks against it."""
        readiness = json.loads(self.get("api/v1/clusters/prod"))["readiness"]
        return readiness["recoverable"], {r["code"] for r in readiness["reasons"] if r["weight"] != "note"}

    def wait_for(self, answer: str, *codes: str, shown: str = "") -> None:
        """Wait until this is the verdict, and the cluster's page shows this text."""

        def is_so() -> bool:
            # One round may fall into an election, between two looks of ours.
            return self.verdict() == (answer, set(codes)) and shown in self.get("clusters/prod")

        self.operator.wait_for(is_so, f"{answer} for {codes}", every=0.2)


@pytest.fixture
def page_of(tmp_path: Path) -> Iterator[Callable[[LocalCluster], PageUnderTest]]:
    running: list[OperatorUnderTest] = []
    (tmp_path / "store").mkdir()
    (tmp_path / "token").write_text(TOKEN)

    def start(cluster: LocalCluster) -> PageUnderTest:
        running.append(OperatorUnderTest(tmp_path, settings(cluster, tmp_path)))
        running[0].wait_for(lambda: running[0].of("operator.started"), "start")
        return PageUnderTest(running[0])

    yield start
    for operator in running:
        if operator.process.poll() is None:
            os.kill(operator.process.pid, signal.SIGKILL)
            operator.process.wait()


def settings(cluster: LocalCluster, directory: Path) -> dict[str, Any]:
    tls = cluster.client_tls
    etcd = {
        "endpoints": list(cluster.endpoints),
        "cacert": str(tls.ca),
        "cert": str(tls.certificate),
        "key": str(tls.key),
    }
    return {
        "clusters": [
            {
                "name": "prod",
                "etcd": etcd,
                "store": "main",
                "schedule": {"cron": cron_of_half_a_day_ago()},
                "health": {"interval": "1s", "timeout": "4s"},
            }
        ],
        "stores": [{"name": "main", "directory": {"path": str(directory / "store")}}],
        "encryption": {"enabled": False},
        "scratch_dir": str(directory),
        "operator": {"listen": "127.0.0.1:0", "catalogue_interval": "1s"},
        "page": {"enabled": True, "listen": "127.0.0.1:0", "token_file": str(directory / "token")},
    }


def damage(store: Path) -> None:
    """Flip a byte in the middle of every stored snapshot."""
    for data in store.rglob("data"):
        content = bytearray(data.read_bytes())
        content[len(content) // 2] ^= 1
        data.chmod(0o600)
        data.write_bytes(content)


def test_the_verdict_follows_what_is_so(
    fresh_cluster: Callable[..., LocalCluster],
    page_of: Callable[[LocalCluster], PageUnderTest],
    tmp_path: Path,
    etcd_binaries: EtcdBinaries,
) -> None:
    """Saved, drilled, without quorum, damaged: yes only when a drill has passed, no when nothing whole is left."""
    cluster = fresh_cluster(size=3)
    page = page_of(cluster)
    programs = json.dumps([str(etcd_binaries.etcd.parent)])
    cli = CommandLine(
        tmp_path, {"ETCD_DR_CONFIG": str(tmp_path / "etcd-dr.yaml"), "ETCD_DR_TOOLS__DIRECTORIES": programs}
    )
    page.wait_for("yes-but", "drill.never")

    drilled = cli("drill", "run")
    assert drilled.status == 0, drilled.err
    page.wait_for("yes", shown="<title>yes: prod")
    page.operator.wait_for(lambda: RECOVERABLE in page.operator.get("/metrics"), "metric that says the same")

    for name in ("m2", "m3"):
        cluster.member(name).kill()
    page.wait_for("yes-but", "quorum.lost", shown="etcd-dr recover assess --cluster prod")

    damage(tmp_path / "store")
    assert cli("snapshot", "verify").status == 1
    page.wait_for("no", "snapshot.none_proven", "quorum.lost", shown="<title>no: prod")

    with pytest.raises(urllib.error.HTTPError, match="401"):
        page.get("", token="guessed-guessed-guessed")
    assert page.operator.stop() == 0
    log = page.operator.log_file.read_text()
    assert TOKEN not in log


def test_a_page_that_anybody_could_see_is_refused_at_the_start(shared_cluster: LocalCluster, tmp_path: Path) -> None:
    """The process ends before it listens, and says what to write."""
    (tmp_path / "store").mkdir()
    config = settings(shared_cluster, tmp_path)
    config["page"] = {"enabled": True, "listen": "0.0.0.0:0"}

    operator = OperatorUnderTest(tmp_path, config)

    assert operator.process.wait(timeout=60) == 78
    assert "token_file or proxy" in operator.log_file.read_text()
