"""`etcd-dr snapshot show`."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from rich.table import Table

from etcd_dr.domain.catalogue import Snapshot
from etcd_dr.domain.manifest import Manifest
from etcd_dr.entrypoints.cli.human import age, duration, moment, size
from etcd_dr.entrypoints.cli.place import open_place
from etcd_dr.entrypoints.cli.run import Run
from etcd_dr.entrypoints.cli.snapshot.beside import companion_table, companions_words
from etcd_dr.entrypoints.cli.snapshot.choosing import At, Revision, Which, choose, parse_choice
from etcd_dr.entrypoints.cli.snapshot.documents import detailed_document
from etcd_dr.entrypoints.cli.snapshot.rows import proof_history, proven_word
from etcd_dr.entrypoints.cli.tables import Cell, draw, facts, table
from etcd_dr.workflows.read_catalogue import read_catalogue


def command(run: Run, *, snapshot: Which = None, at: At = None, revision: Revision = None) -> None:
    """Show everything about one snapshot.

    The latest, unless another one is named.
    """
    selector = parse_choice(snapshot, at, revision, default="latest")
    with open_place(run) as place:
        chosen = choose(run, read_catalogue(place.store, place.layout), selector)
        url = place.store.url(place.layout.data(chosen.id))
        now = place.surroundings.clock.now()
        run.answer(detailed_document(chosen, data_url=url), table=lambda: _table(run, chosen, url, now))


def _table(run: Run, snapshot: Snapshot, url: str, now: datetime) -> None:
    draw(run.screen, facts([*_facts(snapshot, now), ("data", url)]))
    if snapshot.manifest.topology:
        run.screen.line()
        draw(run.screen, _members(snapshot.manifest))
    if snapshot.manifest.companions is not None:
        run.screen.line()
        draw(run.screen, companion_table(snapshot.manifest.companions))
    run.screen.line()
    if snapshot.proofs:
        draw(run.screen, proof_history(snapshot.proofs, now=now))
    else:
        run.screen.line("no proofs: nobody has looked at this copy since it was written")


def _facts(snapshot: Snapshot, now: datetime) -> Iterator[tuple[str, Cell]]:
    manifest, database, source = snapshot.manifest, snapshot.manifest.database, snapshot.manifest.source
    yield "snapshot", manifest.id
    yield "cluster", f"{manifest.cluster} (etcd cluster {source.cluster_id or 'unknown'})"
    yield "taken", f"{moment(manifest.taken_at)}, {age(manifest.taken_at, now=now)} ago, {manifest.reason}"
    yield "taken by", f"{manifest.taken_by} in {duration(timedelta(seconds=manifest.duration_seconds))}"
    yield "from", _origin(manifest)
    yield "proven", proven_word(snapshot)
    if snapshot.pin is not None:
        yield (
            "pinned",
            f"by {snapshot.pin.by}, {age(snapshot.pin.at, now=now)} ago: {snapshot.pin.reason or 'no reason'}",
        )
    yield "revision", f"{database.revision}, {_compaction(database.compact_revision)}"
    yield "keys", f"{database.live_keys} live keys, {database.all_records} records in all"
    yield "size", f"{size(database.size_bytes)}, stored {size(manifest.stored_size_bytes)}"
    yield "status hash", f"{database.status_hash:x}"
    yield "HashKV", str(database.hash_kv.hash) if database.hash_kv is not None else "not stated"
    yield "plain digest", str(manifest.plain_digest)
    yield "stored digest", str(manifest.stored_digest)
    yield "envelope", _envelope(manifest)
    if manifest.companions is not None:
        yield "companions", companions_words(manifest.companions)
    if database.alarms:
        yield "alarms", ", ".join(database.alarms)
    if manifest.labels:
        yield "labels", ", ".join(f"{key}={value}" for key, value in sorted(manifest.labels.items()))


def _compaction(revision: int) -> str:
    return "never compacted" if revision < 0 else f"compacted at {revision}"


def _origin(manifest: Manifest) -> str:
    source = manifest.source
    if source.kind == "import":
        return f"imported from {source.original_name or 'a file'}"
    version = f", etcd {source.etcd_version}" if source.etcd_version else ""
    return f"member {source.member_name or source.member_id or 'unknown'} at {source.endpoint or 'unknown'}{version}"


def _envelope(manifest: Manifest) -> str:
    if not manifest.stages:
        return "none: stored in clear and uncompressed"
    told = []
    for stage in manifest.stages:
        recipients = stage.parameters.get("recipients")
        listed = f" for {', '.join(recipients)}" if isinstance(recipients, tuple) else ""
        told.append(f"{stage.name}{listed}")
    clear = "" if manifest.is_encrypted else "; stored in clear"
    return f"{', then '.join(told)}{clear}"


def _members(manifest: Manifest) -> Table:
    return table(
        ("MEMBER", "ID", "PEER URLS", "CLIENT URLS"),
        (
            (
                f"{member.name or 'not started'}{' (learner)' if member.is_learner else ''}",
                member.id,
                " ".join(member.peer_urls),
                " ".join(member.client_urls),
            )
            for member in manifest.topology
        ),
    )
