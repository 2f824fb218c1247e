"""Every way in which a real sshd does not let us in, or sudo does not let us act, told apart."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from etcd_dr.adapters.cancellation import CancellationSwitch
from etcd_dr.adapters.control_planes.ssh import SshSettings, SshShell
from etcd_dr.errors import Cancelled, NodeDenied, NodeFault, NodeUnreachable, ToolMissing
from real.peers.sshd import Sshd, SshdProgram, make_key

SECONDS = 20.0


@pytest.fixture(scope="module")
def host(sshd_program: SshdProgram, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    """One server whose PATH has a sudo that asks for a password."""
    directory = tmp_path_factory.mktemp("host")
    sudo = directory / "bin" / "sudo"
    sudo.parent.mkdir()
    sudo.write_text("#!/bin/sh\necho 'sudo: a password is required' >&2\nexit 1\n")
    sudo.chmod(0o755)
    environment = {"PATH": f"{sudo.parent}:{os.environ['PATH']}", "HOME": str(directory)}
    with Sshd(directory / "sshd", sshd_program, environment=environment) as server:
        yield server


@pytest.fixture
def shells() -> Iterator[list[SshShell]]:
    """Shells that are closed afterwards."""
    opened: list[SshShell] = []
    yield opened
    for shell in opened:
        shell.close()


def test_words_arrive_as_they_were_given(host: Sshd, shells: list[SshShell]) -> None:
    """Whatever a name holds, no shell acts on it, here or there."""
    words = ["it's", '"', "$(touch /tmp/no) `id`", "a\nb", "-n", "", "*", "ü\\"]

    called = _shell(host, shells).run('for word in "$@"; do printf "%s\\0" "$word"; done\n', *words, deadline=SECONDS)

    assert called.output.decode().split("\0")[:-1] == words


def test_bytes_pass_both_ways_unchanged(host: Sshd, shells: list[SshShell]) -> None:
    """Streams are binary and larger than any buffer."""
    sent = os.urandom(3 << 20)
    received: list[bytes] = []

    _shell(host, shells).run("cat\n", deadline=SECONDS, feed=lambda write: _write(write, sent), write=received.append)

    assert b"".join(received) == sent


def test_failure_of_a_command_is_no_failure_of_the_connection(host: Sshd, shells: list[SshShell]) -> None:
    """Not even where it ends with ssh's own status 255, or with its words."""
    shell = _shell(host, shells)

    for script in ("exit 255\n", "echo 'Connection closed by remote host' >&2; exit 255\n"):
        with pytest.raises(NodeFault):
            shell.run(script, deadline=SECONDS)


def test_key_that_is_not_let_in_is_denied(host: Sshd, shells: list[SshShell], tmp_path: Path) -> None:
    """The next step is a command to try by hand."""
    host.authorize(make_key(tmp_path / "other"))

    try:
        with pytest.raises(NodeDenied) as raised:
            _shell(host, shells).run("true\n", deadline=SECONDS)
    finally:
        host.authorize(host.identity)

    assert "ssh" in raised.value.next_step


def test_host_key_that_changed_is_never_accepted(host: Sshd, shells: list[SshShell], tmp_path: Path) -> None:
    """Somebody else may answer at that address."""
    known = tmp_path / "known_hosts"
    other = make_key(tmp_path / "other_host").with_name("other_host.pub").read_text()
    known.write_text(f"[127.0.0.1]:{host.port} {' '.join(other.split()[:2])}\n")

    with pytest.raises(NodeDenied, match="host key"):
        _shell(host, shells, options=(f"UserKnownHostsFile={known}",)).run("true\n", deadline=SECONDS)


def test_host_that_is_not_known_is_never_accepted(host: Sshd, shells: list[SshShell], tmp_path: Path) -> None:
    """Trust on first use would be ours to give away, and it is the user's."""
    with pytest.raises(NodeDenied, match="host key"):
        _shell(host, shells, options=(f"UserKnownHostsFile={tmp_path / 'none'}",)).run("true\n", deadline=SECONDS)


def test_sudo_that_asks_for_a_password_is_denied(host: Sshd, shells: list[SshShell]) -> None:
    """Nobody is there to type it."""
    with pytest.raises(NodeDenied, match="sudo"):
        _shell(host, shells, sudo="always").run("true\n", deadline=SECONDS)


def test_root_needs_no_sudo(host: Sshd, shells: list[SshShell]) -> None:
    """With `auto`, sudo is left alone where the login is root's."""
    assert _shell(host, shells).run("id -u\n", deadline=SECONDS).output == b"0\n"


def test_login_that_is_not_root_goes_through_sudo(
    sshd_program: SshdProgram, shells: list[SshShell], tmp_path: Path
) -> None:
    """With `auto`; words arrive through sudo as they were given, too."""
    bin_directory = tmp_path / "bin"
    bin_directory.mkdir()
    for name, body in (
        ("id", "echo 1000"),
        ("sudo", 'test "$1 $2" = "-n --" || exit 1; shift 2; exec env VIA=sudo "$@"'),
    ):
        (bin_directory / name).write_text(f"#!/bin/sh\n{body}\n")
        (bin_directory / name).chmod(0o755)
    environment = {"PATH": f"{bin_directory}:{os.environ['PATH']}", "HOME": str(tmp_path)}

    with Sshd(tmp_path / "sshd", sshd_program, environment=environment) as server:
        called = _shell(server, shells).run('echo "$VIA $1"\n', 'it\'s "me"', deadline=SECONDS)
        shells.pop().close()

    assert called.output == b'sudo it\'s "me"\n'


def test_jump_hosts_of_the_users_configuration_are_used(host: Sshd, shells: list[SshShell], tmp_path: Path) -> None:
    """Where nodes are reached through a bastion, nothing has to be said twice."""
    config = tmp_path / "config"
    config.write_text(
        f"Host jump\n  HostName 127.0.0.1\n{host.client_options()}"
        f"Host far\n  HostName 127.0.0.1\n  ProxyJump jump\n{host.client_options()}"
    )
    before = host.log.read_text().count("Accepted publickey")

    shell = SshShell("far", address="far", settings=SshSettings(config_file=config), cancellation=CancellationSwitch())
    shells.append(shell)

    assert shell.run("echo there\n", deadline=SECONDS).output == b"there\n"
    assert host.log.read_text().count("Accepted publickey") == before + 2


def test_one_connection_serves_all_calls_and_ends_with_them(host: Sshd, shells: list[SshShell]) -> None:
    """Nothing of ours stays: neither a process nor a socket."""
    before = host.log.read_text().count("Accepted publickey")
    shell = _shell(host, shells)

    for _ in range(5):
        shell.run("true\n", deadline=SECONDS)
    sockets = shell._sockets
    shell.close()
    shell.close()

    assert host.log.read_text().count("Accepted publickey") == before + 1
    assert sockets is not None
    assert not sockets.exists()


def test_port_that_nobody_listens_on_is_unreachable(host: Sshd, shells: list[SshShell]) -> None:
    """It may be rebooting."""
    with pytest.raises(NodeUnreachable):
        _shell(host, shells, options=("Port=1",)).run("true\n", deadline=SECONDS)


def test_script_without_an_end_is_ended_at_its_deadline(host: Sshd, shells: list[SshShell]) -> None:
    """A node that hangs must not hold up the others."""
    with pytest.raises(NodeUnreachable, match="no answer"):
        _shell(host, shells).run("sleep 60\n", deadline=0.5)


def test_client_that_is_missing_is_named(host: Sshd, shells: list[SshShell]) -> None:
    """A break-glass machine may have none."""
    with pytest.raises(ToolMissing):
        _shell(host, shells, program="/nonexistent/ssh").run("true\n", deadline=SECONDS)


def test_wish_to_stop_is_heard_before_a_call(host: Sshd, shells: list[SshShell]) -> None:
    """Nothing is begun after Ctrl-C."""
    switch = CancellationSwitch()
    switch.cancel("SIGINT")

    with pytest.raises(Cancelled):
        _shell(host, shells, cancellation=switch).run("true\n", deadline=SECONDS)


def _shell(
    host: Sshd, shells: list[SshShell], *, cancellation: CancellationSwitch | None = None, **changes: object
) -> SshShell:
    settings = SshSettings(**{"config_file": host.client_config, **changes})  # type: ignore[arg-type]
    shell = SshShell("cp1", address="127.0.0.1", settings=settings, cancellation=cancellation or CancellationSwitch())
    shells.append(shell)
    return shell


def _write(write: object, body: bytes) -> None:
    write(body)  # type: ignore[operator]
