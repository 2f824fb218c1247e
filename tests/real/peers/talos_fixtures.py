"""The double of a Talos control plane as pytest fixtures; loaded for the whole suite, started where a test asks for it.

- `talos_double(nodes=1, ...)` makes one of the test's own, with the fields of TalosSettings; `shared_talos` is one of
  three nodes for tests that leave it as it was.
- Its etcd is what `etcd_binaries` says, so `every_etcd` works here too. Restores need etcdutl: 3.5 or later.
- `talosctl` is the stock program where PATH or the tools have it, and skips where they do not.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from etcd_dr.adapters.local_cluster import EtcdBinaries
from real.peers.talos import TalosDouble, TalosRelease, TalosSettings

_SECONDS = 60


@pytest.fixture
def talos_double(etcd_binaries: EtcdBinaries) -> Iterator[Callable[..., TalosDouble]]:
    """Make doubles of this test's own: `talos_double(nodes=1, release="1.9.5", start="unbootstrapped")`."""
    with contextlib.ExitStack() as stack:
        yield lambda **settings: stack.enter_context(_running(etcd_binaries, **settings))


@pytest.fixture(scope="session")
def _talos_of_session(etcd_binaries: EtcdBinaries) -> Iterator[TalosDouble]:
    with _running(etcd_binaries) as double:
        yield double


@pytest.fixture
def shared_talos(_talos_of_session: TalosDouble) -> TalosDouble:
    """Three healthy nodes shared with other tests: turn no faults that you do not turn back, and leave the members."""
    _talos_of_session.wait_until_healthy()
    return _talos_of_session


@pytest.fixture(scope="session")
def talosctl() -> Callable[..., str]:
    """Run the stock talosctl: `talosctl(talosconfig, "etcd", "members")`; returns what it printed."""
    tools = Path(os.environ.get("ETCD_DR_TOOLS_DIR") or ".tools").absolute()
    program = shutil.which("talosctl", path=f"{tools / 'bin'}:{os.environ.get('PATH', '')}")
    if program is None:
        pytest.skip("no talosctl at hand: put the stock program on PATH")

    def run(talosconfig: Path, *arguments: str | Path, expect_failure: bool = False) -> str:
        done = subprocess.run(
            [program, "--talosconfig", talosconfig, *arguments],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_SECONDS,
            check=False,
        )
        if (done.returncode != 0) is not expect_failure:
            raise subprocess.CalledProcessError(done.returncode, arguments, done.stdout, done.stderr)
        return done.stdout + done.stderr

    return run


@contextlib.contextmanager
def _running(binaries: EtcdBinaries, *, release: str = "1.13.9", **settings: Any) -> Iterator[TalosDouble]:
    with tempfile.TemporaryDirectory(prefix="etcd-dr-talos-", ignore_cleanup_errors=True) as directory:
        whole = TalosSettings(binaries=binaries, release=TalosRelease.parse(release), **settings)
        with TalosDouble(Path(directory), settings=whole) as double:
            yield double
