"""From a real etcd to a person: the operator, a real Prometheus with the chart's rules, a real Alertmanager, a webhook.

Expressions are those of the chart with its own values; only `for` is shortened, because nobody waits ten minutes here.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from etcd_dr.adapters.local_cluster import EtcdBinaries, LocalCluster
from etcd_dr.adapters.local_cluster.child import free_ports
from real.alert_rules import chart_rules
from real.operator_process import OperatorUnderTest
from real.peers.monitoring import Alertmanager, Prometheus
from real.peers.webhook_receiver import WebhookReceiver
from real.quiet_cron import cron_of_half_a_day_ago
from real.slow_machine import SLOWNESS_IS_NO_FINDING
from real.test_dashboards import expressions

pytestmark = pytest.mark.matrix

_DEADLINE_SECONDS = 90
_UNHURT_SCRAPES = 8
_EMPTY_HERE = {
    # Nothing is wrong with this cluster.
    "etcd-dr-members: Alarms",
    "etcd-dr-members: Findings",
    "etcd-dr-snapshots: Errors",
    "etcd-dr-snapshots: Tasks that fail",
    # The command took and drilled the snapshot, so this operator has nothing to count.
    "etcd-dr-drills: Drills of the operator",
    "etcd-dr-snapshots: Duration",
    "etcd-dr-snapshots: Retention",
    "etcd-dr-snapshots: Runs by result",
    "etcd-dr-snapshots: Throughput",
    "etcd-dr-snapshots: Time in each phase of a run",
    "etcd-dr-snapshots: Verified again",
}


class Watched:
    """A cluster with everything that watches it; `alerts` and `messages` are what people got, in order."""

    def __init__(
        self,
        cluster: LocalCluster,
        directory: Path,
        programs: Callable[[str], Path],
        stack: ExitStack,
        *,
        tools: Path,
    ) -> None:
        self.cluster = cluster
        self.directory = directory
        self.store = directory / "store"
        self.store.mkdir()
        self._programs = programs
        self._tools = tools
        self._stack = stack
        self.alerts = stack.enter_context(WebhookReceiver())
        self.messages = stack.enter_context(WebhookReceiver())
        [self._dead_port] = free_ports(1)
        self._cron = cron_of_half_a_day_ago()

    def command(self, *words: str | Path) -> None:
        """Run the command as a person would, past the endpoint that the operator is nailed to."""
        config = self.directory / "by-hand.yaml"
        config.write_text(yaml.safe_dump(self._config()))
        done = subprocess.run(
            [Path(sys.executable).with_name("etcd-dr"), *words, "--config", config],
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert done.returncode == 0, done.stderr

    def watch(self, *, replicas: int = 1) -> None:
        """Start the operator, or several that know nothing of one another, and those who watch them."""
        config = self._config()
        config["clusters"][0]["snapshot"] = {"endpoint": f"https://127.0.0.1:{self._dead_port}"}
        operators = [self._operator(config, number) for number in range(replicas)]
        self.operator = operators[0]
        manager = Alertmanager(self._programs("prometheus-alertmanager"), self.directory, webhook=self.alerts.url)
        self._stack.enter_context(manager)
        self.prometheus = self._stack.enter_context(
            Prometheus(
                self._programs("prometheus"),
                self.directory,
                targets=[str(operator.of("operator.started")[0]["listen"]) for operator in operators],
                rules=_hurried(chart_rules(self._programs("helm"))),
                alertmanager=manager,
            )
        )

    def _operator(self, config: dict[str, Any], number: int) -> OperatorUnderTest:
        directory = self.directory / f"operator-{number}"
        directory.mkdir()
        operator = OperatorUnderTest(directory, config)
        self._stack.callback(_end, operator)
        operator.wait_for(lambda: operator.of("operator.started"), "start")
        return operator

    def told(self, alert: str) -> list[dict[str, Any]]:
        """Return what the receiver got of one alert, oldest first."""
        return [told for posted in self.alerts.posted for told in posted.body["alerts"] if _name(told) == alert]

    def status(self, alert: str) -> str:
        """Return the last word on one alert: firing, resolved, or nothing."""
        told = self.told(alert)
        return str(told[-1]["status"]) if told else ""

    def wait_until(self, alert: str, status: str) -> None:
        self.operator.wait_for(lambda: self.status(alert) == status, f"{alert} {status}", seconds=_DEADLINE_SECONDS)

    def wait_for_messages(self, status: str, *codes: str) -> None:
        """Return once the operator's own messages said of each that it was raised, or that it was resolved."""
        wanted = {(code, status) for code in codes}
        self.operator.wait_for(lambda: wanted <= self.conditions(), f"messages: {codes} {status}")

    def unanswered(self) -> set[str]:
        """Return the places of expressions that have no answer, though something happened to be answered."""
        return {place for place, expr in expressions() if not self.prometheus.query(expr)} - _EMPTY_HERE

    def conditions(self) -> set[tuple[str, str]]:
        """Return what the operator's own messages said: code and status of every condition."""
        return {(c["code"], c["status"]) for posted in self.messages.posted for c in posted.body["conditions"]}

    def _config(self) -> dict[str, Any]:
        tls = self.cluster.client_tls
        etcd = {"cacert": str(tls.ca), "cert": str(tls.certificate), "key": str(tls.key)}
        receiver = {"name": "own", "format": "generic", "url": self.messages.url, "settle": "0s"}
        return {
            "clusters": [
                {
                    "name": "prod",
                    "etcd": {"endpoints": list(self.cluster.endpoints), **etcd},
                    "store": "main",
                    "schedule": {"cron": self._cron},
                    "objectives": {"rpo": "2d", "rto": "1h"},
                    "drill": {"max_age": "8d"},
                    "health": {"interval": "1s", "timeout": "5s", "thresholds": SLOWNESS_IS_NO_FINDING},
                }
            ],
            "stores": [{"name": "main", "directory": {"path": str(self.store)}}],
            "encryption": {"enabled": False},
            "scratch_dir": str(self.directory),
            "tools": {"directories": [str(self._tools)]},
            "operator": {"listen": "127.0.0.1:0", "catalogue_interval": "1s"},
            "notifications": [receiver],
        }


@pytest.fixture
def election_milliseconds() -> int:
    """Rare enough, and soon enough for a survivor to notice that it is alone."""
    return 1500


@pytest.fixture
def watched(
    fresh_cluster: Callable[..., LocalCluster],
    election_milliseconds: int,
    etcd_binaries: EtcdBinaries,
    stock_program: Callable[[str], Path],
    tmp_path: Path,
) -> Iterator[Watched]:
    with ExitStack() as stack:
        cluster = fresh_cluster(
            size=3, heartbeat_milliseconds=100, election_milliseconds=election_milliseconds
        )  # only where we want one
        gateway = cluster.gateway()
        for number in range(50):
            gateway.put_through(b"/registry/pods/%d" % number, b"x" * 200)
        yield Watched(cluster, tmp_path, stock_program, stack, tools=Path(etcd_binaries.etcd).parent)


def test_what_goes_wrong_reaches_a_person_and_its_end_too(watched: Watched) -> None:
    """A stale snapshot, a damaged one, a lost quorum: raised at the receiver, and resolved when they are over."""
    four_days_ago = datetime.now(UTC) - timedelta(days=4)
    file = watched.directory / "old.db"
    watched.command("snapshot", "save", file)
    watched.command("snapshot", "import", file, "--taken-at", four_days_ago.isoformat())

    watched.watch()
    watched.wait_until("EtcdDRSnapshotStale", "firing")
    watched.wait_until("EtcdDRSnapshotStaleCritical", "firing")
    stale = watched.told("EtcdDRSnapshotStaleCritical")[0]
    watched.command("snapshot", "save")
    watched.wait_until("EtcdDRSnapshotStaleCritical", "resolved")
    watched.wait_until("EtcdDRSnapshotStale", "resolved")

    [_, newest] = sorted(watched.store.rglob("data"))
    whole = newest.read_bytes()
    newest.chmod(0o600)
    newest.write_bytes(whole[:-1])
    watched.wait_until("EtcdDRStoredObjectDamaged", "firing")
    newest.write_bytes(whole)
    watched.wait_until("EtcdDRStoredObjectDamaged", "resolved")

    victims = watched.cluster.members[1:]
    for member in victims:
        member.kill()
    watched.wait_until("EtcdDRQuorumLost", "firing")
    watched.wait_for_messages("raised", "quorum.lost")  # the alert is for what cannot be told, too
    for member in victims:
        member.start()
    watched.wait_until("EtcdDRQuorumLost", "resolved")

    assert stale["labels"]["cluster"] == "prod"
    assert stale["labels"]["severity"] == "critical"
    assert "It was taken 4d" in stale["annotations"]["description"]
    assert stale["annotations"]["runbook_url"].endswith("/snapshots.md")
    watched.wait_for_messages("raised", "snapshot.stale", "snapshot.damaged_newest", "quorum.lost")
    watched.wait_for_messages("resolved", "snapshot.stale", "snapshot.damaged_newest", "quorum.lost")
    assert "s3cr3t" not in watched.operator.log_file.read_text() + watched.operator.get("/metrics")


def test_two_replicas_make_one_alert(watched: Watched) -> None:
    """Both expose every series; a person is called once for each thing that is wrong."""
    watched.command("snapshot", "save")
    watched.watch(replicas=2)
    watched.operator.wait_for(lambda: watched.prometheus.query("count(etcd_dr_voters) == 2"), "two views")

    for member in watched.cluster.members[1:]:
        member.kill()
    watched.wait_until("EtcdDRQuorumLost", "firing")
    watched.wait_until("EtcdDRSeveralLeaders", "firing")

    assert len({told["fingerprint"] for told in watched.told("EtcdDRQuorumLost")}) == 1
    assert "2 processes of etcd-dr lead prod" in watched.told("EtcdDRSeveralLeaders")[0]["annotations"]["summary"]


@pytest.mark.parametrize("election_milliseconds", [15_000])  # an election is a reason to wake somebody
def test_healthy_cluster_wakes_nobody(watched: Watched) -> None:
    """No alert and no message, with every `for` shortened: what is all right is quiet from the first second on."""
    for _ in range(2):
        watched.command("snapshot", "save")
    watched.command("drill", "run")

    watched.watch()
    often = f"count_over_time(etcd_dr_restorable_points[1m]) >= {_UNHURT_SCRAPES} and on () etcd_dr_member_up == 1"
    watched.operator.wait_for(lambda: watched.prometheus.query(often), "scrapes")

    held = watched.prometheus.get("/api/v1/alerts")["data"]["alerts"]
    assert [(a["labels"]["alertname"], a["annotations"]["summary"]) for a in held if a["state"] == "firing"] == []
    assert watched.alerts.posted == []
    assert watched.messages.posted == []


def test_dashboards_show_a_real_cluster(watched: Watched) -> None:
    """Every expression is answered, and what stays empty is what has not happened to this cluster."""
    watched.command("snapshot", "save")
    watched.command("drill", "run")
    watched.watch()
    watched.operator.wait_for(
        lambda: watched.prometheus.query("count_over_time(etcd_dr_restorable_points[1m]) >= 5"), "scrapes"
    )

    end = time.monotonic() + _DEADLINE_SECONDS
    while (unanswered := watched.unanswered()) and time.monotonic() < end:
        pass  # each look asks dozens of questions; what is measured rarely comes a little later

    assert sorted(unanswered) == []


def _hurried(rules: dict[str, Any]) -> dict[str, Any]:
    """Return the rules with every `for` of a minute or more cut to two seconds."""
    groups = [
        {**group, "rules": [{**rule, **({"for": "2s"} if "for" in rule else {})} for rule in group["rules"]]}
        for group in rules["groups"]
    ]
    return {"groups": groups}


def _name(told: dict[str, Any]) -> str:
    return str(told["labels"]["alertname"])


def _end(operator: OperatorUnderTest) -> None:
    if operator.process.poll() is None:
        operator.stop()
