"""(e) A health round of five members, in one process: what of it is ours, and what is etcd's.

- *rules*: the pure evaluation of one observation, alone and with four hours of history.
- *fakes*: a whole round over members in memory: threads, answers, rules, events.
- *real*: a whole round against five real members with mutual TLS, with and without a look at the peer ports. Every
  round makes its connections anew, as the operator does, so that rotated certificates are picked up.
- *one stands still*: the same with one member paused; the round must cost one deadline (3 s) and not more.

Medians and the slowest of all rounds, in milliseconds, and the processor time of this process for one round.

    PYTHONPATH=tests .venv/bin/python tests/bench/bench_health.py [--rounds 50]
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

from etcd_dr.adapters.etcd.access import EtcdAccess
from etcd_dr.adapters.etcd.connector import GrpcEtcdConnector
from etcd_dr.adapters.local_cluster import ClusterSettings, LocalCluster
from etcd_dr.adapters.local_cluster.binaries import preferred_etcd_binaries
from etcd_dr.adapters.member_probe import HttpMemberProbe, ProbeFiles
from etcd_dr.adapters.system_clock import SystemClock
from etcd_dr.domain.health_history import remember
from etcd_dr.domain.health_rules import evaluate
from etcd_dr.domain.observation import Observation
from etcd_dr.ports.etcd import EtcdConnector
from etcd_dr.ports.member_probe import MemberProbe
from etcd_dr.workflows.check_health import HealthWatch
from etcd_dr.workflows.observe_cluster import ClusterObserver
from fakes.etcd import FakeCluster, FakeEtcdConnector, FakeMember
from fakes.events import RecordingEvents
from fakes.member_probe import FakeMemberProbe
from fakes.observations import earlier, healthy

MEMBERS = 5


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=50)
    rounds = parser.parse_args().rounds
    print(f"| {'round of five members':<44} | median ms | slowest ms | CPU ms |")
    print(f"|{'-' * 46}|----------:|-----------:|-------:|")
    seen = healthy(MEMBERS)
    past = four_hours_of(seen)
    measure("rules alone", rounds, lambda: evaluate(seen, cluster="bench"))
    measure(f"rules with history ({len(past)} rounds)", rounds, lambda: evaluate(seen, cluster="bench", history=past))
    fakes = FakeCluster(*(FakeMember(f"m{n}", n, f"https://m{n}.example:2379") for n in range(1, MEMBERS + 1)))
    measure("over fakes", rounds, watch(FakeEtcdConnector(fakes), FakeMemberProbe(fakes)).round)
    with tempfile.TemporaryDirectory() as directory:
        settings = ClusterSettings(size=MEMBERS)
        binaries = preferred_etcd_binaries(os.environ)
        with LocalCluster(Path(directory), binaries=binaries, settings=settings) as cluster:
            measure_real(cluster, rounds)


def measure_real(cluster: LocalCluster, rounds: int) -> None:
    tls, clock = cluster.client_tls, SystemClock()
    access = EtcdAccess(cluster.endpoints, ca_file=tls.ca, cert_file=tls.certificate, key_file=tls.key)
    connector = GrpcEtcdConnector(access, clock=clock)
    probe = HttpMemberProbe(ProbeFiles(tls.ca, tls.certificate, tls.key), clock=clock)
    name = f"etcd {cluster.binaries.version}, mTLS"
    with_peers = watch(connector, probe, peers_every=timedelta(0))
    without = watch(connector, probe)
    without.round()
    measure(name, rounds, without.round)
    measure(f"{name}, with peer ports", rounds, with_peers.round)
    cluster.members[-1].pause()
    try:
        measure(f"{name}, one stands still", min(rounds, 3), without.round)
    finally:
        cluster.members[-1].resume()


def watch(connector: EtcdConnector, probe: MemberProbe, *, peers_every: timedelta = timedelta(hours=1)) -> HealthWatch:
    observer = ClusterObserver(connector, probe, clock=SystemClock())
    return HealthWatch(cluster="bench", observer=observer, events=RecordingEvents(), peers_every=peers_every)


def four_hours_of(seen: Observation) -> tuple[Observation, ...]:
    history: tuple[Observation, ...] = ()
    for half_minute in range(480, 0, -1):
        history = remember(history, earlier(seen, minutes=half_minute / 2))
    return history


def measure(name: str, rounds: int, run: Callable[[], object]) -> None:
    """Print one row; the first run warms up and is not counted."""
    run()
    walls = []
    cpu_begun = time.process_time()
    for _ in range(rounds):
        begun = time.perf_counter()
        run()
        walls.append(time.perf_counter() - begun)
    cpu = (time.process_time() - cpu_begun) / rounds
    print(f"| {name:<44} | {statistics.median(walls) * 1e3:9.1f} | {max(walls) * 1e3:10.1f} | {cpu * 1e3:6.1f} |")


if __name__ == "__main__":
    main()
