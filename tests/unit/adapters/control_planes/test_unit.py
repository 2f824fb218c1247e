"""What systemd says of a unit, understood, and the drop-in that starts it differently."""

from __future__ import annotations

from etcd_dr.adapters.control_planes.unit import (
    Unit,
    exec_start_as_written,
    joining_drop_in,
    parse_environment_file,
)

# As `systemctl show` of systemd 252 prints it for Debian's etcd.
DEBIAN = """\
LoadState=loaded
ActiveState=active
SubState=running
MainPID=612
User=etcd
Group=
WorkingDirectory=/var/lib/etcd
ExecStart={ path=/usr/bin/etcd ; argv[]=/usr/bin/etcd $DAEMON_ARGS --name=${ETCD_HOST} ; ignore_errors=no ; start_time=[n/a] ; stop_time=[n/a] ; pid=612 ; code=(null) ; status=0/0 }
Environment=ETCD_DATA_DIR=/var/lib/etcd/default "ETCD_LOG_OUTPUTS=a b"
EnvironmentFiles=/etc/default/etcd (ignore_errors=yes)
EnvironmentFiles=/etc/etcd extra.env (ignore_errors=no)
"""


def test_settings_come_from_command_environment_and_files() -> None:
    """Variables are put in, files win over Environment=, later files over earlier ones."""
    unit = Unit.parse(DEBIAN)

    program, settings = unit.settings(
        [b"DAEMON_ARGS='--snapshot-count=1000 --logger=zap'\nETCD_HOST=a\n", b"ETCD_HOST=cp1\n"]
    )

    assert program == "/usr/bin/etcd"
    assert unit.environment_files == ("/etc/default/etcd", "/etc/etcd extra.env")
    assert settings.get("name") == "cp1"
    assert settings.get("snapshot-count") == "1000"
    assert settings.get("data-dir") == "/var/lib/etcd/default"
    assert (unit.main_pid, unit.owner, unit.exists) == (612, "etcd:", True)


def test_unit_that_starts_a_shell_cannot_be_made_to_join() -> None:
    """Flags that are added would be the shell's."""
    unit = Unit.parse("LoadState=loaded\nExecStart={ path=/bin/sh ; argv[]=/bin/sh -c etcd ; ignore_errors=no ; }\n")

    _, settings = unit.settings([])

    assert "/bin/sh" in settings.problem


def test_unit_that_is_not_there() -> None:
    """systemctl shows it all the same."""
    assert not Unit.parse("LoadState=not-found\nMainPID=0\n").exists
    assert not Unit.parse("").exists


def test_environment_file_as_systemd_reads_it() -> None:
    """Comments, quotes, continued lines."""
    text = "# comment\n; comment\nA=1\nB=\"two words\"\nC='x'\nD=con\\\ntinued\nnonsense\n"

    assert parse_environment_file(text) == {"A": "1", "B": "two words", "C": "x", "D": "continued"}


def test_last_command_as_written_counts() -> None:
    """What drop-ins forgot is forgotten, and what this tool wrote before does not count."""
    cat = (
        "# /lib/systemd/system/etcd.service\n[Unit]\nExecStart=/not/this\n[Service]\nExecStart=/usr/bin/etcd \\\n  --name=%H\n"
        "# /etc/systemd/system/etcd.service.d/local.conf\n[Service]\nExecStart=\nExecStart=/opt/etcd --name=%H\n"
        "# /etc/systemd/system/etcd.service.d/zy-etcd-dr-join-r1.conf\n[Service]\nExecStart=\nExecStart=/opt/etcd joined\n"
    )

    assert exec_start_as_written(cat, without="zy-etcd-dr-join-") == "/opt/etcd --name=%H"


def test_drop_in_quotes_what_systemd_would_expand() -> None:
    """Percent and dollar mean something in a unit file."""
    text = joining_drop_in("/usr/bin/etcd", ["--initial-cluster=a=https://[fe80::1%eth0]:2380"], environment_file="/x")

    assert 'ExecStart=/usr/bin/etcd "--initial-cluster=a=https://[fe80::1%%eth0]:2380"' in text
    assert "ExecStart=\n" in text
    assert "EnvironmentFile=/x" in text


def test_drop_in_without_flags_leaves_the_command() -> None:
    """Where everything comes from the environment."""
    assert "ExecStart" not in joining_drop_in("/usr/bin/etcd", [], environment_file="/x")
