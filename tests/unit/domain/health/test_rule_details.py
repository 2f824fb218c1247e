"""What findings say beyond their code: degrees of severity, and next steps that follow from the evidence."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from etcd_dr.domain.answer import Answer, Failure
from etcd_dr.domain.clock_reading import ClockReading
from etcd_dr.domain.health import HealthReport, Severity
from etcd_dr.domain.health_rules import evaluate
from etcd_dr.domain.observation import Observation
from etcd_dr.domain.snapshot_facts import SnapshotFacts
from fakes.clock import MORNING
from fakes.observations import all_list, bent, earlier, endpoint_of, healthy, row, silent

HOUR = timedelta(hours=1)


def report_on(seen: Observation, *past: Observation, stored: SnapshotFacts | None = None) -> HealthReport:
    return evaluate(seen, cluster="prod", history=past, snapshots=stored)


@pytest.mark.parametrize(
    ("failure", "step"),
    [
        (Failure("etcd.unreachable", "connection refused"), "see whether etcd runs"),
        (Failure("etcd.timeout", "no answer within 3 s"), "the process hangs"),
        (Failure("etcd.tls", "certificate has expired"), "openssl s_client -connect m3.example:2379"),
        (Failure("etcd.denied", "permission denied"), "etcdctl user get"),
        (Failure("etcd.tls", "not trusted", "Give the authority with --cacert."), "--cacert"),
    ],
)
def test_next_step_for_a_silent_member_follows_from_how_it_is_silent(failure: Failure, step: str) -> None:
    """A refused connection, a hanging process and a wrong certificate are three different errands."""
    [finding] = report_on(silent(healthy(), "m3", failure=failure)).by_code("member.unreachable")

    assert step in finding.next_step
    assert finding.evidence["error_code"] == failure.code


def test_silent_member_whose_pages_answer_is_said_to_live() -> None:
    """gRPC fails, HTTP does not: it is not down."""
    seen = silent(healthy(), "m3")
    pages = healthy().endpoints[2].http
    seen = replace(seen, endpoints=(*seen.endpoints[:2], replace(seen.endpoints[2], http=pages)))

    [finding] = report_on(seen).by_code("member.unreachable")

    assert finding.evidence["http"] == "answers"
    assert finding.evidence["certificate_not_after"]


@pytest.mark.parametrize(
    ("version", "severities"),
    [
        ("3.4.37", [Severity.INFO]),
        ("3.4.38", []),
        ("3.5.0", [Severity.WARNING, Severity.INFO]),
        ("3.5.2", [Severity.WARNING, Severity.INFO, Severity.INFO]),
        ("3.5.3", [Severity.INFO, Severity.INFO]),
        ("3.5.19", [Severity.INFO, Severity.INFO]),
        ("3.5.20", [Severity.INFO]),
        ("3.5.22", [Severity.INFO]),
        ("3.5.23", []),
        ("3.6.4", [Severity.INFO]),
        ("3.6.5", []),
        ("3.7.0", []),
        ("built from source", []),
    ],
)
def test_known_damage_is_told_for_exactly_the_versions_that_have_it(version: str, severities: list[Severity]) -> None:
    """The table in docs/health.md, at its edges."""
    findings = report_on(bent(healthy(), "m2", status={"version": version})).by_code("member.version_affected")

    assert [f.severity for f in findings] == severities


@pytest.mark.parametrize(
    ("version", "minutes", "severity"),
    [
        ("3.5.24", 600, Severity.INFO),  # patch versions may differ for as long as they like
        ("3.6.8", 59, Severity.INFO),
        ("3.6.8", 60, Severity.WARNING),
    ],
)
def test_mixed_minor_versions_become_a_warning_when_the_upgrade_stands_still(
    version: str, minutes: float, severity: Severity
) -> None:
    """An upgrade member by member is normal for an hour."""
    seen = bent(healthy(), "m2", status={"version": version})

    [finding] = report_on(seen, earlier(seen, minutes=minutes)).by_code("member.version_mixed")

    assert finding.severity is severity


@pytest.mark.parametrize(
    ("since", "severity"),
    [
        (None, Severity.WARNING),
        (MORNING - HOUR, Severity.INFO),
        (MORNING - 2 * HOUR, Severity.INFO),
        (MORNING - 2.1 * HOUR, Severity.CRITICAL),
    ],
)
def test_missing_first_snapshot_gets_two_intervals_of_patience(since: object, severity: Severity) -> None:
    """A cluster that was just configured has none yet; where nobody knows since when, it is said aloud."""
    facts = SnapshotFacts("s3://b", interval=HOUR, watching_since=since)  # type: ignore[arg-type]  # from the table

    [finding] = report_on(healthy(), stored=facts).by_code("snapshot.never")

    assert finding.severity is severity
    assert finding.summary == "there is no snapshot yet"


def test_empty_store_without_a_schedule_is_told_and_is_no_alarm() -> None:
    """Nobody said when one is due; but "ok" alone beside a readiness of "no" would be two verdicts on one state."""
    report = report_on(healthy(), stored=SnapshotFacts("s3://b", interval=None, watching_since=MORNING - 99 * HOUR))

    [finding] = report.by_code("snapshot.never")
    assert finding.severity is Severity.INFO
    assert report.exit_status == 0


@pytest.mark.parametrize(("offset", "words"), [(3.0, "ahead of"), (-3.0, "behind")])
def test_direction_of_a_skewed_clock_is_right(offset: float, words: str) -> None:
    """Whoever sets it must know which way; for our own clock it is the other way round."""
    theirs = report_on(bent(healthy(), "m2", http={"clock": Answer(ClockReading(offset, 0.5))}))
    every = healthy()
    for name in ("m1", "m2", "m3"):
        every = bent(every, name, http={"clock": Answer(ClockReading(-offset, 0.5))})
    ours = report_on(every)

    assert f"its clock is 3.0 s {words} this machine's" in theirs.by_code("clock.skew")[0].summary
    assert f"this machine's clock is 3.0 s {words} all members'" in ours.by_code("clock.skew")[0].summary


def test_full_but_mostly_empty_file_needs_a_defragmentation_only() -> None:
    """Nothing has to be deleted where half of the file is free."""
    seen = bent(healthy(), "m2", status={"db_size_bytes": 80, "db_in_use_bytes": 30, "db_quota_bytes": 100})

    [finding] = report_on(seen).by_code("db.near_quota")

    assert finding.next_step == (
        "Most of the file is free space, which defragmenting returns: "
        "etcdctl --endpoints=https://m2.example:2379 defrag"
    )


def test_unconfigured_endpoint_is_no_duplicate() -> None:
    """That a member is also reached by the URL that it advertises is nobody's mistake."""
    seen = healthy()
    twin = replace(seen.endpoints[1], endpoint="https://other.example:2379", is_configured=False)

    assert report_on(replace(seen, endpoints=(*seen.endpoints, twin))).by_code("endpoint.duplicate") == ()


def test_learner_that_never_started_does_not_count_towards_quorum() -> None:
    """Only a voter that is missing weighs."""
    seen = all_list(healthy(), row("m1"), row("m2"), row("m3"), row("m4", has_started=False, is_learner=True))

    [finding] = report_on(seen).by_code("member.never_started")

    assert finding.summary == "was added and never started"


def test_commands_in_next_steps_can_be_pasted() -> None:
    """A hostile endpoint cannot smuggle a second command into a next step."""
    hostile = "https://x.example:2379/;rm -rf $HOME"
    twin = replace(healthy().endpoints[1], endpoint=hostile)
    seen = bent(replace(healthy(), endpoints=(healthy().endpoints[0], twin)), "m1", status={"cluster_id": 1})
    seen = replace(seen, endpoints=(*seen.endpoints, healthy().endpoints[2]))

    steps = [f.next_step for f in report_on(bent(seen, "m3", status={"cluster_id": 1})).by_code("endpoint.foreign")]

    assert steps
    assert all(";rm" not in step or f"'--endpoints={hostile}'" in step for step in steps)


def test_rounds_that_saw_no_metrics_do_not_stop_the_count_of_elections() -> None:
    """The term is there with every status."""
    blind = replace(
        healthy(),
        endpoints=tuple(replace(e, http=replace(e.http, metrics=Answer())) for e in healthy().endpoints),
    )
    now = bent(healthy(), "m2", status={"raft_term": 9})

    assert report_on(now, earlier(blind, minutes=5)).by_code("leader.changes")
    assert not report_on(now, earlier(blind, minutes=61)).by_code("leader.changes")


def test_stream_from_other_members_is_evidence_that_a_silent_one_lives() -> None:
    """The way from us to it is broken, not the member."""
    seen = bent(silent(healthy(), "m3"), "m1", metrics={"active_peers": {0x103: False}})

    [finding] = report_on(seen).by_code("member.unreachable")

    assert finding.evidence["stream_from"] == "m2"
    assert finding.evidence["endpoint"] == endpoint_of("m3")
