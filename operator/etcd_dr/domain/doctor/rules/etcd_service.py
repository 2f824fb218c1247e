"""Rules on Talos' service etcd: not bootstrapped, waiting, failed, crashing, out of space."""

from __future__ import annotations

import re
from collections.abc import Iterator

from etcd_dr.domain.cluster import id_text
from etcd_dr.domain.doctor.observation import NodeObservation, TalosObservation
from etcd_dr.domain.doctor.rules.rule import DoctorRule, talosctl
from etcd_dr.domain.health import Finding, Severity
from etcd_dr.domain.talos import ServiceReport, etcd_quota_bytes

_REMOVED = "permanently removed from the cluster"
_WAITS_FOR = (
    ("time sync", "Its clock is not synced: check NTP with: {time}"),
    ("etcd spec", "No address fits: check cluster.etcd.advertisedSubnets against: {addresses}"),
    ("network", "Its network has no address yet: {addresses}"),
    ("volume", "A disk is missing or too small: {volumes}"),
    ("cri", "The container runtime does not start: {cri}"),
)


def not_bootstrapped(seen: TalosObservation) -> Iterator[Finding]:
    states = list(seen.etcd_services())
    waiting = [node for node, service in states if service.state in ("Preparing", "Failed", "Finished")]
    if not waiting or len(waiting) < len(states):
        return
    if any(_has_data(node) for node, _ in states):
        return
    if not all(node.data_directory.is_known for node in waiting):
        return
    nodes = ", ".join(node.host for node in waiting)
    yield Finding(
        "etcd.not_bootstrapped",
        Severity.CRITICAL,
        "etcd runs nowhere, and no node has data: never bootstrapped, or wiped",
        "A new cluster: talosctl bootstrap, on one node only. One that was there before: etcd-dr recover plan",
        evidence={"nodes": nodes},
    )


def down_beside_others(seen: TalosObservation) -> Iterator[Finding]:
    states = list(seen.etcd_services())
    if not any(service.state == "Running" for _, service in states):
        return
    for node, service in states:
        if service.state not in ("Preparing", "Failed") or _has_data(node):
            continue
        newest = service.newest.message if service.newest else ""
        learner = next((m for m in seen.membership if m.is_learner), None)
        yield Finding(
            "etcd.not_joined",
            Severity.WARNING,
            f"etcd has not joined the others: {newest or service.state}",
            "Another one is a learner; members join one at a time, so wait for it. Look again: etcd-dr doctor"
            if learner is not None
            else "It finds no member to join, or is refused. Check that the cluster's endpoint answers from this node, "
            f"and whether a stale member has its name: {talosctl(node.host, 'get', 'endpoints')}; talosctl etcd members",
            member=node.address,
            evidence={"state": service.state, "learner": id_text(learner.id) if learner else None},
        )


def slow_image(seen: TalosObservation) -> Iterator[Finding]:
    """`Running pre state` after a bootstrap means that the image is being pulled, or a restore is running."""
    for node, service in seen.etcd_services():
        newest = service.newest
        if service.state != "Preparing" or newest is None or newest.at is None:
            continue
        was_asked = any("Bootstrap requested" in event.message for event in service.events)
        minutes = (seen.taken_at - newest.at).total_seconds() / 60
        if was_asked and minutes > 3:
            yield Finding(
                "etcd.preparing_long",
                Severity.WARNING,
                f"etcd is preparing for {minutes:.0f} minutes since the bootstrap",
                "The image may not be reachable (a wiped node pulls it again), or a large restore is under way. Check "
                f"registry mirrors and: {talosctl(node.host, 'logs', 'machined', '--tail', '100')}",
                member=node.address,
                evidence={"since": f"{newest.at:%Y-%m-%dT%H:%M:%SZ}"},
            )


def waiting(seen: TalosObservation) -> Iterator[Finding]:
    for node, service in seen.etcd_services():
        newest = service.newest
        if service.state != "Waiting" or newest is None or not newest.message.startswith("Waiting for"):
            continue
        found = next((hint for word, hint in _WAITS_FOR if word in newest.message), "See the rest: {cri}")
        yield Finding(
            "etcd.waiting",
            Severity.WARNING,
            f"etcd does not start: {newest.message[0].lower()}{newest.message[1:]}",
            found.format(
                time=talosctl(node.host, "time"),
                addresses=talosctl(node.host, "get", "addresses"),
                volumes=talosctl(node.host, "get", "volumestatus"),
                cri=talosctl(node.host, "service", "cri"),
            ),
            member=node.address,
        )


def restore_failed(seen: TalosObservation) -> Iterator[Finding]:
    for node, service in seen.etcd_services():
        newest = service.newest
        if newest is None or service.state != "Failed":
            continue
        has_left_over = _has_data(node)
        if "recovering from the snapshot" not in newest.message and "verifying snapshot" not in newest.message:
            continue
        yield Finding(
            "etcd.restore_failed",
            Severity.CRITICAL,
            f"the restore failed: {newest.message.partition('pre stage: ')[2] or newest.message}",
            "Nothing repeats it. "
            + (
                "It left a data directory behind, which the next bootstrap refuses: wipe it with "
                f"{talosctl(node.host, 'reset', '--graceful=false', '--reboot', '--system-labels-to-wipe=EPHEMERAL')}, "
                "then begin again with a verified snapshot: etcd-dr recover plan"
                if has_left_over
                else "Check the snapshot (etcd-dr snapshot verify latest), then begin again: etcd-dr recover plan"
            ),
            member=node.address,
            evidence={"has_left_over_data": has_left_over},
        )


def failed(seen: TalosObservation) -> Iterator[Finding]:
    for node, service in seen.etcd_services():
        newest = service.newest
        if newest is None or service.state != "Failed" or "snapshot" in newest.message:
            continue
        if "failed to build initial etcd cluster" in newest.message or "context canceled" in newest.message:
            continue  # the end of 30 minutes without anybody to join, or of a bootstrap's own stop: told elsewhere
        yield Finding(
            "etcd.failed",
            Severity.CRITICAL,
            f"etcd failed: {newest.message}",
            f"See its log and the node's: {talosctl(node.host, 'logs', 'etcd')}; {talosctl(node.host, 'dmesg')}",
            member=node.address,
        )


def crash_loop(seen: TalosObservation) -> Iterator[Finding]:
    for node, service in seen.etcd_services():
        crashes = [e for e in service.events if _is_crash(e.message)]
        if len(crashes) < 2 or service.is_healthy:
            continue
        log = node.etcd_log.value or ""
        was_removed = _REMOVED in log or _REMOVED in crashes[-1].message
        last = _last_words(log) or crashes[-1].message
        if was_removed:
            said = "etcd ends at once: its member was removed from the cluster"
            step = (
                "The others are fine: this is no disaster. Make sure that its id is no member any more, then wipe its "
                f"data: {talosctl(node.host, 'reset', '--graceful=false', '--reboot', '--system-labels-to-wipe=EPHEMERAL')}"
            )
        else:
            said = f"etcd ends again and again: {last}"
            step = (
                "Look for a wrong cluster.etcd.extraArgs, or data of another cluster: "
                f"{talosctl(node.host, 'logs', 'etcd', '--tail', '100')}"
            )
        yield Finding(
            "etcd.removed" if was_removed else "etcd.crash_loop",
            Severity.CRITICAL if not was_removed else Severity.WARNING,
            said,
            step,
            member=node.address,
            evidence={"crashes": len(crashes)},
        )


def unhealthy(seen: TalosObservation) -> Iterator[Finding]:
    for node, service in seen.etcd_services():
        if service.state != "Running" or service.is_healthy is not False or _crashes(service) > 1:
            continue
        is_learner = "not supported for learner" in service.last_message
        yield Finding(
            "etcd.unhealthy",
            Severity.INFO if is_learner else Severity.WARNING,
            "etcd is a learner and not healthy before its promotion"
            if is_learner
            else f"etcd runs and is not healthy: {service.last_message or 'no reason told'}",
            "Without quorum its health check cannot pass: see the nodes that are silent. Its log: "
            f"{talosctl(node.host, 'logs', 'etcd', '--tail', '50')}",
            member=node.address,
        )


def alarms(seen: TalosObservation) -> Iterator[Finding]:
    told = {(a.member_id, a.kind) for n in seen.nodes for a in n.alarms.value or ()}
    for member_id, kind in sorted(told):
        member = next((m for m in seen.membership if m.id == member_id), None)
        node = seen.node_of(member) if member else None
        host = node.host if node else "NODE"
        if kind == "NOSPACE":
            step = (
                "etcd-dr recover plan offers it as steps. By hand: compact, then defragment one member after the other, "
                "followers first, then take the alarm back: "
                f"{talosctl(host, 'etcd', 'defrag')} && {talosctl(host, 'etcd', 'alarm', 'disarm')}. The quota is "
                "cluster.etcd.extraArgs.quota-backend-bytes."
            )
        else:
            step = (
                "Its data differs from the others'. Take a snapshot of a healthy member now (etcd-dr snapshot save), "
                "then replace this one; never restart several at once."
            )
        yield Finding(
            "etcd.alarm",
            Severity.CRITICAL,
            f"alarm {kind}",
            step,
            member=node.address if node else id_text(member_id),
            about=f"{kind} {id_text(member_id)}",
        )


def fragmented(seen: TalosObservation) -> Iterator[Finding]:
    for node in seen.control_planes:
        status, spec = node.status.value, node.etcd_spec.value
        if status is None or not status.db_size_bytes:
            continue
        quota = etcd_quota_bytes(spec)
        in_use = status.db_in_use_bytes or status.db_size_bytes
        is_large = status.db_size_bytes > 0.8 * quota
        is_loose = status.db_size_bytes > 256 << 20 and in_use < status.db_size_bytes / 2
        if is_large or is_loose:
            yield Finding(
                "etcd.database_size",
                Severity.WARNING if is_large else Severity.INFO,
                f"the database has {status.db_size_bytes >> 20} MiB, {in_use >> 20} MiB of them in use",
                "Defragment one member at a time, followers first; each is silent meanwhile: "
                f"{talosctl(node.host, 'etcd', 'defrag')}",
                member=node.address,
                evidence={"db_size_bytes": status.db_size_bytes, "in_use_bytes": in_use, "quota_bytes": quota},
            )


def _has_data(node: NodeObservation) -> bool:
    return bool(node.data_directory.value)


def _is_crash(message: str) -> bool:
    return "going to restart" in message


def _crashes(service: ServiceReport) -> int:
    return sum(_is_crash(event.message) for event in service.events)


def _last_words(log: str) -> str:
    """Return etcd's message of its last fatal or error line, in short."""
    lines = [line for line in log.splitlines() if '"level":"fatal"' in line or '"level":"error"' in line]
    found = re.search(r'"error":"([^"]{1,200})"', lines[-1]) if lines else None
    return found[1] if found else ""


RULES = (
    DoctorRule(not_bootstrapped, ("etcd.not_bootstrapped",)),
    DoctorRule(restore_failed, ("etcd.restore_failed",)),
    DoctorRule(failed, ("etcd.failed",)),
    DoctorRule(crash_loop, ("etcd.crash_loop", "etcd.removed")),
    DoctorRule(waiting, ("etcd.waiting",)),
    DoctorRule(slow_image, ("etcd.preparing_long",)),
    DoctorRule(down_beside_others, ("etcd.not_joined",)),
    DoctorRule(unhealthy, ("etcd.unhealthy",)),
    DoctorRule(alarms, ("etcd.alarm",)),
    DoctorRule(fragmented, ("etcd.database_size",)),
)
