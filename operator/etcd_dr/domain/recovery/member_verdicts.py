"""The verdict on one member: what it says itself, then what its node shows, then a person's word.

1. It answers as this cluster's member: healthy, a survivor, or a learner; damaged where its data is known to be wrong.
2. It answers as another cluster's member: foreign.
3. It does not answer and its node was seen: wiped, foreign, damaged, or down with its data.
4. Its node was not seen: a person's word, else unknown.

A word that contradicts what is seen changes nothing and is told as a contradiction.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from etcd_dr.domain.answer import NOT_ASKED
from etcd_dr.domain.cluster import MemberStatus, id_text
from etcd_dr.domain.observation import EndpointObservation
from etcd_dr.domain.recovery.assessment import MemberAssessment, MemberVerdict, Statement
from etcd_dr.domain.recovery.clues import Cause, Clue, cause_clue, damage_clue, hint_clues, read_clues, removal_clue
from etcd_dr.domain.recovery.roster import Row
from etcd_dr.domain.recovery.scene import Scene
from etcd_dr.domain.recovery.sight import DataSight, NodeSight, ProcessState
from etcd_dr.errors import AccessDenied, TlsRefused

_READY_SHARE = 0.9  # a learner may be promoted from here on (server/etcdserver/server.go, readyPercentThreshold)
_FULL_BYTES = 16 << 20  # below this etcd cannot allocate its next WAL file for long


def judge_member(row: Row, scene: Scene) -> MemberAssessment:
    """Return the assessment of one row of the roster."""
    case = _Case(row, scene)
    if row.seen is not None and row.seen.latest_status is not None:
        case.judge_live(row.seen, row.seen.latest_status)
    elif row.foreign is not None and row.foreign.latest_status is not None:
        case.judge_foreign(row.foreign.latest_status)
    elif row.sight is not None:
        case.judge_seen(row.sight)
    else:
        case.judge_unseen()
    return case.assessment()


class _Case:
    """One member under judgement; collects evidence and ends in an assessment."""

    def __init__(self, row: Row, scene: Scene) -> None:
        self._row = row
        self._scene = scene
        self._verdict = MemberVerdict.UNKNOWN
        self._evidence: list[str] = []
        self._cause = Cause.NONE
        self._contradiction = ""
        self._can_be_source = False
        self._numbers: dict[str, Any] = {}
        statements = scene.gathered.statements
        self._statement = statements.get(row.name) or statements.get(row.node)

    def assessment(self) -> MemberAssessment:
        row, status = self._row, self._row.seen.latest_status if self._row.seen else None
        member_id = row.member.id if row.member else (status.member_id if status else None)
        sight = row.sight
        return MemberAssessment(
            name=row.name,
            node=row.node,
            id=member_id,
            is_voter=row.is_voter,
            peer_urls=row.peer_urls,
            client_urls=row.client_urls,
            verdict=self._verdict,
            evidence=tuple(self._evidence),
            statement=self._statement,
            contradiction=self._contradiction,
            cause=self._cause,
            sight=row.look.sight if row.look else NOT_ASKED,
            can_be_source=self._can_be_source,
            endpoint=row.endpoint,
            version=(status.version if status else None) or (sight.etcd_version if sight else None),
            alarms=self._scene.alarms.get(member_id, ()) if member_id is not None else (),
            is_leader=bool(status and status.is_leader),
            is_live=row.seen is not None,
            **self._numbers,
        )

    # 1.
    def judge_live(self, seen: EndpointObservation, status: MemberStatus) -> None:
        self._numbers = {
            "revision": status.revision or None,  # etcd's first one is 1; Talos tells none
            "raft_term": status.raft_term,
            "applied_index": status.raft_applied_index,
            "database_bytes": status.db_size_bytes,
        }
        revision = f"revision {status.revision}, " if status.revision else ""
        self._evidence.append(
            f"it answers at {seen.endpoint}: {revision}term {status.raft_term}, "
            f"applied index {status.raft_applied_index}"
        )
        self._contradict(Statement.LOST, "it answers")
        if status.is_learner:
            self._live_learner(status)
        else:
            self._verdict = MemberVerdict.HEALTHY if self._takes_part(seen, status) else MemberVerdict.ANSWERS
            self._evidence.append(
                f"it follows leader {self._scene.view.label(status.leader_id)}" if status.leader_id else "no leader"
            )
        self._can_be_source = True
        self._live_doubts(status)
        self._note_files(self._row.sight)
        self._note_certificates(seen)

    def _takes_part(self, seen: EndpointObservation, status: MemberStatus) -> bool:
        read = seen.quorum_read
        has_failed = read.failure is not None and read.failure_code not in (AccessDenied.code, "etcd")
        return self._scene.is_held and bool(status.leader_id) and not has_failed

    def _live_learner(self, status: MemberStatus) -> None:
        self._verdict = MemberVerdict.LEARNER
        self._evidence.append("it is a learner and does not vote")
        index = self._scene.leader_index
        if index and status.raft_applied_index < _READY_SHARE * index:
            self._cause = Cause.LEARNER_BEHIND
            share = status.raft_applied_index / index
            self._evidence.append(f"it has {share:.0%} of the leader's log; it may vote from 90% on")

    def _live_doubts(self, status: MemberStatus) -> None:
        """A CORRUPT alarm and a hash of its own: believed, unless its hash is known to be the majority's."""
        kinds = self._scene.alarms.get(status.member_id, ())
        odd, alike = self._scene.divergence.odd, self._scene.divergence.alike
        if status.member_id in odd:
            self._damaged(odd[status.member_id])
        elif "CORRUPT" in kinds and status.member_id in alike:
            self._cause = Cause.FALSE_CORRUPT
            self._evidence.append("it has the alarm CORRUPT, but its hash equals the majority's: the alarm is false")
        elif "CORRUPT" in kinds:
            self._damaged("it has the alarm CORRUPT, and no hash shows that the alarm is false")
        if "NOSPACE" in kinds:
            self._cause = Cause.NO_SPACE
            self._evidence.append("it has the alarm NOSPACE: the database reached its quota")

    def _note_files(self, sight: NodeSight | None) -> None:
        data = sight.data if sight else None
        if data is not None and data.is_empty:
            self._evidence.append(f"its files are gone from {data.directory} under the running process: do not stop it")

    # 2.
    def judge_foreign(self, status: MemberStatus) -> None:
        self._contradict(Statement.INTACT, f"it answers as a member of etcd cluster {id_text(status.cluster_id)}")
        self._foreign(status.cluster_id, "it answers as a member of")

    # 3.
    def judge_seen(self, sight: NodeSight) -> None:
        self._note_silence()
        clues = read_clues(sight.log_tail)
        if sight.data is None:
            reason = f": {sight.problem}" if sight.problem else ""
            self._evidence.append(f"{sight.node} was reached, but its data directory could not be looked at{reason}")
            self._by_word()
        elif sight.data.is_empty:
            self._wiped(sight, sight.data)
        else:
            self._with_data(sight, sight.data, clues)
        self._note_cause(sight, clues)

    def _wiped(self, sight: NodeSight, data: DataSight) -> None:
        self._verdict = MemberVerdict.WIPED
        state = "is empty" if data.exists else "does not exist"
        unmounted = f" (a disk that is not mounted looks the same: findmnt -T {data.directory})"
        waits = f" (etcd is {sight.talos.service_state or 'unknown'})" if sight.talos is not None else unmounted
        self._evidence.append(f"{sight.node}: {data.directory} {state}{waits}")
        self._contradict(Statement.INTACT, f"{data.directory} {state}")

    def _with_data(self, sight: NodeSight, data: DataSight, clues: Sequence[Clue]) -> None:
        self._read_numbers(data)
        ours, own_id = self._scene.cluster_id, self._row.member.id if self._row.member else None
        damage, removal = damage_clue(clues), removal_clue(clues)
        if data.cluster_id is not None and ours is not None and data.cluster_id != ours:
            self._foreign(data.cluster_id, f"{sight.node}: {data.directory} belongs to")
        elif removal is not None or self._is_of_a_removed_member(data, own_id):
            told = removal.line if removal else f"its data is of member {id_text(data.member_id or 0)}, not listed"
            self._damaged(f"it was removed from the cluster: {told}")
        elif data.damage or not data.has_wal:
            self._damaged(f"{sight.node}: {data.directory}: {data.damage or 'there is no WAL'}")
            self._can_be_source = not data.has_wal and data.peek is not None
        elif damage is not None:
            self._damaged(f"its log says that {damage.meaning}: {damage.line}")
        else:
            self._down(sight, data)
        self._contradict(Statement.LOST, f"its data is there in {data.directory}", only_if_not_lost=True)

    def _is_of_a_removed_member(self, data: DataSight, own_id: int | None) -> bool:
        """Only a live list can say so: a manifest's may be older than the data."""
        return self._scene.has_live_list and data.member_id is not None and data.member_id != own_id

    def _down(self, sight: NodeSight, data: DataSight) -> None:
        self._verdict = MemberVerdict.DOWN
        self._can_be_source = data.peek is not None and not self._is_accused()
        state = {ProcessState.RUNNING: "runs and does not answer", ProcessState.STOPPED: "does not run"}
        self._evidence.append(
            f"{sight.node}: its process {state.get(sight.process, 'may run or not')}, and {data.directory} has its data"
            + (f" up to revision {data.peek.revision}" if data.peek else "")
        )
        if self._is_accused():
            self._damaged("it has the alarm CORRUPT")

    def _is_accused(self) -> bool:
        member_id = self._row.member.id if self._row.member else None
        kinds = self._scene.alarms.get(member_id, ()) if member_id is not None else ()
        return "CORRUPT" in kinds and member_id not in self._scene.divergence.alike

    def _read_numbers(self, data: DataSight) -> None:
        self._numbers["database_bytes"] = data.database_bytes
        if data.peek is not None:
            self._numbers |= {
                "revision": data.peek.revision,
                "raft_term": data.peek.term,
                "applied_index": data.peek.consistent_index,
            }

    def _note_cause(self, sight: NodeSight, clues: Sequence[Clue]) -> None:
        if self._verdict is not MemberVerdict.DOWN:
            return
        self._evidence += [f"its log says that {clue.meaning}: {clue.line}" for clue in hint_clues(clues)[:1]]
        clue = cause_clue(clues)
        if clue is not None:
            self._cause = clue.cause
            self._evidence.append(f"its log says that {clue.meaning}: {clue.line}")
        elif sight.free_bytes is not None and sight.free_bytes < _FULL_BYTES:
            self._cause = Cause.DISK_FULL
            self._evidence.append(f"{sight.node} has {sight.free_bytes} bytes free beside its data")
        elif sight.launch is None:
            self._cause = Cause.MANIFEST_WRONG
            self._evidence.append(f"nothing on {sight.node} says how etcd is started: its manifest or unit is missing")
        for tried in self._row.tried:
            self._note_certificates(tried)

    # 4.
    def judge_unseen(self) -> None:
        self._note_silence()
        look = self._row.look
        if look is None:
            self._evidence.append("no configured node is known to run it")
        elif look.sight.failure is not None:
            self._evidence.append(f"{look.node} ({look.place}) cannot be looked at: {look.sight.failure.message}")
        else:
            self._evidence.append(f"{look.node} ({look.place}) was not looked at")
        self._by_word()
        for tried in self._row.tried:
            self._note_certificates(tried)

    def _by_word(self) -> None:
        if self._statement is Statement.LOST:
            self._verdict = MemberVerdict.SAID_LOST
            self._evidence.append("a person says that it will not come back")
        elif self._statement is Statement.INTACT:
            self._verdict = MemberVerdict.SAID_INTACT
            self._evidence.append("a person says that its data is there")
        else:
            self._verdict = MemberVerdict.UNKNOWN

    # What several of them share.
    def _note_silence(self) -> None:
        failures = [(e.endpoint, e.status.failure) for e in self._row.tried if e.status.failure is not None]
        self._evidence += [f"it does not answer at {endpoint}: {failure.message}" for endpoint, failure in failures]

    def _damaged(self, why: str) -> None:
        self._verdict = MemberVerdict.DAMAGED
        self._can_be_source = False
        self._evidence.append(why)

    def _foreign(self, cluster_id: int, told: str) -> None:
        self._verdict = MemberVerdict.FOREIGN
        self._can_be_source = False
        before = " (this cluster before an earlier recovery)" if cluster_id in self._scene.known_ids else ""
        ours = id_text(self._scene.cluster_id or 0)
        self._evidence.append(f"{told} etcd cluster {id_text(cluster_id)}{before}, this one is {ours}")

    def _contradict(self, said: Statement, seen: str, *, only_if_not_lost: bool = False) -> None:
        if self._statement is said and not (only_if_not_lost and self._verdict.is_lost_for_good):
            self._contradiction = f"it was said to be {said.value}, but {seen}"

    def _note_certificates(self, endpoint: EndpointObservation) -> None:
        at = self._scene.gathered.at
        shown = [endpoint.http.certificate.value]
        member_id = self._row.member.id if self._row.member else None
        peers = self._scene.gathered.observation.peer_certificates
        shown += [p.certificate.value for p in peers if p.member_id == member_id]
        expired = next((c for c in shown if c is not None and c.not_after <= at), None)
        failure = endpoint.status.failure
        if expired is not None:
            told = f"the certificate behind {expired.source} expired at {expired.not_after.isoformat()}"
        elif failure is not None and failure.code == TlsRefused.code and "expired" in failure.message:
            told = failure.message
        else:
            return
        if not self._cause or self._cause is Cause.MANIFEST_WRONG:
            self._cause = Cause.CERTIFICATE_EXPIRED
        if told not in self._evidence:
            self._evidence.append(told)
