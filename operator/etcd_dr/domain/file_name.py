"""What the name of a backup tells about it: which tool wrote it, when, and whether it is something else than it seems.

A name is a hint. It gives an imported snapshot its time and its platform, and explains what cannot be used; what the
file is, its bytes say (`file_kind`).

    etcd-snapshot-<node>-<unix>[.zip]              k3s and rke2 (on-demand-… when asked for by hand)
    snapshot_<date>_<time>[__POSSIBLY_DIRTY__].db  OpenShift's cluster-backup.sh
    Full-<first>-<last revision>-<unix>[.gz]       etcd-backup-restore; Incr-… are deltas, Chunk-… parts of one
    <cluster>-<RFC 3339>.snap[.zst][.age]          talos-backup
    <file>.part                                    etcdctl and talosctl while they write
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

_EARLIEST = datetime(2013, 7, 28, tzinfo=UTC)  # etcd's first release: no snapshot is older


@dataclass(frozen=True, slots=True)
class NameFacts:
    """What a file name tells. `platform` is a word for the manifest; `taken_at` is aware, and exact only where
    `assumption` is empty. `unusable` says why a file of this name is no whole snapshot, `advice` what to do."""

    platform: str = "etcd"
    taken_at: datetime | None = None
    assumption: str = ""
    node: str | None = None
    last_revision: int | None = None
    warning: str = ""
    unusable: str = ""
    advice: str = ""


def read_file_name(name: str) -> NameFacts:
    """Return what a file's name (without its directory) tells; nothing where it is none of the known ones."""
    for pattern, read in _NAMES:
        match = pattern.fullmatch(name)
        if match:
            return read(match)
    return NameFacts()


def _kubernetes_distribution(match: re.Match[str]) -> NameFacts:
    return NameFacts(platform="k3s", taken_at=_from_unix(match["unix"]), node=match["node"])


def _openshift(match: re.Match[str]) -> NameFacts:
    try:
        taken_at = datetime.strptime(f"{match['date']} {match['time']}", "%Y-%m-%d %H%M%S").replace(tzinfo=UTC)
    except ValueError:
        return NameFacts(platform="openshift")
    warning = "cluster-backup.sh was forced while operators were progressing" if match["dirty"] else ""
    return NameFacts(platform="openshift", taken_at=taken_at, assumption="the node's clock is UTC", warning=warning)


def _backup_restore(match: re.Match[str]) -> NameFacts:
    facts = {
        "platform": "etcd-backup-restore",
        "taken_at": _from_unix(match["unix"]),
        "last_revision": int(match["last"]),
    }
    if match["kind"] == "Full":
        unusable, advice = "", ""
        if match["suffix"] == ".Z":
            unusable = "a full snapshot of etcd-backup-restore in Go's LZW, which no stock program unpacks"
            advice = "Take another full snapshot with its compression policy set to gzip, and import that."
    elif match["kind"] == "Incr":
        unusable = "a delta snapshot of etcd-backup-restore: changes since a full snapshot, not a database"
        advice = f"Import the newest Full-… file before revision {int(match['first'])} instead."
    else:
        unusable = "one part of a snapshot of etcd-backup-restore whose upload did not end"
        advice = "Import the newest Full-… file instead."
    return NameFacts(**facts, unusable=unusable, advice=advice)  # type: ignore[arg-type]  # a dict of mixed values


def _talos_backup(match: re.Match[str]) -> NameFacts:
    try:
        taken_at = datetime.fromisoformat(match["time"]).astimezone(UTC)
    except (ValueError, OverflowError):
        return NameFacts(platform="talos")
    return NameFacts(platform="talos", taken_at=_plausible(taken_at))


def _raft_snapshot(_: re.Match[str]) -> NameFacts:
    return NameFacts(
        unusable="a raft snapshot of etcd, which holds the membership and not the keys",
        advice="Take the file db beside it, in member/snap.",
    )


def _write_ahead_log(_: re.Match[str]) -> NameFacts:
    return NameFacts(
        unusable="a write-ahead log of etcd, which holds raft entries and not the database",
        advice="Take member/snap/db of the same data directory.",
    )


def _part(_: re.Match[str]) -> NameFacts:
    return NameFacts(warning="etcdctl and talosctl call a file so while they write it: it may be unfinished")


def _static_pods(_: re.Match[str]) -> NameFacts:
    return NameFacts(
        platform="openshift",
        unusable="OpenShift's archive of static pod resources, which goes with a snapshot",
        advice="Import the file snapshot_….db beside it, and keep this one as well: a restore needs both.",
    )


def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.ASCII)


_ENVELOPES = r"(?:\.(?:gz|zst|xz|bz2|age|zip|enc))*"

_NAMES: tuple[tuple[re.Pattern[str], Callable[[re.Match[str]], NameFacts]], ...] = (
    (_compiled(r"[0-9a-f]{16}-[0-9a-f]{16}\.snap(?:\.db)?(?:\.broken)?"), _raft_snapshot),
    (_compiled(r"[0-9a-f]{16}-[0-9a-f]{16}\.wal(?:\.broken)?|.*\.wal|\d+\.tmp"), _write_ahead_log),
    (_compiled(r".*\.part(?:\d+)?"), _part),
    (_compiled(r"static_kuberesources_.*\.tar\.gz"), _static_pods),
    (
        _compiled(
            rf"snapshot_(?P<date>\d{{4}}-\d{{2}}-\d{{2}})_(?P<time>\d{{6}})(?P<dirty>__POSSIBLY_DIRTY__)?\.db{_ENVELOPES}"
        ),
        _openshift,
    ),
    (
        _compiled(
            r"(?P<kind>Full|Incr|Chunk)-(?P<first>\d{1,19})-(?P<last>\d{1,19})-(?P<unix>\d{9,10})"
            rf"(?P<suffix>\.gz|\.zlib|\.Z)?(?:\.final)?{_ENVELOPES}"
        ),
        _backup_restore,
    ),
    (
        _compiled(
            r"(?P<cluster>.{1,200}?)-(?P<time>\d{4}-\d{2}-\d{2}T\d{2}[:_-]?\d{2}[:_-]?\d{2}(?:Z|[+-]\d{2}:?\d{2}))"
            rf"\.snap{_ENVELOPES}"
        ),
        _talos_backup,
    ),
    (
        _compiled(rf"(?:etcd-snapshot|on-demand)-(?P<node>.{{1,200}}?)-(?P<unix>\d{{10}}){_ENVELOPES}"),
        _kubernetes_distribution,
    ),
)


def _from_unix(text: str) -> datetime | None:
    return _plausible(datetime.fromtimestamp(int(text), UTC))


def _plausible(moment: datetime) -> datetime | None:
    return moment if moment >= _EARLIEST else None
