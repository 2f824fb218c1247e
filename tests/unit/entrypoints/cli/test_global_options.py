"""Options that every command takes, wherever they stand."""

from __future__ import annotations

from pathlib import Path

import pytest

from etcd_dr.entrypoints.cli.answers import Output
from etcd_dr.entrypoints.cli.global_options import GlobalOptions
from scenarios.command_line import CommandLine


def test_nearest_word_wins_and_lists_add_up() -> None:
    """What was not said leaves the earlier word in place."""
    earlier = GlobalOptions(store="/a", recipient=["one"], output=Output.JSON, no_encryption=True)

    options = GlobalOptions(store="/b", recipient=["two"]).over(earlier)

    assert (options.store, options.recipient) == ("/b", ["one", "two"])
    assert (options.output, options.no_encryption) == (Output.JSON, True)


@pytest.mark.parametrize(
    "words",
    [
        ("--output", "json", "version"),
        ("version", "--output", "json"),
        ("version", "-o", "json"),
        ("version", "-w", "json"),
        ("--write-out=json", "version"),
        ("--output", "yaml", "version", "--output", "json"),
    ],
)
def test_form_of_the_answer_may_be_asked_for_before_or_after_the_command(
    words: tuple[str, ...], tmp_path: Path
) -> None:
    """As cobra's persistent flags, which etcdctl's users know, and with etcdctl's own name for it."""
    assert CommandLine(tmp_path)(*words).document["version"]


def test_option_between_group_and_command_counts(tmp_path: Path) -> None:
    """`etcd-dr snapshot --store /x list` is as good as any other order."""
    cli = CommandLine(tmp_path)

    assert cli("snapshot", "--store", cli.store, "list", "-o", "json").document["snapshots"] == []


def test_yaml_is_yaml(tmp_path: Path) -> None:
    """The same document, written for people who read YAML."""
    done = CommandLine(tmp_path)("version", "-o", "yaml")

    assert done.out.startswith("version: ")


@pytest.mark.parametrize("words", [("-o", "json", "snapshot", "show"), ("snapshot", "show", "--write-out=json")])
def test_errors_follow_the_form_of_the_answer(words: tuple[str, ...], tmp_path: Path) -> None:
    """A program that reads JSON gets its error in JSON, on standard error, and nothing on standard output."""
    cli = CommandLine(tmp_path)

    done = cli(*words, "--store", cli.store)

    assert done.error["code"] == "snapshot.not_found"
    assert (done.status, done.out) == (66, "")


def test_usage_errors_follow_the_form_of_the_answer_too(tmp_path: Path) -> None:
    """Although the words could not be read as a whole."""
    assert CommandLine(tmp_path)("members", "--nonsense", "-o", "json").error["code"] == "usage"
