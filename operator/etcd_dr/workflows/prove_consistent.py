"""Prove `consistent`: HashKV computed from the file equals what live members answer at the same two revisions.

A hash depends on the revision *and* on the compact revision of whoever computes it, and members compact all the time.
The file can answer for every compact revision from its own up to the asked revision, so the members are asked first
and the file is hashed with what they say (etcd's mvcc/hash.go). That leaves these cases, none of them a mismatch:

1. The member has compacted past the file's revision: nothing can be compared with it any more. This is why one
   member is asked *early*, as soon as the stream has begun, at a revision that the file is sure to hold.
2. The member answers from its cache of compaction hashes (etcd 3.5.5 and later) with the compact revision *before* the
   file's: asked for its newest revision it computes afresh.
3. The member is behind: it is made to catch up (ask_hash).

Only one member is asked at a time, because HashKV holds up its reads and writes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from etcd_dr import __version__, boltdb
from etcd_dr.domain.database import NEVER_COMPACTED, DatabaseStatus, HashKv
from etcd_dr.domain.member_choice import ObservedMember
from etcd_dr.domain.proof import HashKvWitness, Proof, ProofLevel, ProofResult
from etcd_dr.domain.snapshot_limits import SnapshotLimits
from etcd_dr.domain.witness_choice import Witnesses, choose_witnesses
from etcd_dr.errors import RevisionUnavailable
from etcd_dr.workflows.ask_hash import NEWEST, LiveHash, ask_hash
from etcd_dr.workflows.observe_members import LiveCluster
from etcd_dr.workflows.prove_intact import PlainFile


@dataclass(slots=True)
class _Comparison:
    """The file's side of the comparison, and what came of it so far."""

    file: PlainFile
    own: HashKv | None
    stop: Callable[[], object]
    known: dict[tuple[int, int], HashKv] = field(default_factory=dict)
    witnesses: list[HashKvWitness] = field(default_factory=list)
    asked: list[ObservedMember] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def hash_at(self, revision: int, compact_revision: int) -> HashKv:
        """Return the file's hash. Raises RevisionUnavailable where the file cannot answer."""
        triple = (revision, compact_revision)
        if self.own is not None and triple == (self.own.revision, self.own.compact_revision):
            return self.own
        if triple not in self.known:
            self.known[triple] = boltdb.hash_kv(
                self.file.path, revision=revision, compact_revision=compact_revision, workers=1, stop=self.stop
            )
        return self.known[triple]

    def compare(self, live: LiveHash) -> bool:
        """Take in one answer and return whether it could be compared at all."""
        if live.hash_kv is None:
            self.problems.append(live.problem)
            return False
        answer = live.hash_kv
        try:
            mine = self.hash_at(answer.revision, answer.compact_revision)
        except RevisionUnavailable as error:
            self.problems.append(
                f"{live.observed.label}: answered at {_at(answer.revision, answer.compact_revision)}; "
                f"the file: {error.message}"
            )
            return False
        self.asked.append(live.observed)
        self.witnesses.append(
            HashKvWitness(
                member=live.observed.label,
                revision=answer.revision,
                compact_revision=answer.compact_revision,
                live_hash=answer.hash,
                file_hash=mine.hash,
            )
        )
        return True

    def has_another_than(self, source_id: int | None) -> bool:
        return any(member.id != source_id for member in self.asked)


def prove_consistent(
    file: PlainFile,
    *,
    status: DatabaseStatus,
    live: LiveCluster,
    cluster_id: int,
    source_id: int | None,
    early: LiveHash | None,
    limits: SnapshotLimits,
    at: datetime,
    stop: Callable[[], object],
) -> Proof:
    """Compare an intact file with live members and return the proof; members that fail are part of its detail.

    `source_id` is the member that the file came from; `early` is an answer that was asked for while the stream ran.
    Members of another cluster than `cluster_id` are not asked. `stop` is called often while the file is
    hashed, and raises to end it. Raises SnapshotDamaged and FileUnreadable when the file cannot be hashed.
    """
    witnesses = choose_witnesses(
        live.members,
        cluster_id=cluster_id,
        source_id=source_id,
        voter_count=live.voter_count,
        is_large=status.total_size_bytes > limits.hash_max_bytes,
        wanted=limits.witness_count,
    )
    comparison = _Comparison(file, status.hash_kv, stop)
    if early is not None:
        comparison.compare(early)
    _ask_in_order(comparison, witnesses, live=live, source_id=source_id, status=status, limits=limits)
    result, detail = _verdict(comparison, witnesses, source_id)
    if limits.hashed_by == "copy" and comparison.witnesses:
        detail += "; each hash was computed here, from a second snapshot that the member sent"
    return Proof(
        level=ProofLevel.CONSISTENT,
        result=result,
        at=at,
        made_from=file.origin,
        detail=detail,
        tool_version=__version__,
        plain_digest=file.digest,
        stored_digest=file.stored_digest,
        witnesses=tuple(comparison.witnesses),
        findings=tuple(f"hash.mismatch {w.member}" for w in comparison.witnesses if w.live_hash != w.file_hash),
    )


def _ask_in_order(
    comparison: _Comparison,
    witnesses: Witnesses,
    *,
    live: LiveCluster,
    source_id: int | None,
    status: DatabaseStatus,
    limits: SnapshotLimits,
) -> None:
    def is_enough() -> bool:
        return len(comparison.witnesses) >= witnesses.wanted and lacks_nobody()

    def lacks_nobody() -> bool:
        return bool(comparison.witnesses) and (not witnesses.needs_another or comparison.has_another_than(source_id))

    def ask(observed: ObservedMember) -> None:
        if observed in comparison.asked:
            return
        for revision in (status.current_revision, NEWEST):
            answer = ask_hash(
                live.connections[observed.endpoint],
                observed,
                revision=revision,
                deadline=limits.hash_deadline(status.total_size_bytes),
                call_deadline=limits.call_deadline,
            )
            if comparison.compare(answer) or not _is_cached(answer, status):
                return

    for observed in witnesses.in_order:
        if is_enough():
            return
        ask(observed)
    if witnesses.last_resort is not None and not lacks_nobody():
        ask(witnesses.last_resort)


def _is_cached(answer: LiveHash, status: DatabaseStatus) -> bool:
    """Whether the member answered with a hash that it kept from a compaction: its compact revision is the one before."""
    return answer.hash_kv is not None and answer.hash_kv.compact_revision < status.compact_revision


def _verdict(comparison: _Comparison, witnesses: Witnesses, source_id: int | None) -> tuple[ProofResult, str]:
    told = comparison.witnesses
    others = [w for w in told if w.live_hash != w.file_hash]
    unusable = f" ({'; '.join(comparison.problems)})" if comparison.problems else ""
    if others:
        named = ", ".join(f"{w.member} {w.live_hash} against {w.file_hash} at {_place(w)}" for w in others)
        return ProofResult.FAILED, f"live members hold other data than the file: {named}"
    if not told:
        return ProofResult.INCONCLUSIVE, f"no member could be compared with{unusable}"
    named = ", ".join(f"{w.member} at {_place(w)}" for w in told)
    if witnesses.needs_another and not comparison.has_another_than(source_id):
        return ProofResult.INCONCLUSIVE, f"equal to its source {named}, and no other member could be asked{unusable}"
    return ProofResult.PASSED, f"same hash as {named}"


def _place(witness: HashKvWitness) -> str:
    return _at(witness.revision, witness.compact_revision)


def _at(revision: int, compact_revision: int) -> str:
    compacted = "never compacted" if compact_revision <= NEVER_COMPACTED else f"compacted at {compact_revision}"
    return f"revision {revision}, {compacted}"
