"""HashKV from a file: etcd's formula at every revision and compact revision that the file can answer."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from etcd_dr.boltdb import hash_kv
from etcd_dr.domain.database import HashKv
from etcd_dr.errors import RevisionUnavailable, SnapshotDamaged
from fakes.bolt_file import BoltFile, Shape
from fakes.etcd_history import EtcdHistory

SMALL = Shape(leaf_records=3, branch_children=3)


def history_of(seed: int, *, writes: int = 80, keys: int = 12) -> EtcdHistory:
    history, randomness = EtcdHistory(), random.Random(seed)
    for _ in range(writes):
        key = b"/key/%d" % randomness.randrange(keys)
        if randomness.random() < 0.25:
            history.delete(key)
        else:
            history.put(key, randomness.randbytes(randomness.randrange(50)))
    return history


@given(seed=st.integers(0, 1 << 30), keeps_deletions=st.booleans(), data=st.data())
@settings(max_examples=80)
def test_every_later_compaction_can_be_answered_from_one_file(
    seed: int, *, keeps_deletions: bool, data: st.DataObject
) -> None:
    """A file compacted at C answers for any R and any C' from C to R what a member would answer after compacting."""
    history = history_of(seed)
    history.put(b"/alive", b"always")
    compacted = data.draw(st.integers(1, history.revision), label="C")
    history.compact(compacted, keeps_deletions=keeps_deletions)
    snapshot = BoltFile(history.buckets(), SMALL).sealed()
    revision = data.draw(st.integers(compacted, history.revision), label="R")
    later = data.draw(st.integers(compacted, revision), label="C'")

    try:
        answer = hash_kv(snapshot, revision=revision, compact_revision=later)
    except RevisionUnavailable as refusal:
        # The one refusal that is right here: nothing is alive at R.
        any_alive = any(not record.is_deletion for record in history._last_up_to(revision).values())
        if any_alive or refusal.context["reason"] != "inconclusive":
            raise
        return

    history.compact(later, keeps_deletions=keeps_deletions)
    assert answer == HashKv(history.hash_kv(revision, later), revision, later)


@given(seed=st.integers(0, 1 << 30), removes=st.integers(0, 20))
@settings(max_examples=40)
def test_unfinished_compaction_gives_the_same_answer(seed: int, removes: int) -> None:
    """A snapshot taken while a compaction runs hashes like the finished one, whatever was removed already."""
    history, half = history_of(seed), history_of(seed)
    for model in (history, half):
        model.put(b"/alive", b"always")
    compacted = history.revision - 10
    history.compact(compacted)
    half.compact(compacted, removes=removes)

    answer = hash_kv(BoltFile(half.buckets(), SMALL).sealed())

    assert answer == HashKv(history.hash_kv(history.revision, compacted), history.revision, compacted)


def test_own_revisions_are_the_default() -> None:
    """Without arguments the file answers for itself; never compacted is -1."""
    history = history_of(1)
    snapshot = BoltFile(history.buckets()).sealed()

    assert hash_kv(snapshot) == HashKv(history.hash_kv(history.revision, -1), history.revision, -1)


def test_current_revision_survives_the_loss_of_the_last_record() -> None:
    """Where a compaction removed the last deletion (before 3.5.16), the compact revision is the current one."""
    history = EtcdHistory()
    history.put(b"/a")
    history.put(b"/b")
    history.delete(b"/b")
    history.compact(history.revision, keeps_deletions=False)

    answer = hash_kv(BoltFile(history.buckets()).sealed())

    assert answer == HashKv(history.hash_kv(4, 4), 4, 4)


def test_deletion_at_the_compact_revision_does_not_matter() -> None:
    """Old members drop the deletion at C and new ones keep it: both files hash the same."""
    old, new = EtcdHistory(), EtcdHistory()
    for history, keeps in ((old, False), (new, True)):
        history.put(b"/a")
        history.put(b"/b")
        history.delete(b"/b")
        history.put(b"/c")
        history.compact(4, keeps_deletions=keeps)

    answers = [hash_kv(BoltFile(history.buckets()).sealed()) for history in (old, new)]

    assert len(old.records) < len(new.records)
    assert answers[0] == answers[1]


@pytest.mark.parametrize(
    ("revision", "compact_revision", "reason"),
    [
        (1000, None, "future"),
        (1 << 70, None, "future"),
        (None, 5, "compacted"),
        (20, 30, "compacted"),
        (15, None, "compacted"),
    ],
)
def test_what_the_file_cannot_answer_is_refused(
    revision: int | None, compact_revision: int | None, reason: str
) -> None:
    """Later than the file, earlier than its compaction, or compacted after the revision: the reason says which."""
    history = history_of(2)
    history.compact(20)
    snapshot = BoltFile(history.buckets()).sealed()

    with pytest.raises(RevisionUnavailable) as refusal:
        hash_kv(snapshot, revision=revision, compact_revision=compact_revision)

    assert refusal.value.context["reason"] == reason


def test_empty_keyspace_with_leftovers_is_inconclusive() -> None:
    """With no key alive etcd hashes whatever a compaction has left so far: no file can tell what that is elsewhere."""
    history = EtcdHistory()
    for _ in range(4):
        history.put(b"/a")
    history.delete(b"/a")
    history.compact(4, removes=1)

    with pytest.raises(RevisionUnavailable) as refusal:
        hash_kv(BoltFile(history.buckets()).sealed())

    assert refusal.value.context["reason"] == "inconclusive"


def test_empty_keyspace_after_a_finished_compaction_has_an_answer() -> None:
    """Once the compaction is finished nothing is left to chance."""
    history = EtcdHistory()
    for _ in range(4):
        history.put(b"/a")
    history.delete(b"/a")
    history.compact(4)

    answer = hash_kv(BoltFile(history.buckets()).sealed())

    assert answer.hash == history.hash_kv(6, 4)


def test_empty_database_has_an_answer() -> None:
    """A new member is at revision 1 and hashes the bucket's name alone."""
    answer = hash_kv(BoltFile(EtcdHistory().buckets()).sealed())

    assert answer == HashKv(EtcdHistory().hash_kv(1, -1), 1, -1)


def test_damage_is_refused_and_named() -> None:
    """No hash is given for a file of which a part cannot be read."""
    file = BoltFile(history_of(3).buckets(), SMALL)
    file.page(file.leaves(b"key")[2]).flags = 0

    with pytest.raises(SnapshotDamaged) as refusal:
        hash_kv(file.sealed())

    assert refusal.value.context["code"] == "page.type"
