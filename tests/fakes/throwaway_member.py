"""A throw-away member that is no process: it answers from the file that the fake restorer copied.

What it says is true unless a test bends it: `hash_flaw`, `missing_keys`, `changed_keys`, `dies` (etcd does not run on
the data), `refuses_hash_at_revision` (an etcd before 3.5.10 that was compacted at that very revision).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from etcd_dr import boltdb
from etcd_dr.domain.etcd_programs import choose_version
from etcd_dr.domain.etcd_version import EtcdVersion
from etcd_dr.errors import MemberUnreachable, RevisionUnavailable, ToolMissing
from etcd_dr.ports.cancellation import Cancellation
from etcd_dr.ports.throwaway_member import RunningMember
from etcd_dr.workflows.sample_records import key_of
from fakes.etcd import FakeCluster, FakeEtcdConnector, named_member
from fakes.etcd_admin import FakeAdminConnector


class FakeMemberHost:
    """Implements ports.throwaway_member.MemberHost."""

    peer_url = "https://127.0.0.1:2380"

    def __init__(self, version: str = "3.5.30") -> None:
        self.versions = [found for found in [EtcdVersion.parse(version)] if found]
        self.hash_flaw = 0
        self.missing_keys: set[bytes] = set()
        self.changed_keys: set[bytes] = set()
        self.dies = False
        self.refuses_hash_at_revision = False
        self.running: list[Path] = []
        self.connector: FakeEtcdConnector | None = None

    def version_for(self, server: EtcdVersion | None) -> EtcdVersion:
        chosen = choose_version(self.versions, server)
        if chosen is None:
            raise ToolMissing("no etcd of that minor was found", subject="etcd", next_step="Get one.")
        return chosen

    @contextmanager
    def run(
        self, data_dir: Path, *, name: str, server: EtcdVersion | None, cancellation: Cancellation, deadline: float
    ) -> Iterator[RunningMember]:
        if self.dies:
            raise MemberUnreachable(
                f"member {name} ended with status 2 before it was ready", context={"log": "panic: freepages"}
            )
        self.running.append(data_dir)
        lent = self._member(data_dir / "member" / "snap" / "db", self.version_for(server))
        try:
            yield lent
        finally:
            lent.member.close()
            lent.admin.close()
            self.running.remove(data_dir)

    def _member(self, database: Path, version: EtcdVersion) -> RunningMember:
        status = boltdb.examine(database).status
        assert status is not None
        member = named_member("drill")
        member.revision, member.compact_revision = status.current_revision, status.compact_revision
        member.hash_flaw = self.hash_flaw
        cluster = FakeCluster(member, hash_of=lambda r, c: self._hash(database, r, c))
        admins = FakeAdminConnector(cluster)
        admins.records = {key: value for key, value in living(database).items() if key not in self.missing_keys}
        admins.records |= dict.fromkeys(self.changed_keys, b"\n\x01x")
        admins.keys = dict.fromkeys(admins.records, b"")
        self.connector = FakeEtcdConnector(cluster)
        return RunningMember(self.connector.connect(member.endpoint), admins.administer(member.endpoint), version)

    def _hash(self, database: Path, revision: int, compact_revision: int) -> int:
        if self.refuses_hash_at_revision:
            self.refuses_hash_at_revision = False
            raise RevisionUnavailable("mvcc: required revision has been compacted", context={"reason": "compacted"})
        return boltdb.hash_kv(database, revision=revision, compact_revision=compact_revision).hash


def living(database: Path) -> dict[bytes, bytes]:
    """Return the newest record of each key that is not deleted."""
    found: dict[bytes, bytes] = {}
    for name, value in boltdb.iter_records(database, b"key"):
        found.pop(key_of(value), None)
        if len(name) < 18:
            found[key_of(value)] = value
    return found
