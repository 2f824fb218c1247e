"""What answers mean that every platform gives: clocks, sockets, processes, files, certificates, a data directory."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from etcd_dr.adapters.control_planes.examination.sections import Sections
from etcd_dr.adapters.control_planes.flags import parse_flags
from etcd_dr.domain.clock_reading import ClockReading
from etcd_dr.domain.doctor.hosts.observation import (
    DataEvidence,
    HostCertificate,
    PathSight,
    UnitState,
)
from etcd_dr.domain.wal_head import read_wal_identity

if TYPE_CHECKING:
    from cryptography import x509

_LISTENS = "0A"  # include/net/tcp_states.h, TCP_LISTEN
_HOLDER = re.compile(r":(\d+)\s+\S+\s+users:\(\(\"([^\"]+)\"")
FILE_FLAGS = (
    "cert-file",
    "key-file",
    "trusted-ca-file",
    "peer-cert-file",
    "peer-key-file",
    "peer-trusted-ca-file",
)
CLIENT_FLAGS = ("etcd-cafile", "etcd-certfile", "etcd-keyfile")
"""kube-apiserver's flags for its way to etcd."""
_AUTHORITIES = ("trusted-ca-file", "peer-trusted-ca-file", "etcd-cafile")


@dataclass(frozen=True, slots=True)
class Process:
    """A process of etcd or kube-apiserver: its user and its command line."""

    uid: int
    words: tuple[str, ...]

    @property
    def program(self) -> str:
        return PurePosixPath(self.words[0]).name if self.words else ""

    @property
    def flags(self) -> Mapping[str, str]:
        return parse_flags(self.words[1:])


def processes(said: Sections) -> tuple[Process, ...]:
    found = []
    for text in said.all("process"):
        uid, _, words = text.partition("\n")
        if uid.isdigit():
            found.append(Process(int(uid), tuple(words.splitlines())))
    return tuple(found)


def clock_reading(said: Sections, *, asked_at: float | None, answered_at: float | None) -> ClockReading | None:
    """Return how far the node's clock is ahead of ours: it said whole seconds, somewhere between these times of ours."""
    text = said.text("clock") or ""
    if not text.isdigit() or asked_at is None or answered_at is None:
        return None
    return ClockReading.between(int(text), asked_at=asked_at, answered_at=answered_at, unit_seconds=1)


def has_swap(said: Sections) -> bool:
    """/proc/swaps has a line of names, and one for each device in use."""
    return len(said.lines("swaps")) > 1


def listening(said: Sections) -> frozenset[int] | None:
    """Return the ports that somebody listens on, from /proc/net/tcp and tcp6."""
    lines = said.lines("sockets")
    if not lines:
        return None
    ports = set()
    for line in lines:
        words = line.split()
        if len(words) > 3 and words[3] == _LISTENS:
            ports.add(int(words[1].rpartition(":")[2], 16))
    return frozenset(ports)


def holders(said: Sections) -> dict[int, str]:
    """Return which program listens on which port, as far as ss(8) is there and tells."""
    found = {}
    for line in said.lines("holders") if said.status("holders") == 0 else ():
        match = _HOLDER.search(line)
        if match is not None:
            found[int(match[1])] = match[2]
    return found


def unit_state(name: str, text: str | None) -> UnitState | None:
    """Return a unit from `systemctl show`; None where systemd did not answer."""
    pairs = dict(line.partition("=")[::2] for line in (text or "").splitlines() if "=" in line)
    if "LoadState" not in pairs:
        return None
    restarts = pairs.get("NRestarts", "")
    return UnitState(
        name=name,
        exists=pairs["LoadState"] not in ("", "not-found"),
        active=pairs.get("ActiveState", ""),
        result=pairs.get("Result", ""),
        restarts=int(restarts) if restarts.isdigit() else 0,
    )


def path_sight(line: str) -> PathSight:
    """Return a path from `kind|uid|gid|mode|size|name`."""
    kind, owner, group, mode, size, path = line.split("|", 5)
    return PathSight(path, kind, int(owner), int(group), int(mode, 8), int(size))


def files(said: Sections) -> tuple[PathSight, ...]:
    return tuple(path_sight(line) for _, text in said.below("file:") for line in text.splitlines() if "|" in line)


def certificates(said: Sections, *, settings: Mapping[str, str]) -> tuple[HostCertificate, ...]:
    """Return the certificates in the files that were read, with the flag that names each."""
    found: list[HostCertificate] = []
    for path, text in said.below("certificate:"):
        for flag in (*FILE_FLAGS, *CLIENT_FLAGS):
            if settings.get(flag) == path:
                found += _certificates_of(path, text, flag)
    return tuple(found)


def data(said: Sections, *, directory: str) -> DataEvidence | None:
    """Return the data directory; None where the node did not come to it."""
    lines = [line for line in said.lines("paths") if "|" in line]
    if not lines:
        return None
    names = ("data", "member", "snap", "wal", "database")
    member, problem = _identity(said.text("head"))
    free, total, free_inodes, total_inodes = _room(said.text("room"))
    return DataEvidence(
        directory=directory,
        paths=dict(zip(names, map(path_sight, lines), strict=False)),
        wal_files=len(said.lines("wal")),
        cluster_id=member[0] if member else None,
        member_id=member[1] if member else None,
        wal_problem=problem,
        aside=said.lines("aside"),
        filesystem=said.text("filesystem") or "",
        free_bytes=free,
        total_bytes=total,
        free_inodes=free_inodes,
        total_inodes=total_inodes,
    )


def _identity(head: str | None) -> tuple[tuple[int, int] | None, str]:
    if not head:
        return None, ""
    try:
        found = read_wal_identity(bytes.fromhex(head))
    except ValueError as error:
        return None, f"has a WAL whose head cannot be read: {error}"
    return (found.cluster_id, found.member_id), ""


def _room(text: str | None) -> tuple[int | None, int | None, int | None, int | None]:
    words = (text or "").split()
    if len(words) != 5 or not all(word.isdigit() for word in words):
        return None, None, None, None
    available, block, blocks, free_inodes, inodes = map(int, words)
    return available * block, blocks * block, free_inodes, inodes


def _certificates_of(path: str, text: str, flag: str) -> Iterator[HostCertificate]:
    from cryptography import x509  # noqa: PLC0415 - slow to load, and only the doctor reads certificates of nodes

    try:
        loaded = x509.load_pem_x509_certificates(text.encode())
    except ValueError:
        return
    is_authority = flag in _AUTHORITIES
    for certificate in loaded if is_authority else loaded[:1]:
        key_id, issuer_key_id, names = _extensions(certificate)
        yield HostCertificate(
            path=path,
            flag=flag,
            subject=certificate.subject.rfc4514_string(),
            not_before=certificate.not_valid_before_utc,
            not_after=certificate.not_valid_after_utc,
            names=names,
            key_id=key_id,
            issuer_key_id=issuer_key_id,
            is_authority=is_authority,
        )


def _extensions(certificate: x509.Certificate) -> tuple[str, str, frozenset[str]]:
    from cryptography import x509  # noqa: PLC0415 - as above

    key_id = issuer_key_id = ""
    names: set[str] = set()
    try:
        for extension in certificate.extensions:
            value = extension.value
            if isinstance(value, x509.SubjectKeyIdentifier):
                key_id = value.digest.hex()
            elif isinstance(value, x509.AuthorityKeyIdentifier):
                issuer_key_id = (value.key_identifier or b"").hex()
            elif isinstance(value, x509.SubjectAlternativeName):
                names |= set(value.get_values_for_type(x509.DNSName))
                names |= {str(address) for address in value.get_values_for_type(x509.IPAddress)}
    except (x509.DuplicateExtension, ValueError):
        pass
    return key_id, issuer_key_id, frozenset(names)
