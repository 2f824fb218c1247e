"""What etcd keeps beside the keys: members, alarms, versions, raft position, leases, users.

Rules this module keeps:
- The small buckets are etcd's schema (server/storage/schema); a bucket or key that is not known here is left alone,
  because a newer etcd may have written it.
- What is known must parse; what does not is an error that names bucket and key.
- The number of members and alarms kept is bounded, whatever a hostile file holds.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from etcd_dr.boltdb.findings import Findings, shown
from etcd_dr.boltdb.protobuf import Malformed, message_of, signed
from etcd_dr.domain.database import NEVER_COMPACTED, StoredAlarm, StoredMember

MAX_LISTED = 10_000
MAX_JSON_BYTES = 1 << 20
_VERSION = re.compile(r"\d{1,5}\.\d{1,5}\.\d{1,5}(-[0-9A-Za-z.-]{1,40})?")
T = TypeVar("T")
_ALARM_KINDS = {1: "NOSPACE", 2: "CORRUPT"}


class _Unfit(ValueError):
    """A value that is not what its place calls for."""


@dataclass(slots=True)
class Contents:
    """Filled record by record with `take`."""

    findings: Findings
    members: list[StoredMember] = field(default_factory=list)
    removed_member_ids: list[int] = field(default_factory=list)
    alarms: list[StoredAlarm] = field(default_factory=list)
    auth_enabled: bool = False
    cluster_version: str | None = None
    storage_version: str | None = None
    consistent_index: int | None = None
    term: int | None = None
    scheduled_compact_revision: int | None = None
    finished_compact_revision: int | None = None
    lease_count: int = 0

    @property
    def compact_revision(self) -> int:
        """The larger of the two; -1 when the keyspace was never compacted."""
        known = (self.scheduled_compact_revision, self.finished_compact_revision)
        return max((revision for revision in known if revision is not None), default=NEVER_COMPACTED)

    def take(self, bucket: bytes, key: bytes, value: memoryview) -> None:
        """Understand one record, or note what is wrong with it."""
        reader = _READERS.get(bucket)
        if reader is None:
            return
        try:
            reader(self, key, bytes(value[: MAX_JSON_BYTES + 1]))
        except (_Unfit, Malformed) as error:
            self.findings.error("record.malformed", f"bucket {bucket.decode()}, {shown(key)}", str(error))


def _member(contents: Contents, key: bytes, value: bytes) -> None:
    member_id = _hex_id(key)
    document = _json_object(value)
    stored = StoredMember(
        id=member_id,
        name=_text(document.get("name", "")),
        peer_urls=_texts(document.get("peerURLs")),
        client_urls=_texts(document.get("clientURLs")),
        is_learner=document.get("isLearner", False) is True,
    )
    if document.get("id") != member_id:
        raise _Unfit(f"the value speaks of another member: {str(document.get('id'))[:40]}")
    _append(contents.members, stored)


def _removed_member(contents: Contents, key: bytes, value: bytes) -> None:
    del value
    _append(contents.removed_member_ids, _hex_id(key))


def _alarm(contents: Contents, key: bytes, value: bytes) -> None:
    del value
    alarm = message_of(key).integers
    kind = alarm.get(2, 0)
    _append(contents.alarms, StoredAlarm(alarm.get(1, 0), _ALARM_KINDS.get(kind, f"alarm-{kind}")))


def _auth(contents: Contents, key: bytes, value: bytes) -> None:
    if key == b"authEnabled":
        if value not in (b"\x00", b"\x01"):
            raise _Unfit(f"neither on nor off: {shown(value)}")
        contents.auth_enabled = value == b"\x01"


def _cluster(contents: Contents, key: bytes, value: bytes) -> None:
    if key == b"clusterVersion":
        contents.cluster_version = _version(value)
    elif key == b"downgrade":
        _json_object(value)


def _meta(contents: Contents, key: bytes, value: bytes) -> None:
    match key:
        case b"consistent_index":
            contents.consistent_index = _number(value)
        case b"term":
            contents.term = _number(value)
        case b"scheduledCompactRev":
            contents.scheduled_compact_revision = _revision(value)
        case b"finishedCompactRev":
            contents.finished_compact_revision = _revision(value)
        case b"storageVersion":
            contents.storage_version = _version(value)
        case b"confState":
            _json_object(value)


def _lease(contents: Contents, key: bytes, value: bytes) -> None:
    contents.lease_count += 1
    if len(key) != 8:
        raise _Unfit(f"a lease id has 8 bytes, not {len(key)}")
    lease = message_of(value).integers
    if lease.get(1, 0) != int.from_bytes(key):
        raise _Unfit(f"the value speaks of another lease: {signed(lease.get(1, 0)):016x}")


def _message(contents: Contents, key: bytes, value: bytes) -> None:
    del contents, key
    message_of(value)


_READERS: dict[bytes, Callable[[Contents, bytes, bytes], None]] = {
    b"members": _member,
    b"members_removed": _removed_member,
    b"alarm": _alarm,
    b"auth": _auth,
    b"authRoles": _message,
    b"authUsers": _message,
    b"cluster": _cluster,
    b"meta": _meta,
    b"lease": _lease,
}


def _hex_id(key: bytes) -> int:
    if not 1 <= len(key) <= 16 or not all(byte in b"0123456789abcdef" for byte in key):
        raise _Unfit("the key is no member id")
    return int(key, 16)


def _json_object(value: bytes) -> dict[str, object]:
    if len(value) > MAX_JSON_BYTES:
        raise _Unfit("too long to be what etcd writes there")
    try:
        document = json.loads(value)
    except (ValueError, RecursionError) as error:
        raise _Unfit("the value is no JSON") from error
    if not isinstance(document, dict):
        raise _Unfit("the value is no JSON object")
    return document


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise _Unfit("a text is something else")
    return value


def _texts(value: object) -> tuple[str, ...]:
    if value is None:
        return ()
    if not isinstance(value, list):
        raise _Unfit("a list is something else")
    return tuple(_text(item) for item in value)


def _number(value: bytes) -> int:
    if len(value) != 8:
        raise _Unfit(f"a number has 8 bytes, not {len(value)}")
    return int.from_bytes(value)


def _revision(value: bytes) -> int:
    if len(value) != 17 or value[8:9] != b"_" or value[0] >= 0x80:
        raise _Unfit(f"{shown(value)} is no revision")
    return int.from_bytes(value[:8])


def _version(value: bytes) -> str:
    text = value.decode("ascii", errors="replace")
    if not _VERSION.fullmatch(text):
        raise _Unfit(f"{shown(value)} is no version")
    return text


def _append(listed: list[T], item: T) -> None:
    if len(listed) >= MAX_LISTED:
        raise _Unfit(f"more than {MAX_LISTED} of them")
    listed.append(item)
