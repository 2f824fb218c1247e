"""Bad input that only a living etcd can refuse: each a clear error with the status of its kind."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from etcd_dr.adapters.local_cluster import LocalAuthority, LocalCluster
from real.etcd_command_line import command_line, once
from scenarios.command_line import CommandLine, Done


def assert_is_clear(done: Done, *, status: int, code: str) -> None:
    assert done.status == status, done.err
    assert done.error["code"] == code
    assert done.error["next_step"]
    assert "Traceback" not in done.err


def save(cli: CommandLine, *words: object) -> Done:
    return cli("snapshot", "save", "-o", "json", "--log-level", "error", *words)


@pytest.fixture
def stranger(tmp_path: Path) -> LocalAuthority:
    """An authority that the cluster does not know."""
    now = datetime.now(UTC)
    return LocalAuthority(
        tmp_path / "stranger", valid_from=now - timedelta(hours=1), valid_until=now + timedelta(hours=1)
    )


def test_wrong_authority_is_told_from_an_unreachable_member(
    shared_cluster: LocalCluster, stranger: LocalAuthority, tmp_path: Path
) -> None:
    """With whose certificate was expected, and what to compare."""
    cli = command_line(shared_cluster, tmp_path)
    other = stranger.issue("other")

    assert_is_clear(save(cli, "--cacert", other.ca), status=77, code="etcd.tls")


def test_client_certificate_of_another_authority_is_refused(
    shared_cluster: LocalCluster, stranger: LocalAuthority, tmp_path: Path
) -> None:
    """etcd ends the handshake; we say that it was ours that it did not like."""
    cli = command_line(shared_cluster, tmp_path)
    other = stranger.issue("other")

    done = save(cli, "--cert", other.certificate, "--key", other.key)

    assert_is_clear(done, status=77, code="etcd.tls")


def test_certificate_and_key_that_do_not_belong_together_are_refused(
    shared_cluster: LocalCluster, stranger: LocalAuthority, tmp_path: Path
) -> None:
    """Before anything is connected."""
    cli = command_line(shared_cluster, tmp_path)

    assert_is_clear(save(cli, "--key", stranger.issue("other").key), status=78, code="config")


def test_plain_text_against_tls_is_said(shared_cluster: LocalCluster, tmp_path: Path) -> None:
    """And TLS is suggested."""
    cli = command_line(shared_cluster, tmp_path)
    plain = ",".join(endpoint.replace("https://", "http://") for endpoint in shared_cluster.endpoints)

    assert_is_clear(save(cli, "--endpoints", plain), status=77, code="etcd.tls")


def test_dead_cluster_is_unreachable(fresh_cluster: Callable[..., LocalCluster], tmp_path: Path) -> None:
    """Nothing listens; nothing was stored."""
    cluster = fresh_cluster(size=1)
    cli = command_line(cluster, tmp_path)
    cluster.kill()

    done = save(cli)

    assert done.status == 69, done.err
    assert not any((tmp_path / "store").rglob("data"))


def test_wrong_authority_is_a_finding_of_health(
    shared_cluster: LocalCluster, stranger: LocalAuthority, tmp_path: Path
) -> None:
    """A report, not an error: the exit status is Nagios' and the reason is in it."""
    cli = command_line(shared_cluster, tmp_path)

    authority = stranger.issue("other").ca
    done = once(
        lambda: cli("health", "--no-snapshots", "--cacert", authority, "-o", "json"),
        lambda done: failure_codes(done) == {"etcd.tls"},
    )

    assert done.status in (2, 3)
    assert failure_codes(done) == {"etcd.tls"}


def failure_codes(done: Done) -> set[str]:
    return {member["failure_code"] for member in done.document["members"]}
