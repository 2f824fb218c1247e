"""The table of commands, and what `--help` costs."""

from __future__ import annotations

import inspect
import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest

from etcd_dr.entrypoints.cli.doors import DOORS, Door, Group
from scenarios.command_line import CommandLine

HEAVY = ("boto3", "botocore", "grpc", "numpy", "rich", "structlog", "apscheduler", "cryptography", "yaml")


def doors() -> Iterator[tuple[str, Door]]:
    for entry in DOORS:
        if isinstance(entry, Group):
            yield from ((f"{entry.name} {door.name}", door) for door in entry.doors)
        else:
            yield entry.name, entry


NAMED = dict(doors())


def imported(*words: str) -> set[str]:
    """Return the modules that a call of the command loads, by the names of their packages."""
    code = (
        "import sys\n"
        "from etcd_dr.entrypoints.cli import main\n"
        f"sys.argv = ['etcd-dr', *{list(words)!r}]\n"
        "try:\n    main()\n"
        "except SystemExit:\n    pass\n"
        "print('\\n'.join(sys.modules), file=sys.stderr)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    return {line.partition(".")[0] for line in done.stderr.splitlines()} | set(done.stderr.splitlines())


@pytest.mark.parametrize("name", NAMED)
def test_summary_in_the_table_is_the_first_line_of_the_command(name: str) -> None:
    """The table is read instead of the commands, so it must say the same."""
    door = NAMED[name]

    text = inspect.getdoc(getattr(import_module(door.module), door.function)) or ""

    assert text.splitlines()[0] == door.summary


@pytest.mark.parametrize("name", NAMED)
def test_every_command_explains_itself(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`--help` works for each, at 80 columns, and ends with 0."""
    done = CommandLine(tmp_path)(*name.split(), "--help")

    text = capsys.readouterr().out
    assert done.status == 0
    assert NAMED[name].summary in " ".join(text.split())
    assert max(map(len, text.splitlines())) <= 80


def test_help_loads_no_heavy_library() -> None:
    """Whoever only asks which commands there are waits for none of them."""
    assert not imported("--help") & {*HEAVY, "pydantic", "etcd_dr.bootstrap", "etcd_dr.config"}


@pytest.mark.parametrize("words", [("snapshot", "--help"), ("snapshot", "lsit"), ("--nonsense",)])
def test_help_of_a_group_and_typos_load_no_heavy_library(words: tuple[str, ...]) -> None:
    """Only typer's own reading of options needs pydantic by then."""
    assert not imported(*words) & {*HEAVY, "etcd_dr.bootstrap", "etcd_dr.config"}


def test_version_and_list_load_only_what_they_need(tmp_path: Path) -> None:
    """Listing a directory needs neither gRPC, boto3 nor numpy."""
    found = imported("snapshot", "list", "--store", str(tmp_path))

    assert not found & {"boto3", "botocore", "grpc", "numpy", "structlog", "apscheduler", "pyrage", "zstandard"}


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("snapshot", "lst"), "Did you mean 'list'?"),
        (("helth",), "Did you mean 'health'?"),
        (("snapshot",), "missing command"),
        (("snapshot", "fetch"), "says not what to fetch"),
        (("snapshot", "status"), "missing argument 'FILE'"),
        (("snapshot", "list", "--limit", "0"), "--limit"),
        (("snapshot", "list", "--limit", "many"), "--limit"),
        (("members", "too", "many"), "unexpected extra argument"),
        (("members", "--output", "xml"), "'xml' is not one of"),
        (("members", "--log-level", "loud"), "'loud' is not one of"),
        (("members", "--store"), "--store"),
    ],
)
def test_mistyped_command_line_is_a_usage_error(words: tuple[str, ...], says: str, tmp_path: Path) -> None:
    """In our words, with the status of a usage error and the help that would tell."""
    done = CommandLine(tmp_path)(*words)

    assert done.status == 64
    assert done.err.startswith("error: ")
    assert says.lower() in done.err.lower()
    assert "--help" in done.err


def test_nothing_typed_shows_the_help(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Who types only the name wants to know what there is."""
    assert CommandLine(tmp_path)().status == 0
    assert "Commands:" in capsys.readouterr().out


def test_command_says_what_a_stop_leaves_or_cleans_up_itself() -> None:
    """Only what must clean up is never ended from outside; everything else has a word for whoever stops it."""
    silent = {name for name, door in NAMED.items() if not door.when_stopped}

    assert not {name for name in silent if name.startswith("snapshot ")} | ({"health", "members", "version"} & silent)
    assert {"operator", "demo"} <= silent
