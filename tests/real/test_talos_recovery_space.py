"""A database that met its quota, on Talos: defragmented and the alarm taken back through the machine API."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from grpclib.exceptions import GRPCError

from real.peers.talos import TalosDouble
from real.peers.talos.roles import ETCD_BACKUP, OPERATOR, READER
from real.talos_site import Site, kinds

MakeDouble = Callable[..., TalosDouble]
QUOTA = ("--quota-backend-bytes=2000000",)


def etcdctl(double: TalosDouble, *words: str) -> subprocess.CompletedProcess[str]:
    """Run etcd's own command with root's certificate."""
    tls = double.etcd_tls
    settings = ["--endpoints", double.etcd_endpoints[0], "--cacert", tls.ca, "--cert", tls.certificate]
    settings += ["--dial-timeout=30s", "--command-timeout=60s"]  # its own are 2 s and 5 s
    return subprocess.run(
        [double.settings.binaries.etcdctl, *settings, "--key", tls.key, *words],
        capture_output=True,
        text=True,
        check=False,
    )


def fill_with_history(double: TalosDouble, *, piece_bytes: int = 100_000) -> None:
    """Write one key again and again until etcd refuses and has the alarm: the database is full of what nobody needs.

    A refusal brings the alarm, unless an election loses it; then the next refusal does (quota.go, check).
    """
    for _ in range(6_000_000 // piece_bytes):
        try:
            double.put(b"/again", b"x" * piece_bytes)
        except GRPCError as error:
            if "space exceeded" in (error.message or "") and "NOSPACE" in etcdctl(double, "alarm", "list").stdout:
                return
    raise AssertionError("etcd took everything, or raised no alarm")


def revision(double: TalosDouble) -> str:
    """Return the current revision, from any answer's header."""
    said = json.loads(etcdctl(double, "get", "/again", "--keys-only", "-w", "json").stdout)
    return str(said["header"]["revision"])


def takes_writes(double: TalosDouble) -> bool:
    return double.put(b"/after", b"the alarm") > 0 and "alarm" not in etcdctl(double, "alarm", "list").stdout


def test_with_etcds_certificates_the_history_goes_too(talos_double: MakeDouble, tmp_path: Path) -> None:
    """Compacted through etcd, defragmented and disarmed through Talos with os:operator: it takes writes again."""
    double = talos_double(etcd_flags=QUOTA)
    site = Site(double, tmp_path)
    site.save()
    fill_with_history(double)
    tls = double.etcd_tls
    endpoints = list(double.etcd_endpoints)
    files = {"cacert": str(tls.ca), "cert": str(tls.certificate), "key": str(tls.key)}
    config = double.talosconfig("operator", roles=(OPERATOR, READER, ETCD_BACKUP))
    site.cluster["etcd"] = {"endpoints": endpoints, **files}
    site.cluster["talos"] = {"config_file": str(config), "nodes": list(double.addresses)}

    plan = site.plan()
    done = site.run()

    assert (plan["chosen"]["way"], plan["chosen"]["target"]) == ("repair", "no-space")
    assert kinds(plan) == ["talos-compact", *["talos-defragment"] * 3, "talos-disarm", "talos-verify", "take-snapshot"]
    assert done.status == 0, done.err
    assert takes_writes(double)
    assert site.has_the_treasure()


@pytest.mark.matrix
def test_without_them_it_is_said_that_there_is_no_room(talos_double: MakeDouble, tmp_path: Path) -> None:
    """An alarm that the next write would raise again is not taken back; the remedy is named, and then it works."""
    double = talos_double(nodes=1, etcd_flags=QUOTA)
    site = Site(double, tmp_path)
    site.save()
    fill_with_history(double, piece_bytes=1_900)
    plan = site.plan()

    refused = site.run()

    assert "would come again" in refused.err
    assert "etcd's certificates" in refused.err
    assert "NOSPACE" in etcdctl(double, "alarm", "list").stdout
    compacted = etcdctl(double, "compact", revision(double))
    assert compacted.returncode == 0, compacted.stderr
    assert site("recover", "abort", plan["recovery_id"], "--yes").status == 0

    site.plan()
    done = site.run()

    assert done.status == 0, done.err
    assert takes_writes(double)


def test_role_that_is_missing_is_named(talos_double: MakeDouble, tmp_path: Path) -> None:
    """os:reader looks; to defragment takes os:operator."""
    double = talos_double(nodes=1, etcd_flags=QUOTA)
    site = Site(double, tmp_path)
    site.save()
    fill_with_history(double)
    config = double.talosconfig("reader", roles=(READER, ETCD_BACKUP))
    site.cluster["talos"] = {"config_file": str(config), "nodes": list(double.addresses)}
    site.plan()

    done = site.run()

    assert done.status != 0
    assert "EtcdDefragment needs the role os:operator" in done.err
