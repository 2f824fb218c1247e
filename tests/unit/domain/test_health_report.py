"""What people and monitoring systems get from a report."""

from __future__ import annotations

import json
from dataclasses import fields
from typing import Any

import pytest

from etcd_dr.domain.answer import Answer
from etcd_dr.domain.certificate import CertificateRole
from etcd_dr.domain.cluster import Alarm
from etcd_dr.domain.health import HealthReport, Severity
from etcd_dr.domain.health_document import health_document
from etcd_dr.domain.health_rules import evaluate
from etcd_dr.domain.health_thresholds import Thresholds
from etcd_dr.domain.member_health import MemberRole
from etcd_dr.domain.observation import Observation
from etcd_dr.errors import ConfigError
from fakes.observations import (
    all_list,
    bent,
    certificate,
    endpoint_of,
    healthy,
    member_id,
    row,
    silent,
    unobserved,
    without_quorum,
)


def report_on(seen: Observation) -> HealthReport:
    return evaluate(seen, cluster="prod")


@pytest.mark.parametrize(
    ("seen", "severity", "exit_status"),
    [
        (healthy(), Severity.OK, 0),
        (healthy(1), Severity.INFO, 0),
        (silent(healthy(), "m2"), Severity.WARNING, 1),
        (without_quorum(silent(healthy(), "m2", "m3")), Severity.CRITICAL, 2),
        (silent(healthy(), "m1", "m2", "m3"), Severity.UNKNOWN, 3),
    ],
)
def test_exit_status_is_what_nagios_expects(seen: Observation, severity: Severity, exit_status: int) -> None:
    """0 ok and info, 1 warning, 2 critical, 3 unknown: by the worst finding."""
    report = report_on(seen)

    assert (report.severity, report.exit_status) == (severity, exit_status)


def test_critical_is_worse_than_unknown_and_unknown_worse_than_a_warning() -> None:
    """What is known to be broken is not hidden behind what is not known."""
    ranks = [s.rank for s in (Severity.OK, Severity.INFO, Severity.WARNING, Severity.UNKNOWN, Severity.CRITICAL)]

    assert ranks == sorted(ranks)


def test_findings_come_worst_first() -> None:
    """Whoever reads only the first line reads the worst."""
    report = report_on(bent(silent(healthy(), "m3"), "m1", alarms=Answer((Alarm(member_id("m2"), "NOSPACE"),))))

    assert report.findings[0].code == "alarm.nospace"
    assert [f.severity.rank for f in report.findings] == sorted(
        (f.severity.rank for f in report.findings), reverse=True
    )


def test_summary_is_one_line_with_verdict_and_worst_findings() -> None:
    """It fits a plugin's output, and counts what it leaves out."""
    summary = report_on(silent(healthy(9), "m2", "m3", "m4", "m5")).summary

    assert summary.startswith(
        "WARNING prod: quorum held-without-tolerance (5 of 9 voters take part, 5 are needed); m2:"
    )
    assert summary.endswith("and 1 more")
    assert "\n" not in summary


def test_log_fields_are_plain_and_name_the_findings() -> None:
    """The canonical line answers how the round went without any other line."""
    fields_of_line = report_on(silent(healthy(), "m2")).log_fields()

    assert fields_of_line["findings"] == "member.unreachable,quorum.no_tolerance"
    assert fields_of_line["members_answering"] == 2
    assert all(value is None or isinstance(value, str | int | float) for value in fields_of_line.values())


def test_document_is_json_with_ids_as_text_and_unknowns_as_null() -> None:
    """Programs get every field every time, and no id that loses bits."""
    document: dict[str, Any] = json.loads(json.dumps(health_document(report_on(silent(healthy(), "m2")))))

    silent_row = next(m for m in document["members"] if m["label"] == "m2")
    assert document["cluster_id"] == "cdf818194e3a8c32"
    assert silent_row["member_id"] == f"{member_id('m2'):x}"
    assert silent_row["revision"] is None
    assert silent_row["failure_code"] == "etcd.unreachable"
    assert {f["code"] for f in document["findings"]} == {"quorum.no_tolerance", "member.unreachable"}
    assert set(document["quorum"]) >= {"verdict", "voters", "needed", "tolerance", "would_tell"}


def test_rows_tell_every_kind_of_member_apart() -> None:
    """Leader, follower, learner, dead voter, not started and unlisted each have a role of their own."""
    seen = all_list(
        silent(healthy(4, learners=1), "m3"),
        row("m1"),
        row("m2"),
        row("m3"),
        row("m5", is_learner=True),
        row("m6", has_started=False),
    )

    roles = {m.label: m.role for m in report_on(seen).members}

    assert roles == {
        "m1": MemberRole.LEADER,
        "m2": MemberRole.FOLLOWER,
        "m3": MemberRole.VOTER,
        "m5": MemberRole.LEARNER,
        f"{member_id('m6'):x}": MemberRole.NOT_STARTED,
        f"{member_id('m4'):x}": MemberRole.UNLISTED,
    }


def test_member_without_an_endpoint_has_a_row_too() -> None:
    """`members` shows whom nobody watches."""
    lonely = next(m for m in report_on(unobserved(healthy(), "m3")).members if m.label == "m3")

    assert (lonely.answers, lonely.is_configured, lonely.endpoint) == (False, False, None)


def test_row_has_quota_lag_and_the_earliest_certificate() -> None:
    """The numbers that a table shows are worked out once, here."""
    soon = certificate(CertificateRole.SERVER, endpoint_of("m2"), days=3)
    seen = bent(healthy(), "m2", status={"revision": 990, "raft_index": 2010}, http={"certificate": Answer(soon)})

    shown = next(m for m in report_on(seen).members if m.label == "m2")

    assert (shown.revision_lag, shown.applied_lag) == (10, 10)
    assert shown.db_quota_bytes == 2 << 30
    assert shown.certificate_not_after == soon.not_after


def test_thresholds_can_be_overridden_one_by_one() -> None:
    """`health.thresholds` in the configuration changes a rule's limit and nothing else."""
    seen = bent(healthy(), "m2", quorum_read=Answer(1000, seconds=0.3))
    strict = Thresholds().with_overrides({"slow_round_trip_seconds": 0.2})

    report = evaluate(seen, cluster="prod", thresholds=strict)

    assert [f.code for f in report.findings] == ["member.slow"]
    assert strict.quota_warning_ratio == Thresholds().quota_warning_ratio


@pytest.mark.parametrize("overrides", [{"slow_round_trip": 1.0}, {"slow_round_trip_seconds": -1.0}])
def test_wrong_threshold_is_a_configuration_error(overrides: dict[str, float]) -> None:
    """A typo must not silently leave the default in place."""
    with pytest.raises(ConfigError):
        Thresholds().with_overrides(overrides)


def test_every_threshold_is_a_number() -> None:
    """They are set from a mapping of names to numbers."""
    assert all(isinstance(getattr(Thresholds(), field.name), float) for field in fields(Thresholds))
