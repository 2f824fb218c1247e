"""What is wrong on this machine is said once, and no member is blamed for it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from etcd_dr.domain.answer import Answer, Failure
from etcd_dr.domain.certificate import CertificateRole
from etcd_dr.domain.health_rules import evaluate
from etcd_dr.domain.quorum import QuorumVerdict
from fakes.observations import MORNING, certificate, healthy, silent

UNREADABLE = Failure("config", "the client key cannot be read: Permission denied", "Check: ls -lL client.key")
REFUSED = Failure("etcd.tls", "the client certificate client.crt expired at 2026-08-19T03:00:00Z", "Renew it.")
EXPIRED = certificate(CertificateRole.CLIENT, "client.crt", days=-1)


@pytest.mark.parametrize("failure", [UNREADABLE, REFUSED], ids=["file", "expired"])
def test_local_fault_is_one_finding_for_all_members(failure: Failure) -> None:
    """Not one for each, and with the way out that the fault itself has."""
    seen = replace(silent(healthy(), "m1", "m2", "m3", failure=failure), own_certificates=Answer((EXPIRED,)))

    report = evaluate(seen, cluster="prod")

    [finding] = report.by_code("access.local_fault")
    assert finding.next_step == failure.next_step
    assert not report.by_code("member.unreachable") + report.by_code("endpoint.unreachable")
    assert report.quorum.verdict is QuorumVerdict.CANNOT_TELL
    assert "this machine" in report.quorum.reason


def test_certificate_that_a_member_refuses_though_it_is_valid_is_the_members_matter() -> None:
    """Only dates are judged here; who trusts whom is between the two."""
    valid = certificate(CertificateRole.CLIENT, "client.crt", days=30)
    seen = replace(silent(healthy(), "m2", failure=REFUSED), own_certificates=Answer((valid,)))

    report = evaluate(seen, cluster="prod")

    assert not report.by_code("access.local_fault")
    assert [f.member for f in report.by_code("member.unreachable")] == ["m2"]


def test_dates_are_judged_at_the_time_of_the_round() -> None:
    """Not by a clock of the rule's own."""
    soon = certificate(CertificateRole.CLIENT, "client.crt", days=1)
    seen = replace(silent(healthy(at=MORNING), "m1", "m2", "m3", failure=REFUSED), own_certificates=Answer((soon,)))

    assert not evaluate(seen, cluster="prod").by_code("access.local_fault")
    later = replace(seen, taken_at=MORNING + timedelta(days=2))
    assert evaluate(later, cluster="prod").by_code("access.local_fault")


@pytest.mark.parametrize(("voters", "word"), [(1, "add two members"), (2, "add a voter")])
def test_cluster_that_lacks_nobody_is_not_told_to_bring_somebody_back(voters: int, word: str) -> None:
    """One voter, or two that both take part, tolerate nothing by their number alone."""
    [finding] = evaluate(healthy(voters), cluster="prod").by_code("quorum.no_tolerance")

    assert word in finding.next_step
    assert "missing" not in finding.next_step
