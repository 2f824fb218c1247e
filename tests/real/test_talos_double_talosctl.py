"""The stock talosctl against the double: what satisfies the real client is not only to our own taste.

Skipped where there is no talosctl on PATH.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from grpclib.exceptions import GRPCError

from real.peers.talos import TalosDouble


def test_talosctl_looks_around(shared_talos: TalosDouble, talosctl: Callable[..., str]) -> None:
    """Members, status, services, resources and files are shown as on a real control plane."""
    first, second, _ = shared_talos.addresses
    config = shared_talos.talosconfig("talosctl", nodes=[first])

    members = talosctl(config, "etcd", "members")
    status = talosctl(config, "-n", f"{first},{second}", "etcd", "status")
    service = talosctl(config, "service", "etcd")
    boot_id = talosctl(config, "read", "/proc/sys/kernel/random/boot_id")

    assert all(machine.hostname in members for machine in shared_talos.machines)
    assert {line.split()[0] for line in status.splitlines()[1:]} == {first, second}
    assert "[Running]: Health check successful" in service
    assert boot_id.strip() == shared_talos.machines[0].boot_id
    assert "machine-type" in talosctl(config, "get", "machinetype")
    assert "v1.13.9" in talosctl(config, "version")


def test_talosctl_is_refused_in_talos_words(shared_talos: TalosDouble, talosctl: Callable[..., str]) -> None:
    """A bootstrap of a running member, and a restart of etcd, fail with the words of the documentation."""
    config = shared_talos.talosconfig("talosctl", nodes=shared_talos.addresses[:1])

    bootstrap = talosctl(config, "bootstrap", expect_failure=True)
    restart = talosctl(config, "service", "etcd", "restart", expect_failure=True)

    assert "code = AlreadyExists desc = etcd data directory is not empty" in bootstrap
    assert 'service "etcd" doesn\'t support restart operation via API' in restart


def test_talosctl_recovers_a_control_plane(
    talos_double: Callable[..., TalosDouble], talosctl: Callable[..., str], tmp_path: Path
) -> None:
    """The documented procedure, step by step: snapshot, reset of EPHEMERAL everywhere, bootstrap from the snapshot."""
    double = talos_double()
    double.put(b"/kept", b"treasure")
    snapshot = tmp_path / "etcd.snapshot"
    config = double.talosconfig("talosctl", nodes=double.addresses[:1])

    saved = talosctl(config, "etcd", "snapshot", snapshot)
    boot_ids = {machine: machine.boot_id for machine in double.machines}
    for machine in double.machines:
        machine.faults.never_joins = True  # or the first one to be wiped joins those that wait for their reset
    for address in double.addresses:
        flags = ("--graceful=false", "--reboot", "--wait=false", "--system-labels-to-wipe=EPHEMERAL")
        talosctl(config, "-n", address, "-e", address, "reset", *flags)
    for machine in double.machines:
        double.wait_until(lambda machine=machine: machine.boot_id != boot_ids[machine])
        double.wait_for_state(machine, "Preparing")
    recovered = talosctl(config, "-e", double.addresses[0], "bootstrap", f"--recover-from={snapshot}")
    for machine in double.machines:
        machine.faults.never_joins = False
    double.wait_until_healthy()

    assert f"({snapshot.stat().st_size} bytes)" in saved
    assert "recovering from snapshot" in recovered
    assert double.get(b"/kept") == b"treasure"
    assert not any(member.isLearner for member in double.members())


def test_talosctl_makes_room_and_takes_the_alarm_back(
    talos_double: Callable[..., TalosDouble], talosctl: Callable[..., str]
) -> None:
    """A database that met its quota: alarm list, defrag, alarm disarm, as the remedies of findings have them."""
    double = talos_double(nodes=1, etcd_flags=("--quota-backend-bytes=2000000",))
    config = double.talosconfig("talosctl", nodes=double.addresses)
    with suppress(GRPCError):
        for _ in range(60):
            double.put(b"/again", b"x" * 100_000)

    raised = talosctl(config, "etcd", "alarm", "list")
    talosctl(config, "etcd", "defrag")
    talosctl(config, "etcd", "alarm", "disarm")

    assert "NOSPACE" in raised
    assert "NOSPACE" not in talosctl(config, "etcd", "alarm", "list")
