"""The kube-apiserver as pytest fixtures; loaded for the whole suite, started only where a test asks for one."""

from __future__ import annotations

import contextlib
import os
import tempfile
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from etcd_dr.adapters.local_cluster import EtcdBinaries, preferred_etcd_binaries
from etcd_dr.errors import ToolMissing
from real.peers.kube_apiserver import KubeApiserver, find_kube_apiserver

_NONE = "no kube-apiserver at hand: run `make envtest`, or name envtest's directory in KUBEBUILDER_ASSETS"


@pytest.fixture(scope="session")
def kube_apiserver_program() -> Path:
    """The program; a machine without one skips, and fails where ETCD_DR_TEST_REQUIRE_TOOLS says that it must not."""
    program = find_kube_apiserver()
    if program is None and os.environ.get("ETCD_DR_TEST_REQUIRE_TOOLS") == "1":
        pytest.fail(_NONE)
    if program is None:
        pytest.skip(_NONE)
    return program


@pytest.fixture(scope="session")
def kube_etcd() -> EtcdBinaries:
    """The etcd below the API server: always the preferred one, whatever versions a test runs over."""
    try:
        return preferred_etcd_binaries(os.environ)
    except ToolMissing as error:
        pytest.skip(f"{error.message}: {error.next_step}")


@pytest.fixture(scope="session")
def kube_apiserver(kube_apiserver_program: Path, kube_etcd: EtcdBinaries) -> Iterator[KubeApiserver]:
    """A running server shared with other tests: use a namespace of your own (`kube_namespace`) and leave it running."""
    with _server(kube_apiserver_program, kube_etcd) as server:
        yield server


@pytest.fixture
def fresh_kube_apiserver(
    kube_apiserver_program: Path, kube_etcd: EtcdBinaries
) -> Iterator[Callable[[], KubeApiserver]]:
    """Start servers of this test's own, to be killed or paused: `server = fresh_kube_apiserver()`."""
    with contextlib.ExitStack() as stack:
        yield lambda: stack.enter_context(_server(kube_apiserver_program, kube_etcd))


@pytest.fixture
def kube_namespace(kube_apiserver: KubeApiserver) -> str:
    """A new namespace of this test's own in `kube_apiserver`."""
    return kube_apiserver.make_namespace(f"test-{uuid.uuid4().hex[:12]}")


@contextlib.contextmanager
def _server(program: Path, etcd_binaries: EtcdBinaries) -> Iterator[KubeApiserver]:
    with (
        tempfile.TemporaryDirectory(prefix="etcd-dr-test-", ignore_cleanup_errors=True) as directory,
        KubeApiserver(Path(directory), program=program, etcd_binaries=etcd_binaries) as server,
    ):
        yield server
