"""What holds for every test: the real peers are on offer, and properties are tried without a stopwatch."""

from __future__ import annotations

from hypothesis import settings

pytest_plugins = ["real.peers.fixtures", "real.peers.talos_fixtures"]

# A noisy machine is no counterexample; a found one is printed so that it can be pasted into a test.
settings.register_profile("etcd-dr", deadline=None, print_blob=True)
settings.load_profile("etcd-dr")
