"""What holds for every test: the real peers are on offer, and properties are tried without a stopwatch."""

from __future__ import annotations

import os
import signal
from collections import defaultdict
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

pytest_plugins = [
    "real.peers.fixtures",
    "real.peers.talos_fixtures",
    "real.peers.kube_fixtures",
    "real.peers.chart_fixtures",
]

# A noisy machine is no counterexample, and the same examples are tried everywhere: a change is judged by what it changed.
# Whoever looks for new ones asks for them; one that is found is printed so that it can be pasted into a test.
settings.register_profile(
    "etcd-dr",
    deadline=None,
    print_blob=True,
    derandomize="ETCD_DR_TEST_NEW_EXAMPLES" not in os.environ,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("etcd-dr")

# A program at a terminal is forked off this process, in which the commands under test have loaded gRPC. What gRPC would do
# between fork and exec serves nobody here; the program itself never forks once gRPC is loaded (boltdb/hiring.py).
os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")

# Whoever runs the tests in the background may ignore signals, and what is ignored is inherited: the programs under test
# would never hear the Ctrl-C that a test sends them. A handler of our own is not inherited.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
    signal.signal(signal.SIGHUP, lambda _number, _frame: None)


# A member that is down while a test goes on would lose its port now and then to what another worker starts.
if "PYTEST_XDIST_WORKER" in os.environ:
    _number = int(os.environ["PYTEST_XDIST_WORKER"].removeprefix("gw"))
    _share = (32_768 - 10_240) // int(os.environ["PYTEST_XDIST_WORKER_COUNT"])
    _first = 10_240 + _number * _share
    os.environ["ETCD_DR_TEST_PORTS"] = f"{_first}-{_first + _share - 1}"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the files whose tests may take longest: begun last, one worker would be at it long after the others."""
    longest: dict[Path, float] = defaultdict(float)
    for item in items:
        limit = item.get_closest_marker("timeout")
        if limit is not None and limit.args:
            longest[item.path] = max(longest[item.path], float(limit.args[0]))
    items.sort(key=lambda item: -longest[item.path])
