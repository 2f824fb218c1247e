"""Snapshots of a Talos control plane through its machine API, with the least role, and with every fault on the way."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyrage
import pytest
import yaml
import zstandard

from etcd_dr.adapters.local_cluster import EtcdBinaries
from real.peers.etcd_tools import StockTools
from real.peers.talos import TalosDouble
from real.peers.talos.faults import Faults
from real.peers.talos.pki import Authority
from real.peers.talos.roles import ADMIN, ETCD_BACKUP, READER
from scenarios.command_line import CommandLine, Done

MakeDouble = Callable[..., TalosDouble]
SETTLED_SECONDS = 60.0


class Station:
    """The command beside one control plane, with a store of its own."""

    def __init__(self, double: TalosDouble, directory: Path) -> None:
        self.double = double
        self.directory = directory
        self.cli = CommandLine(directory, {"ETCD_DR_ENCRYPTION__ENABLED": "false"})

    def __call__(self, *words: object, roles: tuple[str, ...] = (ETCD_BACKUP,), **made: Any) -> Done:
        config = self.double.talosconfig("-".join(roles).replace(":", "_"), roles=roles, **made)
        return self.cli(*words, "--talosconfig", config, "-o", "json", "--store", self.cli.store)

    def save(self, *words: object, **how: Any) -> dict[str, Any]:
        done = self("snapshot", "save", *words, **how)
        assert done.status == 0, done.err
        return done.document

    def save_with_names(self, *words: object, **how: Any) -> dict[str, Any]:
        """Save, and again where an election kept a node from telling who it is: Talos reads names through quorum."""
        done = undisturbed(
            lambda: self("snapshot", "save", *words, **how), lambda _: bool(self.manifest["source"]["member_name"])
        )
        assert done.status == 0, done.err
        return done.document

    @property
    def manifest(self) -> dict[str, Any]:
        """The manifest of the newest snapshot."""
        found: dict[str, Any] = self("snapshot", "show", "latest").document["manifest"]
        return found

    @property
    def stored(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self("snapshot", "list").document["snapshots"]
        return found

    def with_config(self, **talos: object) -> Callable[..., Done]:
        """Return the command with a configuration file instead of flags."""
        cluster = {"name": "prod", "store": "main", **talos}
        stores = [{"name": "main", "directory": {"path": self.cli.store}}]
        file = self.directory / "etcd-dr.yaml"
        file.write_text(yaml.safe_dump({"clusters": [cluster], "stores": stores}))
        return lambda *words: self.cli(*words, "--config", file, "-o", "json")


@pytest.fixture
def station(shared_talos: TalosDouble, tmp_path: Path) -> Iterator[Station]:
    """Beside three healthy nodes; all faults are turned back at the end."""
    yield Station(shared_talos, tmp_path)
    for machine in shared_talos.machines:
        _mend(machine.faults)


def _mend(faults: Faults) -> None:
    fresh = Faults()
    for name in ("snapshot_ends_at", "snapshot_stalls_at", "snapshot_flips_at", "hanging_calls"):
        setattr(faults, name, getattr(fresh, name))


def undisturbed(save: Callable[[], Done], is_so: Callable[[dict[str, Any]], bool]) -> Done:
    """Return the first outcome that is so, as each is that no election fell into, or the last one in time."""
    ends = time.monotonic() + SETTLED_SECONDS
    while True:
        done = save()
        if done.status != 0 or is_so(done.document) or time.monotonic() > ends:
            return done


def is_consistent(document: dict[str, Any]) -> bool:
    return any(proof["level"] == "consistent" and proof["result"] == "passed" for proof in document["proofs"])


@contextmanager
def every_node(double: TalosDouble, **switches: object) -> Iterator[None]:
    """Turn these faults on at all nodes."""
    for machine in double.machines:
        for name, value in switches.items():
            setattr(machine.faults, name, value)
    yield


def test_backup_role_alone_is_enough(station: Station) -> None:
    """os:etcd:backup takes a snapshot that is proven as far as can be, from a follower."""
    saved = station.save_with_names("--cluster", "prod")

    manifest = station.manifest
    assert saved["snapshot"]["level"] == "intact"
    assert manifest["source"]["kind"] == "talos"
    assert manifest["source"]["platform"] == "talos"
    assert manifest["source"]["cluster_id"] is None
    assert manifest["source"]["member_name"].startswith("talos-")
    assert {member["name"] for member in manifest["topology"]} == {"talos-1", "talos-2", "talos-3"}


def test_release_that_answers_nothing_else_to_the_role(talos_double: MakeDouble, tmp_path: Path) -> None:
    """Before 1.9.6 the role may only take the snapshot: it is taken, and nothing is claimed that nobody told."""
    station = Station(talos_double(nodes=1, release="1.9.3"), tmp_path)

    saved = station.save()

    manifest = station.manifest
    assert saved["snapshot"]["level"] == "intact"
    assert manifest["source"]["member_id"] is None
    assert manifest["source"]["etcd_version"] is None
    assert [member["name"] for member in manifest["topology"]] == ["talos-1"]
    assert any("how far it has come" in warning for warning in saved["warnings"])


def test_file_is_one_that_etcd_restores(station: Station, stock_tools: StockTools, etcd_binaries: EtcdBinaries) -> None:
    """Under everything lies a plain snapshot."""
    file = station.directory / "plain.db"

    station.save(file)

    told = stock_tools.snapshot_status(file)
    assert told["totalSize"] > 0
    stock_tools.etcdutl("snapshot", "restore", file, "--data-dir", station.directory / "restored")


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        ({"snapshot_ends_at": 20_000}, "etcd.stream_broken"),
        ({"snapshot_ends_at": 16_384 + 32}, "etcd.stream_broken"),
        ({"snapshot_flips_at": 9_000}, "etcd.stream_broken"),
    ],
)
def test_bad_stream_that_ends_well_is_never_stored(station: Station, fault: dict[str, Any], code: str) -> None:
    """Talos says OK at the end of a truncated stream; the digest does not."""
    with every_node(station.double, **fault):
        done = station("snapshot", "save")

    assert done.status != 0
    assert code in done.err
    assert station.stored == []


def test_another_node_is_tried(station: Station) -> None:
    """One node that truncates costs an attempt and no snapshot."""
    for machine in station.double.machines[1:]:
        machine.faults.snapshot_ends_at = 20_000

    saved = station.save_with_names()

    assert saved["snapshot"]["level"] == "intact"
    assert station.manifest["source"]["member_name"] == "talos-1"


def test_stalled_stream_is_left(station: Station) -> None:
    """A node that sends nothing more is given up after the stall timeout, without any help of Talos."""
    config = station.double.talosconfig("stall", roles=(ETCD_BACKUP,))
    command = station.with_config(talos={"config_file": str(config)}, snapshot={"stall_timeout": "500ms"})

    with every_node(station.double, snapshot_stalls_at=8_192):
        done = command("snapshot", "save")

    assert done.status != 0
    assert "stood still" in done.err
    assert station.stored == []


def test_missing_role_is_named_with_the_resource_to_change(station: Station) -> None:
    """os:reader may look and take nothing; the error says what it takes, in the cluster and outside."""
    done = station("snapshot", "save", roles=(READER,))

    assert done.error["code"] == "etcd.denied"
    assert "os:etcd:backup" in done.error["message"]
    assert "ServiceAccount" in done.error["next_step"]


def test_expired_certificate_is_named(station: Station) -> None:
    """Not a connection that ends for no reason."""
    now = datetime.now(UTC)

    done = station("snapshot", "save", valid_from=now - timedelta(hours=8), valid_until=now - timedelta(hours=2))

    assert done.error["code"] == "etcd.tls"
    assert "expired" in done.error["message"]


def test_talosconfig_of_another_cluster_is_named(station: Station) -> None:
    """x509: unknown authority, in words that help."""
    now = datetime.now(UTC)
    other = Authority(
        "talos", is_ed25519=True, valid_from=now - timedelta(hours=1), valid_until=now + timedelta(hours=1)
    )

    done = station("snapshot", "save", authority=other)

    assert done.error["code"] == "etcd.tls"
    assert "another cluster" in done.error["next_step"]


def test_other_cluster_cannot_take_the_place(station: Station, talos_double: MakeDouble, tmp_path: Path) -> None:
    """The prefix belongs to the Talos authority that claimed it."""
    station.save("--cluster", "prod")
    other = talos_double(nodes=1)
    config = other.talosconfig("other", roles=(ETCD_BACKUP,))

    done = station.cli(
        "snapshot", "save", "--cluster", "prod", "--talosconfig", config, "-o", "json", "--store", station.cli.store
    )

    assert done.error["code"] == "etcd.foreign_cluster"


def test_hash_is_asked_of_etcd_where_its_certificates_are_configured(station: Station) -> None:
    """Then the snapshot is consistent, as anywhere."""
    tls, double = station.double.etcd_tls, station.double
    config = double.talosconfig("hybrid", roles=(ETCD_BACKUP,))
    etcd = {
        "endpoints": double.etcd_endpoints,
        "cacert": str(tls.ca),
        "cert": str(tls.certificate),
        "key": str(tls.key),
    }
    command = station.with_config(talos={"config_file": str(config)}, etcd=etcd)

    done = undisturbed(lambda: command("snapshot", "save"), is_consistent)

    proofs = {proof["level"]: proof for proof in done.document["proofs"]}
    assert proofs["consistent"]["result"] == "passed", done.out
    assert "computed here" not in proofs["consistent"]["detail"]


def test_second_copy_compares_two_nodes(station: Station) -> None:
    """Without etcd's certificates, two nodes' snapshots are compared, and the proof says that it was so."""
    config = station.double.talosconfig("copies", roles=(ETCD_BACKUP,))
    command = station.with_config(talos={"config_file": str(config), "compare_copies": True})

    done = undisturbed(lambda: command("snapshot", "save"), is_consistent)

    proofs = {proof["level"]: proof for proof in done.document["proofs"]}
    assert proofs["consistent"]["result"] == "passed", done.out
    assert "computed here" in proofs["consistent"]["detail"]


def test_nodes_are_reached_through_an_endpoint(station: Station) -> None:
    """Where the nodes cannot be dialled, one endpoint passes the calls on."""
    double = station.double
    config = double.talosconfig("forward", roles=(ETCD_BACKUP,), endpoints=double.endpoints[:1])
    command = station.with_config(talos={"config_file": str(config), "forward": True})

    done = command("snapshot", "save")

    assert done.status == 0, done.err


def test_snapshot_without_quorum(talos_double: MakeDouble, tmp_path: Path) -> None:
    """One of three still serves what it has, and the outcome says that there was no quorum."""
    double = talos_double()
    station = Station(double, tmp_path)
    for machine in double.machines[1:]:
        double.switch_off(machine)

    saved = station.save(roles=(ADMIN,), nodes=double.addresses[:1])

    assert saved["snapshot"]["level"] == "intact"
    assert any("no quorum" in warning for warning in saved["warnings"])


def test_disaster_copy_of_a_cluster_whose_etcd_is_silent(
    talos_double: MakeDouble, tmp_path: Path, stock_tools: StockTools
) -> None:
    """The database file of a node becomes a snapshot that says what it is and that etcdutl restores."""
    double = talos_double()
    station = Station(double, tmp_path)
    for machine in double.machines:
        machine.faults.hanging_calls |= {"EtcdStatus", "EtcdMemberList", "EtcdSnapshot"}
    file = tmp_path / "copy.db"

    saved = station.save(file, "--disaster-copy", roles=(ADMIN,), nodes=double.addresses)

    assert saved["snapshot"]["reason"] == "disaster-copy"
    assert saved["snapshot"]["level"] == "intact"
    assert len(saved["copies"]) == 3
    stock_tools.etcdutl("snapshot", "restore", file, "--data-dir", tmp_path / "restored")


def test_disaster_copy_needs_an_administrator(station: Station) -> None:
    """And says so."""
    done = station("snapshot", "save", "--disaster-copy")

    assert done.error["code"] == "etcd.denied"
    assert "os:admin" in done.error["message"]


def test_administrator_keeps_machine_configurations(station: Station) -> None:
    """os:admin and encryption: each node's configuration lies beside the snapshot, and comes back as it was."""
    identity = pyrage.x25519.Identity.generate()
    key = station.directory / "key"
    key.write_text(str(identity))
    cli = CommandLine(station.directory, {"ETCD_DR_STORE": station.cli.store})
    config = station.double.talosconfig("admin", roles=(ADMIN,))
    away = station.directory / "away"

    saved = cli("snapshot", "save", "--talosconfig", config, "--recipient", identity.to_public(), "-o", "json")
    fetched = cli("snapshot", "fetch", "latest", "--companions", away, "--identity", key)

    assert saved.status == 0, saved.err
    assert fetched.status == 0, fetched.err
    files = sorted(file.relative_to(away) for file in away.rglob("*") if file.is_file())
    assert [str(file) for file in files] == [f"{a}/system/state/config.yaml" for a in station.double.addresses]
    assert "machine:" in (away / files[0]).read_text()


def test_backup_role_keeps_none(station: Station) -> None:
    """What the role cannot read is not asked for, and is no warning."""
    identity = pyrage.x25519.Identity.generate()
    cli = CommandLine(station.directory, {"ETCD_DR_STORE": station.cli.store})
    config = station.double.talosconfig("backup", roles=(ETCD_BACKUP,))

    words = ("snapshot", "save", "--talosconfig", config, "--recipient", identity.to_public(), "-o", "json")

    saved = undisturbed(lambda: cli(*words), lambda document: "quorum" not in str(document["warnings"]))

    assert saved.status == 0, saved.err
    assert saved.document["warnings"] == []


def test_objects_of_talos_backup_are_taken_over_where_they_lie(station: Station) -> None:
    """A whole prefix, colons and zones in keys, layers and damage included; a second time nothing is new."""
    plain = station.directory / "plain.db"
    station.save(plain)
    identity = pyrage.x25519.Identity.generate()
    (station.directory / "key").write_text(str(identity))
    old = Path(station.cli.store) / "old"
    old.mkdir()
    packed = zstandard.compress(plain.read_bytes())
    sealed = pyrage.encrypt(packed, [identity.to_public()])
    (old / "prod-2026-08-20T03:00:00+02:00.snap.zst.age").write_bytes(sealed)
    (old / "prod-2026-08-21T03:00:00Z.snap").write_bytes(plain.read_bytes()[:-100])
    words = ("snapshot", "import", "--object", "old/", "--cluster", "prod", "--identity", station.directory / "key")

    first = station.cli(*words, "--store", station.cli.store, "-o", "json")
    again = station.cli(*words, "--store", station.cli.store, "-o", "json")

    [imported] = first.document["imported"]
    assert imported["snapshot"]["taken_at"] == "2026-08-20T01:00:00Z"
    assert imported["layers"] == ["age", "zstd"]
    [refused] = first.document["refused"]
    assert refused["file"] == "old/prod-2026-08-21T03:00:00Z.snap"
    assert first.status == 65
    assert again.document["imported"][0]["is_new"] is False
