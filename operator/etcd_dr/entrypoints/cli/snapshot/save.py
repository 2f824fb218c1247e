"""`etcd-dr snapshot save`: into the store, or into one plain file as etcdctl writes it."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Annotated

import typer

from etcd_dr.bootstrap.snapshots import pipeline_ports, snapshot_limits
from etcd_dr.bootstrap.surroundings import Surroundings
from etcd_dr.config import Target
from etcd_dr.entrypoints.cli.human import duration, plain, size
from etcd_dr.entrypoints.cli.labels import Label, parse_labels
from etcd_dr.entrypoints.cli.place import Place, open_place
from etcd_dr.entrypoints.cli.run import Run
from etcd_dr.entrypoints.cli.snapshot.documents import proof_document, selected_document
from etcd_dr.entrypoints.cli.snapshot.local_file import kept_as_file
from etcd_dr.entrypoints.cli.snapshot.rows import proof_table, proven_word
from etcd_dr.entrypoints.cli.stopping import stopped_by_signals
from etcd_dr.entrypoints.cli.tables import draw, facts
from etcd_dr.entrypoints.cli.who import whoami
from etcd_dr.errors import ProofFailed
from etcd_dr.workflows.compose_manifest import SnapshotOrder
from etcd_dr.workflows.guard_member import MemberGuard
from etcd_dr.workflows.take_snapshot import SnapshotOutcome, take_snapshot

_SAID_IN_ANSWER = (
    "snapshot.warning",
    "snapshot.member_refused",
    "snapshot.attempt_failed",
    "store.unconditional_commit",
    "prefix.claimed",
    "snapshot.committed",
)


def command(
    run: Run,
    *,
    file: Annotated[
        Path | None,
        typer.Argument(
            metavar="FILE",
            show_default=False,
            help="A plain file instead of the store, as etcdctl does.",
            readable=False,
        ),
    ] = None,
    endpoint: Annotated[
        str | None, typer.Option("--endpoint", metavar="URL", help="Take it from this member, not from the best one.")
    ] = None,
    label: Label = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace FILE where it exists.")] = False,
    accept_new_cluster_id: Annotated[
        bool, typer.Option("--accept-new-cluster-id", help="Say once that this is the same cluster after a recovery.")
    ] = False,
    disaster_copy: Annotated[
        bool,
        typer.Option("--disaster-copy", help="Talos: read the database files, because etcd does not answer."),
    ] = False,
) -> int:
    """Take a snapshot, prove it, and keep it in the store."""
    labels = parse_labels(label)
    if disaster_copy:
        return _save_disaster_copy(run, file, node=endpoint, labels=labels, overwrite=overwrite)
    with stopped_by_signals() as switch:
        shared = run.surroundings(switch, said_in_answer=_SAID_IN_ANSWER)
        if file is None:
            with open_place(run, shared, by_members=True) as place:
                outcome = _take(place, endpoint, labels, accept_new_cluster_id=accept_new_cluster_id)
                where = place.store.url(place.layout.folder(outcome.snapshot.id))
        else:
            with kept_as_file(run, shared, file, overwrite=overwrite) as keeping:
                outcome = _take(keeping.place, endpoint, labels, accept_new_cluster_id=False)
                where = str(keeping.keep(outcome.snapshot.manifest))
    run.answer(_document(outcome, where), table=lambda: _table(run, outcome, where))
    return ProofFailed.exit_status if outcome.failed_proofs else 0


def _save_disaster_copy(
    run: Run, file: Path | None, *, node: str | None, labels: dict[str, str], overwrite: bool
) -> int:
    from etcd_dr.entrypoints.cli.snapshot.disaster import (  # noqa: PLC0415 - only for the one who asks for it
        save_disaster_copy,
        tell_disaster_copy,
    )

    with stopped_by_signals() as switch:
        shared = run.surroundings(switch)
        if file is None:
            with open_place(run, shared) as place:
                outcome, copies = save_disaster_copy(place, node=node, labels=labels)
                where = place.store.url(place.layout.folder(outcome.snapshot.id))
        else:
            with kept_as_file(run, shared, file, overwrite=overwrite) as keeping:
                outcome, copies = save_disaster_copy(keeping.place, node=node, labels=labels)
                where = str(keeping.keep(outcome.snapshot.manifest))
    tell_disaster_copy(run, outcome, copies, where=where)
    return 0


def _take(
    place: Place, endpoint: str | None, labels: dict[str, str], *, accept_new_cluster_id: bool
) -> SnapshotOutcome:
    target = _with_machine_configs(place.target, place.surroundings)
    order = SnapshotOrder(
        layout=place.layout,
        reason="on-demand",
        taken_by=whoami(),
        endpoint=endpoint or target.snapshot.endpoint,
        labels={**target.labels, **labels},
        accept_new_cluster_id=accept_new_cluster_id,
        platform=target.platform,
    )
    ports = pipeline_ports(target, place.store, place.surroundings, guard=MemberGuard())
    return take_snapshot(order, ports=ports, limits=snapshot_limits(target))


def _with_machine_configs(target: Target, surroundings: Surroundings) -> Target:
    if target.talos is None:
        return target
    from etcd_dr.bootstrap.talos import with_machine_configs  # noqa: PLC0415 - imports gRPC for Talos

    return with_machine_configs(target, surroundings)


def _document(outcome: SnapshotOutcome, where: str) -> dict[str, object]:
    return selected_document(
        outcome.snapshot,
        {
            "url": where,
            "proofs": [proof_document(proof) for proof in outcome.snapshot.proofs],
            "warnings": list(outcome.warnings),
            "failed_attempts": [
                {
                    "member": attempt.member,
                    "endpoint": attempt.endpoint,
                    "code": attempt.code,
                    "reason": attempt.reason,
                    "duration_seconds": round(attempt.duration_seconds, 3),
                }
                for attempt in outcome.failed_attempts
            ],
            "phases": [
                {"name": phase.name, "seconds": round(phase.seconds, 3), "bytes": phase.count_bytes}
                for phase in outcome.phases
            ],
            "duration_seconds": round(outcome.duration_seconds, 3),
        },
    )


def _table(run: Run, outcome: SnapshotOutcome, where: str) -> None:
    manifest, database = outcome.snapshot.manifest, outcome.snapshot.manifest.database
    source = outcome.source.observed
    draw(
        run.screen,
        facts(
            [
                ("snapshot", manifest.id),
                ("kept in", where),
                ("from", f"{source.label} at {source.endpoint}, {outcome.source.reason}"),
                ("revision", f"{database.revision}, {database.live_keys} live keys"),
                ("size", f"{size(database.size_bytes)}, stored {size(manifest.stored_size_bytes)}"),
                ("took", duration(timedelta(seconds=outcome.duration_seconds))),
                ("proven", proven_word(outcome.snapshot)),
            ]
        ),
        proof_table(outcome.snapshot.proofs),
    )
    for refused in outcome.choice.refused:
        run.screen.line(f"passed over: {plain(refused.observed.label)}: {plain(refused.reason)}")
    for warning in outcome.warnings:
        run.screen.line(f"warning: {plain(warning)}")
