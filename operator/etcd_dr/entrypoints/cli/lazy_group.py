"""A group of commands that knows their names and loads the one that is called."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Any

import typer
from typer.core import TyperGroup

from etcd_dr.entrypoints.cli.doors import Door, Group
from etcd_dr.entrypoints.cli.global_options import ask_everywhere

EPILOG = "Options that every command takes, such as --store and --output: etcd-dr --help"
SETTINGS = {"help_option_names": ["-h", "--help"], "max_content_width": 100}

Begin = Callable[[typer.Context, Any], Any]


def group_class(doors: Sequence[Door | Group], *, begin: Begin, remember: Begin) -> type[TyperGroup]:
    """Return a class of group with these doors, for typer to make one from.

    `begin` makes what a command is given; `remember` only notes the options that stand before a command's name.
    """

    class LazyGroup(TyperGroup):
        def list_commands(self, _ctx: Any) -> list[str]:
            return [door.name for door in doors]

        def get_command(self, ctx: Any, cmd_name: str) -> Any:
            found = next((door for door in doors if door.name == cmd_name), None)
            if found is None:
                return None
            if isinstance(found, Door):
                ctx.obj.door = found
            return _loaded(found, begin=begin, remember=remember)

        def format_options(self, ctx: Any, formatter: Any) -> None:
            with formatter.section("Commands"):
                formatter.write_dl([(door.name, door.summary) for door in doors])
            super().format_options(ctx, formatter)

        def format_commands(self, _ctx: Any, _formatter: Any) -> None:
            """Nothing more: the commands stand above the options."""

        def resolve_command(self, ctx: Any, args: list[str]) -> Any:
            names: Any = dict.fromkeys(self.list_commands(ctx))
            self.commands = names  # only the names are read: what is suggested after a typo
            return super().resolve_command(ctx, args)

    return LazyGroup


def _loaded(door: Door | Group, *, begin: Begin, remember: Begin) -> Any:
    app = typer.Typer(
        add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None, context_settings=SETTINGS
    )
    if isinstance(door, Group):
        app.callback(cls=group_class(door.doors, begin=begin, remember=remember), help=door.summary, epilog=EPILOG)(
            ask_everywhere(_nothing, remember, hidden=True)
        )
        command = typer.main.get_command(app)
        command.name = door.name
        return command
    function = getattr(import_module(door.module), door.function)
    app.command(name=door.name, epilog=EPILOG, context_settings=SETTINGS)(ask_everywhere(function, begin, hidden=True))
    return typer.main.get_command(app)


def _nothing(_run: object) -> None:
    """A group itself does nothing."""
