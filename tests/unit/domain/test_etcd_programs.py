"""Which tool goes with which server, and what it may know of our environment."""

from __future__ import annotations

import pytest

from etcd_dr.domain.etcd_programs import choose_version, plain_environment
from etcd_dr.domain.etcd_version import EtcdVersion


def versions(*texts: str) -> list[EtcdVersion]:
    return [version for version in map(EtcdVersion.parse, texts) if version]


@pytest.mark.parametrize(
    ("server", "must_bump", "expected"),
    [
        ("3.5.9", False, "3.5.30"),
        ("3.4.20", False, "3.4.23"),
        ("3.4.20", True, None),
        ("3.6.0", False, None),
        (None, False, "3.7.3"),
        (None, True, "3.7.3"),
    ],
)
def test_newest_of_the_servers_minor_is_chosen(server: str | None, must_bump: bool, expected: str | None) -> None:
    """Another minor is never taken, and a tool that cannot raise the revision only where that is not asked."""
    at_hand = versions("3.4.23", "3.5.16", "3.5.30", "3.7.3")

    chosen = choose_version(at_hand, EtcdVersion.parse(server) if server else None, must_bump=must_bump)

    assert (str(chosen) if chosen else None) == expected


@pytest.mark.parametrize(
    ("version", "can"),
    [("3.4.26", False), ("3.4.27", True), ("3.5.9", False), ("3.5.10", True), ("3.6.0", True), ("3.7.3", True)],
)
def test_raising_the_revision_came_with_these_versions(version: str, can: bool) -> None:
    """etcd #16029 and its backports."""
    assert versions(version)[0].can_bump is can


def test_variables_of_etcds_programs_are_left_out() -> None:
    """Each of them is a flag to them; everything else (PATH, LANG) stays."""
    environ = {"PATH": "/bin", "ETCD_NAME": "x", "ETCDCTL_KEY": "y", "ETCDUTL_WRITE_OUT": "z", "ETCDCTL_API": "2"}

    assert plain_environment(environ) == {"PATH": "/bin", "ETCDCTL_API": "3"}
