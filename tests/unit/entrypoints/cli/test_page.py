"""docs/cli.md names every command and every option."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import typer

from etcd_dr.entrypoints.cli.doors import DOORS, Group
from etcd_dr.entrypoints.cli.program import command

PAGE = Path(__file__).resolve().parents[4] / "docs" / "cli.md"

pytestmark = pytest.mark.skipif(not PAGE.is_file(), reason="the documentation is not part of this copy")


def options() -> set[str]:
    """Return the long options of all commands, as typer has them."""
    root = command()
    context = typer.Context(root)
    context.obj = type("Call", (), {"failure_status": None})()
    found: set[str] = set()

    def visit(group: Any) -> None:
        found.update(option for each in group.params for option in [*each.opts, *each.secondary_opts])
        for name in getattr(group, "list_commands", lambda _: [])(context):
            visit(group.get_command(context, name))

    visit(root)
    return {option for option in found if option.startswith("--")}


def test_every_option_is_on_the_page() -> None:
    """An option that nobody can read about does not exist."""
    text = PAGE.read_text(encoding="utf-8")

    assert {option for option in options() - {"--help"} if not re.search(rf"{option}\b", text)} == set()


def test_every_option_of_the_page_exists() -> None:
    """And what is written about can be typed."""
    of_others = {"--cluster", "--help"}
    written = set(re.findall(r"--[a-z][a-z-]+", PAGE.read_text(encoding="utf-8")))

    assert written - options() - of_others == set()


def test_every_command_has_its_section() -> None:
    """With its name as the headline."""
    headlines = re.findall(r"^## (.+)$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    commands = [
        name
        for entry in DOORS
        for name in (
            [f"{entry.name} {door.name}" for door in entry.doors] if isinstance(entry, Group) else [entry.name]
        )
    ]

    assert [name for name in commands if not any(name in headline for headline in headlines)] == []
