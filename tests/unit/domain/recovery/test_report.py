"""The report at the end of a recovery, from its plan and its journal alone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from etcd_dr.domain.recovery.candidate import Candidate, Loss, Way
from etcd_dr.domain.recovery.journal import EntryKind, Facts, JournalEntry
from etcd_dr.domain.recovery.plan import Plan, PlanFacts
from etcd_dr.domain.recovery.report import compose_report, report_markdown
from etcd_dr.domain.recovery.step import CopyData, FetchSnapshot, SetDataAside, VerifyCluster

_NOON = datetime(2026, 8, 20, 12, 0, tzinfo=UTC)
_WORDS = {"title": "do it", "why": "needed", "check": "looked"}
PLAN = Plan(
    recovery_id="r1",
    cluster="prod",
    platform="systemd",
    made_at=_NOON,
    made_by="alice@home",
    tool_version="0",
    chosen=Candidate(
        way=Way.RESTORE, target="s1", summary="restore", loss=Loss(revisions=40, text="at most 40 revisions")
    ),
    facts=PlanFacts(cluster_id="c1", standing="lost-for-good", members=()),
    highest_revision_seen=140,
    steps=(
        FetchSnapshot(id="1", phase=0, snapshot_id="s1", **_WORDS),
        CopyData(id="2", phase=1, node="cp1", **_WORDS),
        SetDataAside(id="3", phase=1, node="cp2", **_WORDS),
        VerifyCluster(id="4", phase=2, endpoints=("https://x",), lowest_revision=1, **_WORDS),
    ),
    afterwards=("restart the kubelets",),
)
_RUN: tuple[tuple[int, EntryKind, str, Facts], ...] = (
    (0, EntryKind.BEGUN, "", {}),
    (1, EntryKind.INTENT, "1", {}),
    (11, EntryKind.DONE, "1", {"revision": 100}),
    (11, EntryKind.INTENT, "2", {}),
    (12, EntryKind.INTENT, "3", {}),
    (15, EntryKind.DONE, "3", {"aside": "/var/lib/etcd.etcd-dr-r1"}),
    (20, EntryKind.DONE, "2", {"copy": "/state/copies/cp1.tar"}),
    (20, EntryKind.INTENT, "4", {}),
    (30, EntryKind.DONE, "4", {"hash": 7, "is_as_predicted": True}),
    (31, EntryKind.FINISHED, "", {}),
)


def entries(upto: int = len(_RUN)) -> list[JournalEntry]:
    return [
        JournalEntry(recovery_id="r1", number=n, at=_NOON + timedelta(seconds=s), kind=kind, step=step, facts=facts)
        for n, (s, kind, step, facts) in enumerate(_RUN[:upto], start=1)
    ]


def test_the_recovery_time_runs_from_the_confirmation_to_the_verification() -> None:
    """What comes after it (writers, a fresh snapshot) does not count: the cluster serves."""
    report = compose_report(PLAN, entries())

    assert report.recovery_seconds == 30
    assert report.state == "finished"


def test_a_phase_lasts_from_its_first_beginning_to_its_last_end() -> None:
    """Steps of one phase overlap."""
    report = compose_report(PLAN, entries())

    assert [(phase.phase, phase.seconds) for phase in report.phases] == [(0, 10), (1, 9), (2, 10)]


def test_the_real_loss_is_counted_from_the_highest_revision_ever_seen() -> None:
    """Whatever the plan expected."""
    assert compose_report(PLAN, entries()).real_loss_revisions == 40


def test_an_unfinished_recovery_has_a_report_too() -> None:
    """As far as it went: no recovery time, no verification."""
    report = compose_report(PLAN, entries(upto=5))

    assert report.recovery_seconds is None
    assert report.verification == {}
    assert report.state == "under-way"


def test_the_page_says_where_old_data_lies_and_what_is_left_to_do() -> None:
    """Everything that a person needs the next morning."""
    page = report_markdown(compose_report(PLAN, entries()))

    for words in (
        "30.0 s",
        "40 revisions",
        "/var/lib/etcd.etcd-dr-r1",
        "/state/copies/cp1.tar",
        "restart the kubelets",
        str(PLAN.digest),
        "| hash | 7 |",
    ):
        assert words in page
