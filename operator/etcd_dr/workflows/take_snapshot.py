"""Take one snapshot: from the choice of a member to the manifest that makes it exist.

1. Remove scratch files that killed processes left behind.
2. Gather the companions, where some are asked for (keep_companions).
3. Ask the members, and choose who serves (domain/member_choice.py).
4. Make sure that the prefix belongs to this cluster (claim_prefix).
5. Try one member after another (attempt_snapshot): a member that fails is left for the next one, a store or a disk
   that fails ends the run, because no other member would change it. A damaged database is tried on one other member:
   two of them are a finding of their own.
6. Write the companions and the proofs, then the manifest (commit_snapshot).

Until step 6 nothing is visible, whatever goes wrong and wherever. A proof that *failed* against live members does not
stop the commit: the copy is sound in itself and may be the last good one of a cluster that is falling apart. It is
recorded as failed, so that nobody takes the snapshot for a proven one, and the outcome says so.
"""

from __future__ import annotations

from dataclasses import dataclass

from etcd_dr.domain.catalogue import Snapshot
from etcd_dr.domain.cluster import id_text
from etcd_dr.domain.manifest import CompanionsFacts
from etcd_dr.domain.member_choice import Candidate, MemberChoice, choose_member
from etcd_dr.domain.proof import Proof, ProofResult
from etcd_dr.domain.snapshot import SnapshotId
from etcd_dr.domain.snapshot_limits import SnapshotLimits
from etcd_dr.errors import (
    AccessDenied,
    Busy,
    Cancelled,
    EtcdDrError,
    EtcdError,
    ForeignCluster,
    NoUsableMember,
    SnapshotDamaged,
    StoreError,
    TlsRefused,
)
from etcd_dr.ports.companions import Gathered
from etcd_dr.ports.events import Level
from etcd_dr.workflows.attempt_snapshot import Attempt, Phase, PipelinePorts, Received
from etcd_dr.workflows.claim_prefix import claim_prefix, read_marker
from etcd_dr.workflows.commit_snapshot import commit_snapshot, discard_folder
from etcd_dr.workflows.compose_manifest import SnapshotOrder, compose_manifest
from etcd_dr.workflows.keep_companions import gather_companions, store_companions
from etcd_dr.workflows.observe_members import LiveCluster, observe_members
from etcd_dr.workflows.receive_stream import raise_if_cancelled

_DAMAGED_TRIES = 2


@dataclass(frozen=True, slots=True)
class FailedAttempt:
    """A member that was tried in vain."""

    member: str
    endpoint: str
    code: str
    reason: str
    duration_seconds: float


@dataclass(frozen=True, slots=True)
class SnapshotOutcome:
    """A committed snapshot, and how it came about. `phases` overlap: their seconds add up to more than the whole."""

    snapshot: Snapshot
    choice: MemberChoice
    source: Candidate
    failed_attempts: tuple[FailedAttempt, ...]
    phases: tuple[Phase, ...]
    warnings: tuple[str, ...]
    duration_seconds: float

    @property
    def failed_proofs(self) -> tuple[Proof, ...]:
        """Proofs that were carried out and whose answer is no; any of them means that a human must act."""
        return tuple(p for p in self.snapshot.proofs if p.result is ProofResult.FAILED)


def take_snapshot(order: SnapshotOrder, *, ports: PipelinePorts, limits: SnapshotLimits) -> SnapshotOutcome:
    """Take a snapshot and return it with its proofs.

    Raises NoUsableMember or the only member's own error, SnapshotDamaged, ForeignCluster, StoreError,
    LocalStorageFull, Cancelled; in each case nothing is visible in the store.
    """
    return _Run(order, ports, limits).carry_out()


class _Run:
    """One run: its order, its ports, and what has been learnt so far."""

    def __init__(self, order: SnapshotOrder, ports: PipelinePorts, limits: SnapshotLimits) -> None:
        self._order = order
        self._ports = ports
        self._limits = limits
        self._begun = ports.clock.monotonic()
        self._failed: list[FailedAttempt] = []
        self._phases: list[Phase] = []
        self._warnings: list[str] = []

    def carry_out(self) -> SnapshotOutcome:
        for name in self._ports.scratch.sweep():  # 1
            self._emit("scratch.swept", level="warning", file=name)
        gathered = self._gather()  # 2
        with observe_members(
            self._ports.connector, deadline=self._limits.call_deadline, named_endpoint=self._order.endpoint
        ) as live:
            choice = self._choose(live)  # 3
            self._claim(choice)  # 4
            self._phases.append(Phase("choosing", self._ports.clock.monotonic() - self._begun))
            source, received = self._try_members(choice, live)  # 5
        self._warnings += source.warnings
        snapshot = self._commit(source, received, live, gathered)  # 6
        return SnapshotOutcome(
            snapshot=snapshot,
            choice=choice,
            source=source,
            failed_attempts=tuple(self._failed),
            phases=tuple(self._phases),
            warnings=tuple(dict.fromkeys(self._warnings)),
            duration_seconds=self._ports.clock.monotonic() - self._begun,
        )

    def _gather(self) -> Gathered | None:
        """Return the companions, with a warning for each that is missing; None where none are asked for."""
        order = self._ports.companions
        if order is None:
            return None
        begun = self._ports.clock.monotonic()
        gathered = gather_companions(order, encoder=self._ports.encoder, cancellation=self._ports.cancellation)
        for missing in gathered.missing:
            self._warnings.append(f"companion {missing.name} is missing: {missing.reason}")
            self._emit("companions.missing", level="warning", file=missing.name, reason=missing.reason)
        self._phases.append(Phase("gathering companions", self._ports.clock.monotonic() - begun, gathered.total_bytes))
        return gathered

    def _choose(self, live: LiveCluster) -> MemberChoice:
        choice = choose_member(
            live.members,
            quorum_revision=live.quorum_revision,
            cluster_ids=self._expected_cluster_ids(live),
            max_applied_lag=self._limits.max_applied_lag,
            named_endpoint=self._order.endpoint,
        )
        for refused in choice.refused:
            self._emit(
                "snapshot.member_refused",
                level="warning",
                member=refused.observed.label,
                endpoint=refused.observed.endpoint,
                reason=refused.reason,
            )
        raise_if_cancelled(self._ports.cancellation)  # then nobody answered because nobody was waited for
        if not choice.candidates:
            raise _nobody(choice, platform=self._order.platform)
        return choice

    def _expected_cluster_ids(self, live: LiveCluster) -> frozenset[int]:
        """Return the ids that a source may have: with endpoints of two clusters, those that the marker knows."""
        if len(live.cluster_ids) < 2:
            return frozenset()
        marker = read_marker(self._ports.store, self._order.layout)
        known = {i for i in live.cluster_ids if marker is not None and id_text(i) in marker.etcd_cluster_ids}
        if len(known) != 1:
            found = ", ".join(sorted(map(id_text, live.cluster_ids)))
            raise ForeignCluster(
                f"the endpoints lead to {len(live.cluster_ids)} clusters: {found}",
                subject=self._order.layout.cluster,
                next_step="Give the endpoints of one cluster only. See which is which: etcd-dr members",
                context={"found": found},
            )
        return frozenset(known)

    def _claim(self, choice: MemberChoice) -> None:
        cluster_id = choice.candidates[0].status.cluster_id
        claimed = claim_prefix(
            self._ports.store,
            self._order.layout,
            etcd_cluster_id=cluster_id,
            clock=self._ports.clock,
            claimed_by=self._order.taken_by,
            accept_new_cluster_id=self._order.accept_new_cluster_id,
        )
        if claimed.change:
            self._emit("prefix.claimed", change=claimed.change, cluster_id=id_text(cluster_id))
        if claimed.newest_id != id_text(cluster_id):
            self._warnings.append(
                f"the endpoints lead to cluster {id_text(cluster_id)}, but the prefix was last used by "
                f"{claimed.newest_id}: is this the one from before a recovery?"
            )

    def _try_members(self, choice: MemberChoice, live: LiveCluster) -> tuple[Candidate, Received]:
        tried = choice.candidates[: self._limits.attempts]
        damaged = 0
        for number, candidate in enumerate(tried, start=1):
            begun = self._ports.clock.monotonic()
            try:
                received = self._attempt(candidate, live, number)
            except (EtcdError, SnapshotDamaged, Busy) as error:
                damaged += isinstance(error, SnapshotDamaged)
                self._note_failure(candidate, error, number, self._ports.clock.monotonic() - begun)
                if number == len(tried) or damaged == _DAMAGED_TRIES:
                    raise self._given_up(error) from error
            else:
                self._phases += received.phases
                return candidate, received
        raise AssertionError("the last attempt returns or raises")

    def _attempt(self, candidate: Candidate, live: LiveCluster, number: int) -> Received:
        self._emit(
            "snapshot.member_chosen",
            member=candidate.observed.label,
            endpoint=candidate.observed.endpoint,
            reason=candidate.reason,
            attempt=number,
        )
        for warning in candidate.warnings:
            self._emit("snapshot.warning", level="warning", member=candidate.observed.label, reason=warning)
        snapshot_id = SnapshotId.create(self._ports.clock.now(), self._ports.tokens.token())
        attempt = Attempt(
            ports=self._ports,
            limits=self._limits,
            layout=self._order.layout,
            snapshot_id=snapshot_id,
            candidate=candidate,
            live=live,
        )
        return attempt.carry_out()

    def _note_failure(self, candidate: Candidate, error: EtcdDrError, number: int, seconds: float) -> None:
        observed = candidate.observed
        self._failed.append(FailedAttempt(observed.label, observed.endpoint, error.code, error.message, seconds))
        self._warnings.append(f"{observed.label} failed to serve a snapshot: {error.message}")
        self._emit(
            "snapshot.attempt_failed",
            level="warning",
            member=observed.label,
            endpoint=observed.endpoint,
            attempt=number,
            error_code=error.code,
            reason=error.message,
        )

    def _given_up(self, error: EtcdDrError) -> EtcdDrError:
        is_refused_by_all = isinstance(error, AccessDenied) and {f.code for f in self._failed} == {error.code}
        if len(self._failed) == 1 or isinstance(error, SnapshotDamaged) or is_refused_by_all:
            return error
        return NoUsableMember(
            f"{len(self._failed)} members failed to serve a snapshot "
            f"({'; '.join(f'{each.member}: {each.reason}' for each in self._failed)})",
            subject=self._order.layout.cluster,
            next_step="Nothing was stored. See how the members are: etcd-dr health",
            context={f.member: f"{f.reason} ({f.code})" for f in self._failed},
        )

    def _store_companions(self, received: Received, gathered: Gathered | None) -> CompanionsFacts | None:
        if gathered is None:
            return None
        try:
            return store_companions(
                self._ports.store,
                self._order.layout,
                received.snapshot_id,
                gathered,
                encoder=self._ports.encoder,
                cancellation=self._ports.cancellation,
            )
        except (StoreError, Cancelled):
            discard_folder(self._ports.store, self._order.layout, received.snapshot_id)
            raise

    def _commit(self, source: Candidate, received: Received, live: LiveCluster, gathered: Gathered | None) -> Snapshot:
        store, layout = self._ports.store, self._order.layout
        begun = self._ports.clock.monotonic()
        companions = self._store_companions(received, gathered)
        guarantees = store.guarantees()
        if not guarantees.put_if_absent:
            self._warnings.append(f"the store does not keep writers apart: {guarantees.detail}")
            self._emit("store.unconditional_commit", level="warning", reason=guarantees.detail)
        manifest = compose_manifest(
            self._order,
            source,
            received,
            member_list=live.member_list,
            stages=self._ports.encoder.stages,
            is_conditional=guarantees.put_if_absent,
            finished_at=self._ports.clock.now(),
            duration_seconds=self._ports.clock.monotonic() - self._begun,
            companions=companions,
        )
        commit_snapshot(
            store,
            layout,
            manifest,
            received.proofs,
            tokens=self._ports.tokens,
            confirm=self._ports.confirm,
        )
        self._phases.append(Phase("committing", self._ports.clock.monotonic() - begun))
        snapshot = Snapshot(manifest, received.proofs)
        self._tell(snapshot, source)
        return snapshot

    def _tell(self, snapshot: Snapshot, source: Candidate) -> None:
        """Emit the one canonical line of the run."""
        manifest, level = snapshot.manifest, snapshot.level
        self._emit(
            "snapshot.committed",
            level="error" if snapshot.is_damaged else "info",
            snapshot_id=manifest.id,
            member=source.observed.label,
            revision=manifest.database.revision,
            bytes=manifest.database.size_bytes,
            stored_bytes=manifest.stored_size_bytes,
            proven=level.value if level else None,
            failed_proofs=", ".join(p.level for p in snapshot.proofs if p.result is ProofResult.FAILED) or None,
            attempt=len(self._failed) + 1,
            duration_seconds=round(self._ports.clock.monotonic() - self._begun, 3),
        )

    def _emit(self, event: str, *, level: Level = "info", **fields: str | int | float | bool | None) -> None:
        self._ports.events.emit(event, level=level, cluster=self._order.layout.cluster, **fields)


_SEE = (
    "See how the members are: etcd-dr health",
    "See what is wrong: etcd-dr doctor. If etcd answers nowhere: etcd-dr snapshot save --disaster-copy",
)


def _nobody(choice: MemberChoice, *, platform: str) -> EtcdError:
    """Return why nobody can serve; what all of them refuse alike (TLS, rights) is that matter, not one of members."""
    reasons = {r.observed.label: r.reason for r in choice.refused}
    told = "; ".join(f"{label}: {reason}" for label, reason in reasons.items())
    if len(set(reasons.values())) == 1 and len(reasons) > 1:
        told = f"all of them: {next(iter(reasons.values()))}"
    codes = {r.observed.failure_code for r in choice.refused}
    kind = next((kind for kind in (TlsRefused, AccessDenied) if codes == {kind.code}), NoUsableMember)
    common = choice.refused[0].observed.failure_next_step if kind is not NoUsableMember else ""
    return kind(
        f"the only member that was asked cannot serve a snapshot ({told})"
        if len(reasons) == 1
        else f"none of {len(reasons)} members can serve a snapshot ({told})",
        next_step=common or _SEE[platform == "talos"],
        context=reasons,
    )
