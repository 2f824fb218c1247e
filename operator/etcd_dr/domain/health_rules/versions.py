"""Rules on versions: members that run different ones, and versions with known damage."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from etcd_dr.domain.etcd_version import EtcdVersion
from etcd_dr.domain.health import Finding, Severity
from etcd_dr.domain.health_rules.rule import Rule, Situation, listing
from etcd_dr.domain.observation import Observation


@dataclass(frozen=True, slots=True)
class _KnownFault:
    """A fault of released versions. `reference` is where etcd or bbolt tells of it, and of its end."""

    has_it: Callable[[EtcdVersion], bool]
    severity: Severity
    what: str
    reference: str


_KNOWN_FAULTS = (
    _KnownFault(
        lambda version: EtcdVersion(3, 5, 0) <= version <= EtcdVersion(3, 5, 2),
        Severity.WARNING,
        "may silently lose writes of one member when it is killed under load",
        "etcd#13766, fixed in 3.5.3",
    ),
    _KnownFault(
        lambda version: EtcdVersion(3, 5, 1) <= version <= EtcdVersion(3, 5, 19),
        Severity.INFO,
        "may keep a promoted member as a learner in its own records, which an upgrade to 3.6 brings back",
        "etcd#19557 names 3.5.1 to 3.5.19; an upgrade may carry it along, etcd#20793",
    ),
    _KnownFault(
        lambda version: version.may_send_another_file,
        Severity.INFO,
        "may mix two databases in a snapshot taken while the member receives one; etcd-dr notices when it proves it",
        "bbolt reopens the file by path, fixed in bbolt 1.3.12 and 1.4.3",
    ),
)


def affected(s: Situation) -> Iterator[Finding]:
    for endpoint, status in s.view.statuses:
        version = EtcdVersion.parse(status.version)
        for fault in _KNOWN_FAULTS:
            if version is not None and fault.has_it(version):
                yield Finding(
                    "member.version_affected",
                    fault.severity,
                    f"etcd {status.version} {fault.what}",
                    f"Upgrade to the newest {version.major}.{version.minor} release, one member after the other, after a "
                    f"snapshot ({fault.reference}): etcd-dr snapshot save",
                    member=s.view.label_of(endpoint),
                    evidence={"version": status.version, "reference": fault.reference},
                    about=fault.reference,
                )


def mixed(s: Situation) -> Iterator[Finding]:
    versions = {s.view.label_of(e): status.version for e, status in s.view.statuses}
    if len(set(versions.values())) < 2:
        return
    minors = {_minor(version) for version in versions.values()}
    lasted = _mixed_for_seconds(s)
    is_overdue = len(minors) > 1 and lasted >= s.thresholds.version_mix_seconds
    yield Finding(
        "member.version_mixed",
        Severity.WARNING if is_overdue else Severity.INFO,
        f"members run different versions: {listing(sorted(set(versions.values())))}",
        "Finish the upgrade: until all members run the newer minor version the cluster keeps the older one's "
        "features. See: etcd-dr members",
        evidence={**versions, "seen_for_seconds": round(lasted)},
    )


def _minor(version: str) -> str:
    return ".".join(version.split(".")[:2])


def _mixed_for_seconds(s: Situation) -> float:
    since = s.now
    for earlier in reversed(s.history):
        if len(_minors_of(earlier)) < 2:
            break
        since = earlier.taken_at
    return (s.now - since).total_seconds()


def _minors_of(observation: Observation) -> set[str]:
    return {_minor(status.version) for e in observation.endpoints if (status := e.latest_status) is not None}


RULES = (Rule.of(affected, "member.version_affected"), Rule.of(mixed, "member.version_mixed"))
