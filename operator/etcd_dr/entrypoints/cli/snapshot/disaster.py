"""`etcd-dr snapshot save --disaster-copy`: what is left of a Talos cluster whose etcd does not answer."""

from __future__ import annotations

from collections.abc import Mapping

from etcd_dr.bootstrap.files import import_ports
from etcd_dr.bootstrap.snapshots import snapshot_limits
from etcd_dr.domain.catalogue import Catalogue
from etcd_dr.domain.disaster_copy import DatabaseCopy
from etcd_dr.domain.manifest import SourceFacts
from etcd_dr.entrypoints.cli.human import plain, size
from etcd_dr.entrypoints.cli.place import Place
from etcd_dr.entrypoints.cli.run import Run
from etcd_dr.entrypoints.cli.snapshot.documents import proof_document, selected_document
from etcd_dr.entrypoints.cli.snapshot.rows import proof_table, proven_word
from etcd_dr.entrypoints.cli.tables import draw, facts
from etcd_dr.entrypoints.cli.who import whoami
from etcd_dr.workflows.copy_database import BestCopy, best_copy
from etcd_dr.workflows.import_snapshot import ImportOrder, ImportOutcome, import_file
from etcd_dr.workflows.read_catalogue import read_catalogue

REASON = "disaster-copy"


def save_disaster_copy(
    place: Place, *, node: str | None, labels: Mapping[str, str]
) -> tuple[ImportOutcome, tuple[DatabaseCopy, ...]]:
    """Keep the best copy that the nodes give, and return it with what became of each. Raises as `best_copy`."""
    from etcd_dr.bootstrap.talos import copy_ports  # noqa: PLC0415 - imports gRPC, which other ways of saving need not

    target, shared = place.target, place.surroundings
    ports = copy_ports(target, shared)
    catalogue: Catalogue = read_catalogue(place.store, place.layout)
    with best_copy([node] if node else ports.fleet.nodes(), ports=ports, limits=snapshot_limits(target)) as best:
        order = ImportOrder(
            layout=place.layout,
            taken_by=whoami(),
            taken_at=shared.clock.now(),
            platform="talos",
            labels={**target.labels, **labels},
            reason=REASON,
            source=_source(best),
        )
        outcome = import_file(best.path, order, catalogue, ports=import_ports(target, place.store, shared))
        return outcome, best.copies


def _source(best: BestCopy) -> SourceFacts:
    return SourceFacts(kind="talos", endpoint=best.chosen.address, platform="talos")


def tell_disaster_copy(run: Run, outcome: ImportOutcome, copies: tuple[DatabaseCopy, ...], *, where: str) -> None:
    """Answer with the snapshot and with what each node gave."""
    document = selected_document(
        outcome.snapshot,
        {
            "url": where,
            "is_new": outcome.is_new,
            "proofs": [proof_document(proof) for proof in outcome.snapshot.proofs],
            "warnings": list(outcome.warnings),
            "copies": [
                {
                    "node": copy.address,
                    "bytes": copy.size_bytes,
                    "revision": copy.status.current_revision if copy.status else None,
                    "consistent_index": copy.status.consistent_index if copy.status else None,
                    "problem": copy.problem or None,
                }
                for copy in copies
            ],
        },
    )
    run.answer(document, table=lambda: _table(run, outcome, copies, where))


def _table(run: Run, outcome: ImportOutcome, copies: tuple[DatabaseCopy, ...], where: str) -> None:
    manifest, database = outcome.snapshot.manifest, outcome.snapshot.manifest.database
    draw(
        run.screen,
        facts(
            [
                ("snapshot", manifest.id),
                ("kept in", where),
                ("from", f"the database file of {manifest.source.endpoint}"),
                ("revision", f"{database.revision}, {database.live_keys} live keys"),
                ("size", f"{size(database.size_bytes)}, stored {size(manifest.stored_size_bytes)}"),
                ("proven", proven_word(outcome.snapshot)),
            ]
        ),
        proof_table(outcome.snapshot.proofs),
    )
    for copy in copies:
        told = copy.problem or (
            f"revision {copy.status.current_revision}, {size(copy.size_bytes)}" if copy.status else "-"
        )
        run.screen.line(f"copy of {plain(copy.address)}: {plain(told)}")
    for warning in outcome.warnings:
        run.screen.line(f"warning: {plain(warning)}")
