"""Build a member's data directory here with etcd's own tool, and prove that it holds what the source holds.

Two things are compared: the identity in its WAL with the ids that the plan computed, and HashKV of its database with
the one that follows from the source (with a bump: `boltdb.bumped`). A directory that is here already is kept when it
passes, and built anew when it does not.
"""

from __future__ import annotations

from pathlib import Path

from etcd_dr import boltdb
from etcd_dr.boltdb.bumped import bumped_hash_kv
from etcd_dr.domain.database import HashKv
from etcd_dr.domain.etcd_version import EtcdVersion
from etcd_dr.domain.recovery.journal import Facts
from etcd_dr.domain.recovery.plan import ExpectedMember
from etcd_dr.domain.recovery.step import BuildData, Preflight
from etcd_dr.domain.recovery.talos_step import TalosPreflight
from etcd_dr.domain.wal_head import HEAD_BYTES, WalUnreadable, is_first_wal, read_wal_identity
from etcd_dr.errors import EtcdDrError, RecoveryError, VerificationFailed
from etcd_dr.ports.restorer import RestoreOrder
from etcd_dr.workflows.recovery.steps.source import source_facts, source_file
from etcd_dr.workflows.recovery.work import Work


def built_directory(work: Work, member: str) -> Path:
    return work.place.path("built", member)


def is_built(step: BuildData, work: Work) -> bool:
    """Whether what this step built lies here; what is in it is looked at when it is placed."""
    return bool(work.place.names(built_directory(work, step.member)))


def build_data(step: BuildData, work: Work) -> Facts:
    directory = built_directory(work, step.member)
    if work.place.names(directory):
        try:
            return _proven(step, work, directory)
        except EtcdDrError:
            work.place.discard(directory)  # the remains of a call that was cut off, or of an earlier source
    _restore(step, work, directory)
    return _proven(step, work, directory)


def server_version(work: Work) -> EtcdVersion | None:
    """Return the version line of the cluster's servers, as the plan has it."""
    for step in work.plan.steps:
        if isinstance(step, Preflight | TalosPreflight) and step.etcdutl_minor:
            return EtcdVersion.parse(f"{step.etcdutl_minor}.0")
    return None


def predicted_hash(work: Work, *, bump: int) -> HashKv | None:
    """Return what every member of the new cluster will answer, None where the source's hash could not be stated."""
    facts = source_facts(work)
    own, compacted = facts.get("hash"), facts.get("hash_compacted")
    if bump and isinstance(compacted, int):
        return bumped_hash_kv(compacted, last_revision=_whole(facts, "last_record"), bump=bump)
    if not bump and isinstance(own, int):
        return HashKv(own, _whole(facts, "revision"), _whole(facts, "compact_revision"))
    return None


def _restore(step: BuildData, work: Work, directory: Path) -> None:
    order = RestoreOrder(
        source=source_file(work),
        data_dir=directory,
        name=step.member,
        peer_urls=step.peer_urls,
        initial_cluster=step.initial_cluster,
        token=step.token,
        bump_revision=step.bump_revision,
        skip_hash_check=False,  # a file without a trailer was given one when it was proven
    )
    work.ports.restorer.restore(order, server=server_version(work), cancellation=work.ports.cancellation)


def _proven(step: BuildData, work: Work, directory: Path) -> Facts:
    member_id, cluster_id = _identity(work, directory, member=step.member)
    database = directory / "member" / "snap" / "db"
    if work.place.size_bytes(database) is None:
        raise _failed(step, "it has no database")
    facts = work.proven.facts(database, work.place, lambda: _proven_database(step, work, database))
    return {"member_id": member_id, "cluster_id": cluster_id, **facts}


def _proven_database(step: BuildData, work: Work, database: Path) -> Facts:
    """Read every page, and compare the hash with the one that follows from the source."""
    examination = boltdb.examine(database, live_keys=False, with_hash_kv=True)
    status = examination.status
    if status is None or not examination.is_intact:
        raise _failed(step, "its database is damaged")
    predicted = predicted_hash(work, bump=step.bump_revision)
    if predicted is not None and status.hash_kv is not None and status.hash_kv != predicted:
        raise _failed(step, f"its HashKV is {status.hash_kv}, from the source follows {predicted}")
    return {
        "hash": status.hash_kv.hash if status.hash_kv else None,
        "revision": status.current_revision,
        "compact_revision": status.compact_revision,
        "database_bytes": examination.file_size_bytes,
    }


def _identity(work: Work, directory: Path, *, member: str) -> tuple[str, str]:
    wal_dir = directory / "member" / "wal"
    first = next((name for name in work.place.names(wal_dir) if is_first_wal(name)), None)
    if first is None:
        raise VerificationFailed("has no WAL that says who it is", subject=f"built data of {member}")
    try:
        found = read_wal_identity(work.place.read_head(wal_dir / first, limit_bytes=HEAD_BYTES))
    except WalUnreadable as error:
        raise VerificationFailed(
            f"has a WAL that does not say who it is: {error}", subject=f"built data of {member}"
        ) from error
    ids = f"{found.member_id:x}", f"{found.cluster_id:x}"
    expected = _expected(work, member)
    if work.plan.expected is not None and ids != (expected.id, work.plan.expected.cluster_id):
        raise VerificationFailed(
            f"is member {ids[0]} of cluster {ids[1]}, the plan computed {expected.id} of {work.plan.expected.cluster_id}",
            subject=f"built data of {member}",
        )
    return ids


def _expected(work: Work, member: str) -> ExpectedMember:
    for each in work.plan.expected.members if work.plan.expected is not None else ():
        if each.name == member:
            return each
    raise RecoveryError(f"the plan expects no member {member}", subject=work.recovery_id)


def _failed(step: BuildData, message: str) -> VerificationFailed:
    return VerificationFailed(
        message,
        subject=f"built data of {step.member}",
        next_step="Nothing was placed. Abort, and choose another source: etcd-dr recover plan",
    )


def _whole(facts: Facts, name: str) -> int:
    value = facts.get(name)
    if not isinstance(value, int):
        raise RecoveryError(f"the journal says no {name} of the source")
    return value
