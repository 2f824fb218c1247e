"""What a command is given: the configuration that counts, the password, the log."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from etcd_dr.adapters.event_log import NoEvents
from etcd_dr.entrypoints.cli.global_options import GlobalOptions
from etcd_dr.entrypoints.cli.process import Process
from etcd_dr.entrypoints.cli.run import Run
from etcd_dr.errors import ConfigError
from scenarios.command_line import Stream

CLUSTER = """
clusters: [{{name: {name}, store: here, etcd: {{endpoints: ["http://127.0.0.1:1"]}}}}]
stores: [{{name: here, directory: {{path: /var/backups}}}}]
{more}
"""


def write(path: Path, name: str, more: str = "") -> Path:
    path.write_text(CLUSTER.format(name=name, more=more))
    return path


def run(places: tuple[Path, ...] = (), environment: dict[str, str] | None = None, **options: object) -> Run:
    process = Process(environment or {}, Stream(), Stream(), Stream(), places)
    return Run(GlobalOptions(**options), process)  # type: ignore[arg-type]


def test_named_file_counts_before_the_usual_places(tmp_path: Path) -> None:
    """Flag, then variable, then ./etcd-dr.yaml, then /etc."""
    usual = (tmp_path / "missing.yaml", write(tmp_path / "etc.yaml", "from-etc"))
    flag, variable = write(tmp_path / "a.yaml", "from-flag"), write(tmp_path / "b.yaml", "from-variable")
    environment = {"ETCD_DR_CONFIG": str(variable)}

    assert run(usual, environment, config=flag).target().name == "from-flag"
    assert run(usual, environment).target().name == "from-variable"
    assert run(usual).target().name == "from-etc"
    assert run().config() is None


def test_named_file_that_is_missing_is_an_error(tmp_path: Path) -> None:
    """Falling back to another file would work on another cluster."""
    usual = (write(tmp_path / "etc.yaml", "from-etc"),)

    with pytest.raises(ConfigError, match="No such file"):
        run(usual, config=tmp_path / "typo.yaml").config()


def test_environment_alone_is_a_configuration() -> None:
    """A container without a file is configured by its variables."""
    config = run(environment={"ETCD_DR_ENCRYPTION__ENABLED": "false"}).config()

    assert config is not None
    assert not config.encryption.enabled


def test_password_of_the_environment_reaches_etcd_as_a_file_in_memory() -> None:
    """Adapters read secrets from files; this one has no name on any disk."""
    etcd = run(environment={"ETCDCTL_ENDPOINTS": "h:1", "ETCDCTL_USER": "root:hunter2"}).target().need_etcd()

    assert etcd.password_file is not None
    assert etcd.password_file.read_text() == "hunter2"
    assert etcd.password_file.read_text() == "hunter2", "it can be read for every connection"
    assert str(etcd.password_file).startswith("/proc/self/fd/")


def test_commands_log_warnings_as_text_unless_told_otherwise(tmp_path: Path) -> None:
    """A person at a terminal is not a log collector; a file that says json is obeyed."""
    told = run()
    told.surroundings().events.emit("a", level="info")
    told.surroundings().events.emit("b", level="warning")
    as_json = run((write(tmp_path / "c.yaml", "c", "log: {format: json, level: info}"),))
    as_json.surroundings().events.emit("c", level="info")

    assert told.stderr.getvalue().endswith("Z warning b\n")  # type: ignore[attr-defined]
    assert json.loads(as_json.stderr.getvalue())["event"] == "c"  # type: ignore[attr-defined]


def test_service_logs_json_at_info() -> None:
    """The operator's lines are read by machines."""
    told = run()

    told.service_surroundings(told.surroundings().cancellation).events.emit("a", level="info")

    assert json.loads(told.stderr.getvalue())["event"] == "a"  # type: ignore[attr-defined]


def test_answers_that_say_it_all_log_only_on_request() -> None:
    """A health report is not said twice."""
    assert isinstance(run().surroundings(with_events=False).events, NoEvents)
    assert not isinstance(run(log_level="info").surroundings(with_events=False).events, NoEvents)
