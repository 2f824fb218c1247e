"""The options that every command takes, before or after the command's name, as etcdctl's users write them.

`ask_everywhere` gives them to a command: what stands nearest to the command's name wins. Their defaults come from the
configuration and the environment, not from here, so that "not said" stays visible.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from copy import copy
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Annotated, Any, Literal, get_type_hints

import typer

from etcd_dr.entrypoints.cli.answers import Output

LogLevel = Literal["debug", "info", "warning", "error"]


@dataclass(frozen=True, slots=True, kw_only=True)
class GlobalOptions:
    """What was said on the command line; None and empty: nothing."""

    config: Annotated[
        Path | None,
        typer.Option("--config", metavar="FILE", help="Configuration [env: ETCD_DR_CONFIG].", readable=False),
    ] = None
    cluster: Annotated[
        str | None,
        typer.Option("--cluster", metavar="NAME", help="Which cluster of several [env: ETCD_DR_CLUSTER]."),
    ] = None
    endpoints: Annotated[
        str | None,
        typer.Option("--endpoints", metavar="URLS", help="Members' client URLs, comma separated [env: ETCDCTL_…]."),
    ] = None
    cacert: Annotated[str | None, typer.Option("--cacert", metavar="FILE", help="CA of the members.")] = None
    cert: Annotated[str | None, typer.Option("--cert", metavar="FILE", help="Client certificate.")] = None
    key: Annotated[str | None, typer.Option("--key", metavar="FILE", help="Key of that certificate.")] = None
    user: Annotated[str | None, typer.Option("--user", metavar="NAME", help="etcd user; asks for the password.")] = None
    password_file: Annotated[
        str | None, typer.Option("--password-file", metavar="FILE", help="File with that user's password.")
    ] = None
    talosconfig: Annotated[
        str | None,
        typer.Option("--talosconfig", metavar="FILE", help="Reach the cluster through Talos with this file."),
    ] = None
    context: Annotated[str | None, typer.Option("--context", metavar="NAME", help="Context of the talosconfig.")] = None
    nodes: Annotated[
        str | None, typer.Option("--nodes", metavar="IPS", help="Talos control plane nodes, comma separated.")
    ] = None
    store: Annotated[
        str | None,
        typer.Option("--store", metavar="URL", help="/DIRECTORY or s3://BUCKET/PREFIX [env: ETCD_DR_STORE]."),
    ] = None
    recipient: Annotated[
        list[str] | None, typer.Option("--recipient", metavar="KEY", help="age public key to encrypt to; repeatable.")
    ] = None
    recipients_file: Annotated[
        list[Path] | None,
        typer.Option("--recipients-file", metavar="FILE", help="Public keys, one a line.", readable=False),
    ] = None
    identity: Annotated[
        list[Path] | None,
        typer.Option("--identity", metavar="FILE", help="age private key to open with; repeatable.", readable=False),
    ] = None
    no_encryption: Annotated[
        bool, typer.Option("--no-encryption", help="Store in clear, readable by whoever reads the store.")
    ] = False
    output: Annotated[
        Output | None, typer.Option("--output", "-o", "--write-out", "-w", metavar="FORM", help="table, json or yaml.")
    ] = None
    log_level: Annotated[
        LogLevel | None, typer.Option("--log-level", metavar="LEVEL", help="debug, info, warning or error.")
    ] = None
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress and no notes on standard error.")] = False

    def over(self, earlier: GlobalOptions) -> GlobalOptions:
        """Return these options with the earlier ones where nothing was said here; repeatable ones add up."""
        mine = {each.name: getattr(self, each.name) for each in fields(self)}
        said = {name: value for name, value in mine.items() if value not in (None, False, [])}
        for name, value in said.items():
            if isinstance(value, list):
                said[name] = [*(getattr(earlier, name) or []), *value]
        return replace(earlier, **said)


def ask_everywhere(
    function: Callable[..., object], begin: Callable[[typer.Context, GlobalOptions], Any], *, hidden: bool
) -> Callable[..., object]:
    """Return `function` as typer shall see it: with all global options beside its own.

    The first parameter of `function` is what `begin` makes of the context and the options. `hidden` keeps the global
    options out of the help text, which says elsewhere where they are.
    """
    own = list(inspect.signature(function, eval_str=True).parameters.values())[1:]
    asked = _parameters(hidden=hidden)

    def command(ctx: typer.Context, **said: Any) -> object:
        options = GlobalOptions(**{name: said.pop(name) for name in asked})
        return function(begin(ctx, options), **said)

    context = inspect.Parameter("ctx", inspect.Parameter.KEYWORD_ONLY, annotation=typer.Context)
    shown = [context, *(each.replace(kind=inspect.Parameter.KEYWORD_ONLY) for each in own), *asked.values()]
    command.__name__ = function.__name__
    command.__doc__ = function.__doc__
    command.__annotations__ = {each.name: each.annotation for each in shown}
    command.__signature__ = inspect.Signature(shown)  # type: ignore[attr-defined]  # what inspect.signature reads first
    return command


def _parameters(*, hidden: bool) -> Mapping[str, inspect.Parameter]:
    hints = get_type_hints(GlobalOptions, include_extras=True)
    return {
        each.name: inspect.Parameter(
            each.name,
            inspect.Parameter.KEYWORD_ONLY,
            default=each.default,
            annotation=_hidden(hints[each.name]) if hidden else hints[each.name],
        )
        for each in fields(GlobalOptions)
    }


def _hidden(annotation: Any) -> Any:
    """Return the annotation with its option kept out of the help text."""
    option = copy(annotation.__metadata__[0])
    option.hidden = True
    return Annotated[annotation.__origin__, option]
