"""The real peers as pytest fixtures; loaded for the whole suite, started only where a test asks for them.

- `etcd_binaries` decides which etcd a test meets. Without more it is the newest 3.5; a test marked `every_etcd` runs
  once for each version at hand, and everything else here (clusters, stock tools) follows it.
- Session-scoped peers exist once per worker, and the tests of one file share a worker (Makefile). Tests that break one ask for their own (`fresh_cluster`, `fresh_s3`).
- What is not at hand skips the test and says what would bring it.
"""

from __future__ import annotations

import contextlib
import functools
import os
import shutil
import tempfile
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from etcd_dr.adapters.local_cluster import (
    ClusterSettings,
    EtcdBinaries,
    LocalCluster,
    find_etcd_binaries,
    preferred_etcd_binaries,
)
from etcd_dr.errors import ToolMissing
from real.peers.control_planes import Plane, local_plane, static_pod_plane, systemd_plane
from real.peers.etcd_tools import StockTools
from real.peers.load_writer import LoadWriter
from real.peers.rclone import RcloneS3
from real.peers.sshd import SshdProgram, find_sshd
from real.peers.sshd import why_not as why_no_sshd
from real.peers.tcp_proxy import TcpProxy
from real.peers.weed import WeedS3

_NO_ETCD = "no etcd at hand: run `make tools`, or name directories in ETCD_DR_TEST_ETCD_DIRS"


@functools.cache
def _etcd_at_hand() -> dict[str, EtcdBinaries]:
    return {binaries.version: binaries for binaries in find_etcd_binaries(os.environ)}


@functools.cache
def _preferred_version() -> str | None:
    try:
        return preferred_etcd_binaries(os.environ).version
    except ToolMissing:
        return None


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers", "every_etcd: runs once for each etcd version at hand, not only for the newest 3.5"
    )


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "etcd_binaries" not in metafunc.fixturenames:
        return
    preferred = _preferred_version()
    versions = [] if preferred is None else [preferred]
    if metafunc.definition.get_closest_marker("every_etcd"):
        versions = list(_etcd_at_hand())
    params: list[Any] = [pytest.param(version, id=f"etcd-{version}") for version in versions]
    absent = pytest.param(None, id="no-etcd", marks=pytest.mark.skip(reason=_NO_ETCD))
    metafunc.parametrize("etcd_binaries", params or [absent], indirect=True, scope="session")


@pytest.fixture(scope="session")
def etcd_binaries(request: pytest.FixtureRequest) -> EtcdBinaries:
    """The etcd programs that this test meets; `etcd_binaries.version` and `.release` say which."""
    return _etcd_at_hand()[request.param]


@pytest.fixture(scope="session")
def stock_tools(etcd_binaries: EtcdBinaries) -> StockTools:
    """etcd's own etcdctl and etcdutl, of the same version as the members."""
    return StockTools(etcd_binaries)


@pytest.fixture(scope="session")
def stock_program() -> Callable[[str], Path]:
    """Find a stock program that `make tools` fetched or PATH has: `stock_program("age")`, `age-keygen`, `zstd`."""

    def find(name: str) -> Path:
        tools = Path(os.environ.get("ETCD_DR_TOOLS_DIR") or ".tools").absolute()
        found = shutil.which(name, path=f"{tools / 'bin'}:{os.environ.get('PATH', '')}")
        if found is None:
            pytest.skip(f"no {name} at hand: run `make tools`, or install it")
        return Path(found)

    return find


@pytest.fixture(scope="session")
def _cluster_of_session(etcd_binaries: EtcdBinaries) -> Iterator[LocalCluster]:
    with _scratch_directory() as directory, LocalCluster(directory, binaries=etcd_binaries) as cluster:
        yield cluster


@pytest.fixture
def shared_cluster(_cluster_of_session: LocalCluster) -> LocalCluster:
    """Three healthy members with mutual TLS, shared with other tests: use keys of your own, and leave it as it was."""
    _cluster_of_session.start()
    _cluster_of_session.wait_until_healthy()
    return _cluster_of_session


@pytest.fixture
def fresh_cluster(etcd_binaries: EtcdBinaries) -> Iterator[Callable[..., LocalCluster]]:
    """Make clusters of this test's own: `fresh_cluster(size=1, quota_bytes=...)`, with ClusterSettings' fields."""
    with contextlib.ExitStack() as stack:

        def form(**settings: Any) -> LocalCluster:
            directory = stack.enter_context(_scratch_directory())
            cluster = LocalCluster(directory, binaries=etcd_binaries, settings=ClusterSettings(**settings))
            return stack.enter_context(cluster)

        yield form


@pytest.fixture
def load_writer() -> Iterator[Callable[..., LoadWriter]]:
    """Write into a cluster until the test ends: `load = load_writer(cluster, seed=1)`, then `load.wait_for(200)`."""
    with contextlib.ExitStack() as stack:
        yield lambda cluster, **options: stack.enter_context(LoadWriter(cluster, **options))


@pytest.fixture(scope="session")
def s3_server() -> Iterator[WeedS3]:
    """A real S3 server that keeps its word; tests make buckets of their own in it, see `s3_bucket`."""
    with _scratch_directory() as directory, WeedS3(directory) as server:
        yield server


@pytest.fixture
def fresh_s3() -> Iterator[Callable[..., WeedS3]]:
    """Start S3 servers of this test's own, to be killed or spoken to over TLS: `fresh_s3(tls=...)`."""
    with contextlib.ExitStack() as stack:

        def start(**options: Any) -> WeedS3:
            return stack.enter_context(WeedS3(stack.enter_context(_scratch_directory()), **options))

        yield start


@pytest.fixture
def s3_bucket(s3_server: WeedS3) -> str:
    """A new and empty bucket of this test's own in `s3_server`."""
    return s3_server.make_bucket(f"test-{uuid.uuid4().hex[:12]}")


@pytest.fixture(scope="session")
def lying_s3_server() -> Iterator[RcloneS3]:
    """A real S3 server that ignores If-None-Match without saying so."""
    with _scratch_directory() as directory, RcloneS3(directory) as server:
        yield server


@pytest.fixture
def tcp_proxy() -> Iterator[Callable[[int], TcpProxy]]:
    """Put a proxy with faults before a port of 127.0.0.1: `proxy = tcp_proxy(member.settings.client_port)`."""
    with contextlib.ExitStack() as stack:
        yield lambda target_port: stack.enter_context(TcpProxy(target_port))


@pytest.fixture
def local_control_plane(fresh_cluster: Callable[..., LocalCluster]) -> Iterator[Callable[..., Plane]]:
    """Make control planes of local processes over clusters of this test's own: `local_control_plane(size=3)`."""
    with contextlib.ExitStack() as stack:
        yield lambda **settings: stack.enter_context(local_plane(fresh_cluster(**settings)))


@pytest.fixture(scope="session")
def sshd_program() -> SshdProgram:
    """A real ssh server, to be started with `real.peers.sshd.Sshd`."""
    program, obstacle = find_sshd(os.environ), why_no_sshd(os.environ)
    if program is None or obstacle:
        pytest.skip(obstacle)
    return program


@pytest.fixture
def static_pod_control_plane(
    fresh_cluster: Callable[..., LocalCluster], sshd_program: SshdProgram
) -> Iterator[Callable[..., Plane]]:
    """Make control planes of static pods behind real sshd: `static_pod_control_plane(size=3)`."""
    with contextlib.ExitStack() as stack:
        yield lambda **settings: stack.enter_context(static_pod_plane(fresh_cluster(**settings), sshd_program))


@pytest.fixture
def systemd_control_plane(
    fresh_cluster: Callable[..., LocalCluster], sshd_program: SshdProgram
) -> Iterator[Callable[..., Plane]]:
    """Make control planes of systemd units behind real sshd: `systemd_control_plane(size=3)`."""
    with contextlib.ExitStack() as stack:
        yield lambda **settings: stack.enter_context(systemd_plane(fresh_cluster(**settings), sshd_program))


@contextlib.contextmanager
def _scratch_directory() -> Iterator[Path]:
    """Lend a directory that goes away at once: a member's files take 130 MB, and pytest keeps those of three runs."""
    with tempfile.TemporaryDirectory(prefix="etcd-dr-test-", ignore_cleanup_errors=True) as directory:
        yield Path(directory)
