"""(h) What leases cost: a round of one process over a real API server, and how long a cluster is without a leader.

- *round*: one list and one write for each lease that is held, in a thread of its own.
- *killed*: two holders in this process with the default timings; one ends without a word, the other one follows.

    PYTHONPATH=tests .venv/bin/python tests/bench/bench_leases.py [--leases 50] [--take-over]
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import tempfile
import time
from pathlib import Path

from etcd_dr.adapters.kubernetes.client import KubernetesApi, open_api
from etcd_dr.adapters.kubernetes.leases import KubernetesLeases
from etcd_dr.adapters.local_cluster.binaries import preferred_etcd_binaries
from etcd_dr.adapters.system_clock import SystemClock, steady_seconds
from etcd_dr.domain.leadership import LeaseTimings
from etcd_dr.workflows.hold_leases import LeaseHolder, LeaseHooks
from real.peers.kube_apiserver import KubeApiserver, find_kube_apiserver

ROUNDS = 20


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--leases", type=int, default=50)
    parser.add_argument("--take-over", action="store_true", help="takes a minute")
    asked = parser.parse_args()
    program, binaries = find_kube_apiserver(), preferred_etcd_binaries(os.environ)
    if program is None or binaries is None:
        raise SystemExit("needs kube-apiserver and etcd: make envtest tools")
    with (
        tempfile.TemporaryDirectory() as directory,
        KubeApiserver(Path(directory), program=program, etcd_binaries=binaries) as server,
    ):
        api = open_api(kubeconfig=server.admin_kubeconfig, namespace="default")
        names = [f"etcd-dr-c{number}" for number in range(asked.leases)]
        first = holder("a", names, api)
        first.round()
        measure(first, asked.leases)
        if asked.take_over:
            measure_take_over(holder("b", names, api), names)
        api.close()


def measure(first: LeaseHolder, leases: int) -> None:
    seconds, cpu = [], cpu_seconds()
    for _ in range(ROUNDS):
        begun = time.monotonic()
        first.round()
        seconds.append(time.monotonic() - begun)
    cpu = (cpu_seconds() - cpu) / ROUNDS
    print(
        f"round of {leases} held leases: median {statistics.median(seconds) * 1000:.0f} ms, "
        f"slowest {max(seconds) * 1000:.0f} ms, processor time {cpu * 1000:.0f} ms"
    )


def measure_take_over(second: LeaseHolder, names: list[str]) -> None:
    """The first holder's last round is just over."""
    died = time.monotonic()
    while not all(second.leads(name) for name in names):
        second.round()
        time.sleep(LeaseTimings().retry_seconds)
    print(
        f"take-over of {len(names)} leases after a death: {time.monotonic() - died - LeaseTimings().retry_seconds:.1f} s"
    )


def holder(name: str, names: list[str], api: KubernetesApi) -> LeaseHolder:
    timings = LeaseTimings()
    return LeaseHolder(
        names,
        me=name,
        leases=KubernetesLeases(api, group="etcd-dr", seconds=timings.request_seconds),
        timings=timings,
        clock=SystemClock(),
        now=steady_seconds,
        hooks=LeaseHooks(begun=lambda *_: None, ended=lambda *_: None, may_give=lambda _: False, kept=lambda _: None),
    )


def cpu_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    main()
