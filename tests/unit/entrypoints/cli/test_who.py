"""Whoever carries out a command, where the machine knows little of them."""

from __future__ import annotations

import pwd
from pathlib import Path

import pytest

from etcd_dr.entrypoints.cli.recover.session import usual_state_dir
from etcd_dr.entrypoints.cli.who import whoami
from etcd_dr.errors import ConfigError
from scenarios.command_line import CommandLine


@pytest.fixture
def nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """Be a user who is a mere number, as in a container or under a service manager, without any variables."""

    def unknown(number: int) -> object:
        raise KeyError(f"getpwuid(): uid not found: {number}")

    for name in ("HOME", "USER", "LOGNAME", "LNAME", "USERNAME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(pwd, "getpwuid", unknown)


@pytest.mark.usefixtures("nobody")
def test_user_without_a_name_is_recorded_as_such() -> None:
    """A snapshot is taken all the same."""
    assert whoami().startswith("unknown@")


@pytest.mark.usefixtures("nobody")
def test_without_a_home_directory_the_state_directory_is_asked_for() -> None:
    """By a mistake of the call, and not by a bug of ours in the middle of a disaster."""
    with pytest.raises(ConfigError) as raised:
        usual_state_dir({})

    assert "--state-dir" in raised.value.next_step
    assert usual_state_dir({"XDG_STATE_HOME": "/var/lib"}) == Path("/var/lib/etcd-dr")


@pytest.mark.usefixtures("nobody")
def test_without_a_home_directory_a_kubeconfig_is_asked_for(tmp_path: Path) -> None:
    """The same for a request to the operator."""
    done = CommandLine(tmp_path)("request", "snapshot", "--cluster", "prod")

    assert done.status == 78
    assert "--kubeconfig FILE" in done.err
