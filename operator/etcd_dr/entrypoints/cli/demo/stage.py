"""What the story needs: a real cluster, a store, a key; all in one directory that is gone afterwards.

- Nothing outlives the command, however it ends: the members die with this process, the directory is removed.
- Nothing leaves the machine: the members listen on loopback only.
"""

from __future__ import annotations

import base64
import subprocess
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pyrage

from etcd_dr.adapters.local_cluster import EtcdBinaries, LocalCluster, preferred_etcd_binaries
from etcd_dr.adapters.local_cluster.child import start_child
from etcd_dr.bootstrap.control_plane import open_control_plane
from etcd_dr.bootstrap.surroundings import Surroundings
from etcd_dr.config import Target
from etcd_dr.config.control_plane_model import ControlPlaneSection, LocalSection
from etcd_dr.config.etcd_model import EtcdSection
from etcd_dr.config.model import EncryptionSection
from etcd_dr.config.store_url import parse_store_url
from etcd_dr.config.tools_model import ToolsSection
from etcd_dr.errors import ToolMissing
from etcd_dr.ports.control_plane import ControlPlane

CLUSTER = "demo"
DIRECTORIES_VARIABLE = "ETCD_DR_ETCD_DIRS"
_WHERE_THE_ADAPTER_LOOKS_FIRST = "ETCD_DR_TEST_ETCD_DIRS"
_HOW_TO_GET_ETCD = (
    "Put etcd and etcdctl on PATH, name their directory with --etcd-dir or ETCD_DR_ETCD_DIRS, "
    "or in a clone of etcd-dr: make demo"
)


@dataclass(frozen=True, slots=True)
class Stage:
    """A healthy cluster of three, an empty store in a directory, and how both are reached."""

    cluster: LocalCluster
    target: Target
    store: Path
    directory: Path

    def write(self, keys: Iterable[str], *, value_bytes: int) -> None:
        """Write each key once, with a value that says which revision of it this is by its length."""
        with self.cluster.gateway() as gateway:
            for key in keys:
                gateway.put_through(key.encode(), base64.b64encode(key.encode() * value_bytes)[:value_bytes])

    def delete(self, keys: Iterable[str]) -> None:
        """Delete each key."""
        with self.cluster.gateway() as gateway:
            for key in keys:
                gateway.call_through("/v3/kv/deleterange", {"key": base64.b64encode(key.encode()).decode()})


def find_etcd(directory: Path | None, environment: Mapping[str, str]) -> EtcdBinaries:
    """Return the etcd to use. Raises ToolMissing where there is none, or none in the directory that was named."""
    if directory is not None and not all((directory / name).is_file() for name in ("etcd", "etcdctl")):
        raise ToolMissing("holds no etcd and etcdctl", subject=str(directory), next_step=_HOW_TO_GET_ETCD)
    named = str(directory) if directory is not None else environment.get(DIRECTORIES_VARIABLE)
    places = {_WHERE_THE_ADAPTER_LOOKS_FIRST: named} if named else {}
    try:
        return preferred_etcd_binaries({**environment, **places})
    except ToolMissing as error:
        raise ToolMissing(error.message, subject=error.subject, next_step=_HOW_TO_GET_ETCD) from error


@contextmanager
def set_stage(binaries: EtcdBinaries) -> Iterator[Stage]:
    """Start everything, lend it, and clear it away. Raises EtcdError when the cluster does not form."""
    with tempfile.TemporaryDirectory(prefix="etcd-dr-demo-", ignore_cleanup_errors=True) as name:
        directory = Path(name)
        store = directory / "store"
        store.mkdir(mode=0o700)
        with LocalCluster(directory / "etcd", binaries=binaries) as cluster:
            nodes = cluster.describe_nodes(directory / "nodes")
            yield Stage(cluster, _target(cluster, directory, nodes), store, directory)


@contextmanager
def open_nodes(stage: Stage, surroundings: Surroundings) -> Iterator[ControlPlane]:
    """Open the members' nodes; what is started on them dies with this process."""

    def start(command: Sequence[str], log: Path, environ: Mapping[str, str]) -> subprocess.Popen[bytes]:
        return start_child(command, log=log, environ=environ)

    with closing(open_control_plane(stage.target, surroundings, start=start)) as plane:
        yield plane


def _target(cluster: LocalCluster, directory: Path, nodes: Path) -> Target:
    tls, identity = cluster.client_tls, pyrage.x25519.Identity.generate()
    key_file = directory / "age.key"
    key_file.touch(mode=0o600)
    key_file.write_text(f"{identity}\n")
    return Target(
        name=CLUSTER,
        etcd=EtcdSection(endpoints=cluster.endpoints, cacert=tls.ca, cert=tls.certificate, key=tls.key),
        store=parse_store_url(str(directory / "store")),
        encryption=EncryptionSection(recipients=(str(identity.to_public()),), identity_files=(key_file,)),
        control_plane=ControlPlaneSection(platform="local", local=LocalSection(root=nodes)),
        tools=ToolsSection(directories=(cluster.binaries.etcd.parent,)),
        scratch_dir=directory,
    )
