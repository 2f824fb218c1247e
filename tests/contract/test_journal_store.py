"""Every journal keeps the contract of the port: in a directory, in a store, in both, and the fake."""

from __future__ import annotations

import stat
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from etcd_dr.adapters.journal import DirectoryJournal
from etcd_dr.domain.recovery.candidate import Candidate, Loss, Way
from etcd_dr.domain.recovery.journal import EntryKind, JournalEntry
from etcd_dr.domain.recovery.plan import Plan, PlanFacts
from etcd_dr.domain.snapshot import ClusterLayout
from etcd_dr.errors import Busy, JournalDamaged, ManifestVersionUnknown, UsageError
from etcd_dr.ports.journal_store import JournalStore
from etcd_dr.workflows.recovery.mirrored_journal import MirroredJournal
from etcd_dr.workflows.recovery.store_journal import StoreJournal
from fakes.clock import MORNING, FakeClock
from fakes.events import RecordingEvents
from fakes.journal_store import FakeJournalStore
from fakes.object_store import FakeObjectStore

ID = "20260820T030000Z-000000000001"
LAYOUT = ClusterLayout(prefix="backups", cluster="prod")
Opener = Callable[[Path], JournalStore]


def made_plan(recovery_id: str = ID, *, by: str = "alice@home") -> Plan:
    return Plan(
        recovery_id=recovery_id,
        cluster="prod",
        platform="local",
        made_at=MORNING,
        made_by=by,
        tool_version="0",
        chosen=Candidate(way=Way.START, summary="start it", loss=Loss(text="nothing")),
        facts=PlanFacts(cluster_id="c1", standing="may-return", members=()),
        steps=(),
    )


def entry(number: int, *, kind: EntryKind = EntryKind.BEGUN, by: str = "alice@home") -> JournalEntry:
    at = MORNING + timedelta(seconds=number)
    return JournalEntry(recovery_id=ID, number=number, at=at, kind=kind, by=by, facts={"lag": 0, "name": "m1"})


def _mirrored(directory: Path) -> JournalStore:
    here, mirror = DirectoryJournal(directory), StoreJournal(FakeObjectStore(), LAYOUT)
    return MirroredJournal(here, mirror, clock=FakeClock(), events=RecordingEvents())


@pytest.fixture(
    params=[
        pytest.param(DirectoryJournal, id="directory"),
        pytest.param(lambda _: StoreJournal(FakeObjectStore(), LAYOUT), id="store"),
        pytest.param(lambda _: StoreJournal(FakeObjectStore(put_if_absent=False), LAYOUT), id="store-that-looks"),
        pytest.param(_mirrored, id="mirrored"),
        pytest.param(lambda _: FakeJournalStore(), id="fake"),
    ]
)
def journal(request: pytest.FixtureRequest, tmp_path: Path) -> JournalStore:
    opener: Opener = request.param
    return opener(tmp_path / "recoveries")


def test_an_unknown_recovery_has_no_plan_and_no_entries(journal: JournalStore) -> None:
    """Asking for what is not there is no error."""
    assert journal.plan(ID) is None
    assert journal.entries(ID) == ()
    assert journal.recovery_ids() == []


def test_a_plan_comes_back_as_it_was_kept(journal: JournalStore) -> None:
    """What was confirmed is what is carried out, byte for byte."""
    journal.create(made_plan())

    assert journal.plan(ID) == made_plan()
    assert list(journal.recovery_ids()) == [ID]


def test_the_same_plan_again_is_success_and_another_one_is_busy(journal: JournalStore) -> None:
    """A plan is kept once under its id."""
    journal.create(made_plan())
    journal.create(made_plan())

    with pytest.raises(Busy):
        journal.create(made_plan(by="mallory@elsewhere"))


def test_entries_come_back_in_order(journal: JournalStore) -> None:
    """The journal is read as it was written."""
    journal.create(made_plan())
    kept = [entry(1), entry(2, kind=EntryKind.INTENT), entry(3, kind=EntryKind.DONE)]
    for each in kept:
        journal.append(each)

    assert list(journal.entries(ID)) == kept
    assert journal.lag == 0


def test_the_same_entry_again_is_success_and_another_one_under_its_number_is_busy(journal: JournalStore) -> None:
    """Two runs of one recovery collide at their next entry."""
    journal.create(made_plan())
    journal.append(entry(1))
    journal.append(entry(1))

    with pytest.raises(Busy):
        journal.append(entry(1, by="bob@elsewhere"))


def test_a_gap_is_damage(journal: JournalStore) -> None:
    """An entry that is missing is said, never skipped."""
    journal.create(made_plan())
    journal.append(entry(1))
    journal.append(entry(3))

    with pytest.raises(JournalDamaged, match="entry 2 is missing"):
        journal.entries(ID)


def test_recoveries_are_listed_in_order(journal: JournalStore) -> None:
    """Ids begin with their time, so the oldest comes first."""
    later = "20260821T030000Z-000000000000"
    journal.create(made_plan(later))
    journal.create(made_plan())

    assert list(journal.recovery_ids()) == [ID, later]


def test_a_report_replaces_an_earlier_one(journal: JournalStore) -> None:
    """A report may be written again: it says how far the recovery is."""
    journal.create(made_plan())
    journal.put_report(ID, "report.md", b"first")
    journal.put_report(ID, "report.md", b"second")

    assert journal.plan(ID) is not None


@pytest.mark.parametrize("recovery_id", ["..", "a/b", "", "/etc", "x" * 200, "a\nb"])
def test_what_is_no_recovery_id_never_becomes_a_path(journal: JournalStore, recovery_id: str) -> None:
    """Ids come from command lines and stores: a hostile one is refused."""
    with pytest.raises(UsageError):
        journal.plan(recovery_id)
    with pytest.raises(UsageError):
        journal.entries(recovery_id)


@pytest.mark.parametrize("name", ["plan.json", "../report.md", "report.html"])
def test_a_report_cannot_take_another_name(journal: JournalStore, name: str) -> None:
    """A report never overwrites a plan or an entry."""
    with pytest.raises(UsageError):
        journal.put_report(ID, name, b"")


def test_directories_and_files_are_for_their_owner_only(tmp_path: Path) -> None:
    """Plans name hosts and paths; nobody else reads them."""
    journal = DirectoryJournal(tmp_path / "state" / "recoveries")
    journal.create(made_plan())
    journal.append(entry(1))
    journal.put_report(ID, "report.json", b"{}")

    modes = {stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "state").rglob("*") if path.is_file()}
    folders = {stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "state").rglob("*") if path.is_dir()}

    assert modes == {0o600}
    assert folders == {0o700}


def test_the_part_of_an_entry_whose_writer_was_killed_is_no_entry(tmp_path: Path) -> None:
    """A file without its name does not count, and does no harm."""
    journal = DirectoryJournal(tmp_path)
    journal.create(made_plan())
    journal.append(entry(1))
    (tmp_path / ID / "journal" / ".000002.json.part-1234abcd").write_bytes(b'{"version"')

    assert journal.entries(ID) == (entry(1),)


def test_an_entry_that_does_not_parse_is_damage(tmp_path: Path) -> None:
    """What was changed by hand is said with its file."""
    journal = DirectoryJournal(tmp_path)
    journal.create(made_plan())
    path = tmp_path / ID / "journal" / "000001.json"
    path.write_bytes(b'{"version": 1, "number": "x"}')

    with pytest.raises(JournalDamaged) as raised:
        journal.entries(ID)

    assert raised.value.subject == str(path)


def test_a_newer_format_is_named_as_such(tmp_path: Path) -> None:
    """A journal of a later etcd-dr is not guessed at."""
    journal = DirectoryJournal(tmp_path)
    journal.create(made_plan())
    (tmp_path / ID / "journal" / "000001.json").write_bytes(b'{"version": 2}')

    with pytest.raises(ManifestVersionUnknown):
        journal.entries(ID)
