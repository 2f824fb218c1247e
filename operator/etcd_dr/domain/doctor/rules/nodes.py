"""Rules on the machines: their type, stage, disk, clock and version."""

from __future__ import annotations

from collections.abc import Iterator

from etcd_dr.domain.clock_reading import certainly_apart
from etcd_dr.domain.doctor.observation import TalosObservation
from etcd_dr.domain.doctor.rules.rule import DoctorRule, items, mapping, talosctl
from etcd_dr.domain.health import Finding, Severity
from etcd_dr.domain.talos import TalosVersion

_SKEW_SECONDS = 2.0
_MANY_ADDRESSES_FIXED = ((1, 9, 7), (1, 10, 5))
_SETTLED = ("running", "booting")


def wrong_type(seen: TalosObservation) -> Iterator[Finding]:
    for node in seen.nodes:
        kind = node.machine_type.value
        if kind == "init":
            yield Finding(
                "node.init",
                Severity.WARNING,
                "its machine type is init, on which a restore is ignored: it would begin an empty cluster",
                f"Set machine.type to controlplane: {talosctl(node.host, 'edit', 'mc', '--mode=staged')}, then reboot it.",
                member=node.address,
            )
        elif kind == "worker":
            yield Finding(
                "node.worker",
                Severity.WARNING,
                "is a worker and has no etcd",
                "Leave it out of the nodes (--nodes, or talos.nodes). If it should be a control plane node, its "
                "configuration is the wrong one.",
                member=node.address,
            )


def stage(seen: TalosObservation) -> Iterator[Finding]:
    for node in seen.nodes:
        told = mapping(node.machine_status.value)
        now = str(told.get("stage", ""))
        unmet = [mapping(each) for each in items(mapping(told.get("status")).get("unmetConditions"))]
        reasons = ", ".join(f"{each.get('name')}: {each.get('reason')}" for each in unmet)
        if now and now not in _SETTLED:
            yield Finding(
                "node.stage",
                Severity.WARNING,
                f"the machine is in stage {now}",
                f"Wait until it runs before anything else: {talosctl(node.host, 'get', 'machinestatus')}",
                member=node.address,
                evidence={"unmet": reasons or None},
            )
        elif reasons:
            yield Finding(
                "node.not_ready",
                Severity.INFO,
                f"the machine is not ready: {reasons}",
                f"See its services: {talosctl(node.host, 'services')}",
                member=node.address,
            )


def disk(seen: TalosObservation) -> Iterator[Finding]:
    """A restore needs the uploaded snapshot and the database beside each other on /var."""
    largest = max((n.status.value.db_size_bytes for n in seen.nodes if n.status.value), default=0)
    for node in seen.control_planes:
        mount = next((m for m in node.mounts.value or () if m.mounted_on == "/var"), None)
        if mount is None or not mount.size_bytes:
            continue
        is_full = mount.available_bytes < mount.size_bytes * 0.05
        if mount.available_bytes < 2 * largest or is_full:
            yield Finding(
                "node.disk",
                Severity.CRITICAL if mount.available_bytes < largest else Severity.WARNING,
                f"/var has {mount.available_bytes >> 20} MiB free; a restore needs {2 * largest >> 20} MiB",
                f"Free space before anything is uploaded: {talosctl(node.host, 'usage', '/var', '--depth', '2')}",
                member=node.address,
                evidence={"available_bytes": mount.available_bytes, "database_bytes": largest},
            )


def clock(seen: TalosObservation) -> Iterator[Finding]:
    for node in seen.nodes:
        told = mapping(node.time_status.value)
        if told.get("synced") is False and not told.get("syncDisabled"):
            yield Finding(
                "node.clock_unsynced",
                Severity.WARNING,
                "the clock is not synced, and a bootstrap would be refused for it",
                f"Check its time servers: {talosctl(node.host, 'time')}",
                member=node.address,
            )
    readings = {n.address: n.clock.value for n in seen.nodes if n.clock.value is not None}
    apart = certainly_apart(readings.values())
    if apart > _SKEW_SECONDS:
        yield Finding(
            "node.clock_skew",
            Severity.WARNING,
            f"the nodes' clocks are {apart:.1f} s apart or more",
            "Give all of them the same time servers (machine.time.servers), and check: talosctl time",
            evidence={address: round(reading.offset_seconds, 1) for address, reading in readings.items()},
        )


def versions(seen: TalosObservation) -> Iterator[Finding]:
    tags = {n.version.value.tag for n in seen.control_planes if n.version.value}
    if len(tags) > 1:
        yield Finding(
            "node.versions_differ",
            Severity.INFO,
            f"the control plane runs {len(tags)} versions of Talos: {', '.join(sorted(tags))}",
            "Finish the upgrade. A snapshot is restored only into the same or a newer etcd.",
        )
    for node in seen.control_planes:
        version = node.version.value
        addresses = items(mapping(node.etcd_spec.value).get("advertisedAddresses"))
        if version is not None and len(addresses) > 1 and _fails_with_many_addresses(version):
            yield Finding(
                "node.many_addresses",
                Severity.WARNING,
                f"etcd advertises {len(addresses)} addresses, with which a restore fails on {version.tag} "
                "(siderolabs/talos#11257)",
                "Upgrade to 1.10.5 or later, or narrow cluster.etcd.advertisedSubnets to one address.",
                member=node.address,
                evidence={"addresses": ", ".join(map(str, addresses))},
            )


def _fails_with_many_addresses(version: TalosVersion) -> bool:
    numbers = version.numbers
    if numbers is None or numbers >= _MANY_ADDRESSES_FIXED[1]:
        return False
    return not _MANY_ADDRESSES_FIXED[0] <= numbers < (1, 10, 0)


RULES = (
    DoctorRule(wrong_type, ("node.init", "node.worker")),
    DoctorRule(stage, ("node.stage", "node.not_ready")),
    DoctorRule(disk, ("node.disk",)),
    DoctorRule(clock, ("node.clock_unsynced", "node.clock_skew")),
    DoctorRule(versions, ("node.versions_differ", "node.many_addresses")),
)
