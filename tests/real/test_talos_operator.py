"""The operator on a Talos cluster, as it runs in a pod: os:etcd:backup alone, and a talosconfig that is renewed."""

from __future__ import annotations

import json
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import yaml

from etcd_dr.adapters.local_cluster.child import start_child
from real.peers.talos import TalosDouble
from real.peers.talos.roles import ETCD_BACKUP
from real.quiet_cron import cron_of_half_a_day_ago

DEADLINE_SECONDS = 60


@contextmanager
def operator(double: TalosDouble, directory: Path) -> Iterator[Callable[[str], list[dict[str, object]]]]:
    """Run it, and lend a function that returns its log events of a name."""
    config = double.talosconfig("pod", roles=(ETCD_BACKUP,), endpoints=double.endpoints[:1])
    (directory / "store").mkdir()
    cluster = {
        "name": "prod",
        "talos": {"config_file": str(config)},
        "store": "main",
        "schedule": {"cron": cron_of_half_a_day_ago()},
        "health": {"interval": "5s"},
    }
    settings = {
        "clusters": [cluster],
        "stores": [{"name": "main", "directory": {"path": str(directory / "store")}}],
        "encryption": {"enabled": False},
        "scratch_dir": str(directory),
        "operator": {"listen": "127.0.0.1:0"},
    }
    file, log = directory / "etcd-dr.yaml", directory / "operator.log"
    file.write_text(yaml.safe_dump(settings))
    process = start_child([Path(sys.executable).with_name("etcd-dr"), "operator", "--config", file], log=log)
    try:
        yield lambda event: [told for told in _lines(log) if told["event"] == event]
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=40)


def _lines(log: Path) -> list[dict[str, object]]:
    """Return what was logged; the last line may be in the making."""
    whole = log.read_text().rpartition("\n")[0]
    return [json.loads(line) for line in whole.splitlines()]


def test_first_snapshot_is_taken_at_once_with_the_least_role(shared_talos: TalosDouble, tmp_path: Path) -> None:
    """Nothing but os:etcd:backup: a snapshot that is proven, and health rounds that see the cluster."""
    with operator(shared_talos, tmp_path) as events:
        end = time.monotonic() + DEADLINE_SECONDS
        while not (events("snapshot.committed") and any(r["quorum"] == "held" for r in events("health.checked"))):
            assert time.monotonic() < end, (tmp_path / "operator.log").read_text()[-3000:]
            time.sleep(0.1)

        committed = events("snapshot.committed")[0]
        rounds = events("health.checked")

    assert committed["proven"] == "intact"
    assert next(r for r in rounds if r["quorum"] == "held")["members"] == 3
