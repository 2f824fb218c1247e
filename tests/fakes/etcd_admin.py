"""The side of a fake cluster that changes it: members come and go, alarms are taken back, keys are written.

It works on the same FakeCluster as `fakes.etcd`, so that what one changes the other one sees. Keys live in
`cluster`-wide storage of the connector: `FakeAdminConnector(cluster).keys`.

- `lagging` holds names of learners that are not in step yet: promoting them is refused, as etcd does.
- `now` is the members' clock: its second goes into the ids of new members, as in etcd, and a removed id is refused.
- `cut_off` names calls whose next one is done and then answered as an election does: timed out.
- `late` names calls whose next one is answered so too, and is done only as the same is asked once more.
- `too_few_started` makes removing a member refused, as etcd does where too few started members would be left.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from datetime import datetime

from etcd_dr.domain.cluster import Alarm, Member
from etcd_dr.errors import EtcdError, MemberTimeout, MemberUnreachable, RevisionUnavailable
from fakes.clock import MORNING
from fakes.etcd import FakeCluster, FakeMember


class FakeAdminConnector:
    """Implements ports.etcd_admin.AdminConnector."""

    def __init__(self, cluster: FakeCluster, *, now: Callable[[], datetime] = lambda: MORNING) -> None:
        self.cluster = cluster
        self.now = now
        self.keys: dict[bytes, bytes] = {}
        self.records: dict[bytes, bytes] = {}
        """What `sample_keys` answers where a test wants certain bytes; otherwise it is made up from `keys`."""
        self.calls: list[tuple[str, str]] = []
        self.lagging: set[int] = set()
        self.too_few_started = False
        self.removed: set[int] = set()
        self.cut_off: set[str] = set()
        self.late: set[str] = set()
        self.under_way: dict[str, Callable[[], object]] = {}

    def administer(self, endpoint: str) -> FakeEtcdAdmin:
        return FakeEtcdAdmin(self, endpoint)


class FakeEtcdAdmin:
    """Implements ports.etcd_admin.EtcdAdmin over a FakeCluster."""

    def __init__(self, connector: FakeAdminConnector, endpoint: str) -> None:
        self._connector = connector
        self._cluster = connector.cluster
        self._endpoint = endpoint
        self._is_open = True

    @property
    def endpoint(self) -> str:
        return self._endpoint

    def add_learner(self, peer_urls: Sequence[str], *, deadline: float) -> Member:
        self._with_quorum("add_learner", deadline)
        self._may_be_late("add_learner", lambda: self._add_learner(peer_urls))
        learner = self._add_learner(peer_urls)
        self._may_be_cut_off("add_learner")
        return Member(learner.id, "", tuple(peer_urls), (), True)

    def _add_learner(self, peer_urls: Sequence[str]) -> FakeMember:
        taken = {url for member in self._cluster.members for url in member.row.peer_urls}
        if taken & set(peer_urls):
            raise self._refused("Peer URLs already exists", "exists")
        if any(member.is_learner for member in self._cluster.members):
            raise self._refused("too many learner members in cluster", "too-many-learners")
        host = peer_urls[0].partition("://")[2].rpartition(":")[0]
        new_id = zlib.crc32(f"{peer_urls[0]}{int(self._connector.now().timestamp())}".encode()) + 1
        if new_id in self._connector.removed:
            raise self._refused("member not found", "id-removed")
        learner = FakeMember("", new_id, f"https://{host}:2379", is_learner=True)
        learner.refuses = True  # nobody has started it yet
        self._cluster.members.append(learner)
        self._connector.lagging.add(learner.id)
        return learner

    def promote(self, member_id: int, *, deadline: float) -> None:
        self._with_quorum("promote", deadline)
        self._may_be_late("promote", lambda: self._promote(member_id))
        self._promote(member_id)
        self._may_be_cut_off("promote")

    def _promote(self, member_id: int) -> None:
        member = self._member(member_id)
        if not member.is_learner:
            raise self._refused("can only promote a learner member", "not-learner")
        if member_id in self._connector.lagging:
            raise self._refused("can only promote a learner member which is in sync with leader", "not-ready")
        member.is_learner = False

    def remove_member(self, member_id: int, *, deadline: float) -> None:
        self._with_quorum("remove_member", deadline)
        self._may_be_late("remove_member", lambda: self._remove(member_id))
        self._remove(member_id)
        self._may_be_cut_off("remove_member")

    def _remove(self, member_id: int) -> None:
        member = self._member(member_id)
        if self._connector.too_few_started:
            raise self._refused("re-configuration failed due to not enough started members", "unhealthy")
        self._cluster.members.remove(member)
        self._connector.removed.add(member_id)

    def disarm(self, alarm: Alarm, *, deadline: float) -> None:
        self._with_quorum("disarm", deadline)
        self._cluster.raised_alarms = [raised for raised in self._cluster.raised_alarms if raised != alarm]
        self._may_be_cut_off("disarm")

    def compact(self, revision: int, *, deadline: float) -> None:
        member = self._with_quorum("compact", deadline)
        if revision > member.revision:
            raise RevisionUnavailable("future revision", subject=self._endpoint, context={"reason": "future"})
        self._cluster.compact(revision)
        self._may_be_cut_off("compact")

    def defragment(self, *, deadline: float) -> None:
        member = self._serve("defragment", deadline)
        member.db_in_use_bytes = None

    def put(self, key: bytes, value: bytes, *, deadline: float) -> int:
        member = self._with_quorum("put", deadline)
        if any(alarm.kind == "NOSPACE" for alarm in self._cluster.raised_alarms):
            raise self._refused("mvcc: database space exceeded", "no-space")
        self._cluster.write()
        self._connector.keys[key] = value
        self._may_be_cut_off("put")
        return member.revision

    def get(self, key: bytes, *, deadline: float) -> bytes | None:
        self._with_quorum("get", deadline)
        return self._connector.keys.get(key)

    def delete(self, key: bytes, *, deadline: float) -> None:
        self._with_quorum("delete", deadline)
        if self._connector.keys.pop(key, None) is not None:
            self._cluster.write()

    def count_keys(self, *, revision: int = 0, deadline: float) -> int:
        member = self._serve("count_keys", deadline)
        if revision > member.revision:
            raise RevisionUnavailable("future revision", subject=self._endpoint, context={"reason": "future"})
        return len(self._connector.keys)

    def sample_keys(self, keys: Sequence[bytes], *, revision: int = 0, deadline: float) -> dict[bytes, bytes]:
        self._serve("sample_keys", deadline)
        held = self._connector.keys
        made_up = {key: b"\x0a" + bytes([len(key)]) + key + held[key] for key in keys if key in held}
        return made_up | {key: self._connector.records[key] for key in keys if key in self._connector.records}

    def close(self) -> None:
        self._is_open = False

    def _serve(self, call: str, deadline: float) -> FakeMember:
        if not self._is_open:
            raise EtcdError("the connection was closed", subject=self._endpoint, context={"reason": "closed"})
        self._connector.calls.append((self._endpoint, call))
        member = self._cluster.at(self._endpoint)
        if member is None or member.refuses:
            raise MemberUnreachable("connection refused", subject=self._endpoint)
        if member.hangs:
            raise self._timed_out(deadline)
        if call in member.errors:
            raise member.errors[call]
        return member

    def _with_quorum(self, call: str, deadline: float) -> FakeMember:
        member = self._serve(call, deadline)
        if not self._cluster.leader_id(member):
            raise self._timed_out(deadline)
        return member

    def _member(self, member_id: int) -> FakeMember:
        for member in self._cluster.members:
            if member.id == member_id:
                return member
        raise self._refused("member not found", "not-found")

    def _may_be_cut_off(self, call: str) -> None:
        if call in self._connector.cut_off:
            self._connector.cut_off.remove(call)
            raise self._cut_off()

    def _may_be_late(self, call: str, do: Callable[[], object]) -> None:
        """Let this call be one that comes through later, and an earlier one come through now."""
        if call in self._connector.late:
            self._connector.late.remove(call)
            self._connector.under_way[call] = do
            raise self._cut_off()
        self._connector.under_way.pop(call, lambda: None)()

    def _cut_off(self) -> MemberTimeout:
        return MemberTimeout("etcdserver: request timed out", subject=self._endpoint, context={"reason": "no-quorum"})

    def _refused(self, said: str, reason: str) -> EtcdError:
        return EtcdError(f"etcdserver: {said}", subject=self._endpoint, context={"reason": reason})

    def _timed_out(self, deadline: float) -> MemberTimeout:
        self._cluster.advance(deadline)
        return MemberTimeout(f"no answer within {deadline:g} s", subject=self._endpoint)
