"""From the words of a command line to an exit status: the one place that catches, and the one that ends the process."""

from __future__ import annotations

import signal
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import Any

import typer

from etcd_dr.entrypoints.cli.doors import DOORS
from etcd_dr.entrypoints.cli.failures import FailureReport, bug
from etcd_dr.entrypoints.cli.global_options import GlobalOptions, ask_everywhere
from etcd_dr.entrypoints.cli.lazy_group import SETTINGS, group_class
from etcd_dr.entrypoints.cli.process import Process
from etcd_dr.entrypoints.cli.terminal import READER_GONE_STATUS, ReaderGone, silence
from etcd_dr.errors import Cancelled, EtcdDrError, UsageError


@dataclass(slots=True)
class Call:
    """What is known of a call while its words are read. `failure_status` comes from the door that was taken."""

    process: Process
    options: GlobalOptions = field(default_factory=GlobalOptions)
    failure_status: int | None = None


def main() -> None:
    """Carry out the command that this process was called with, and end with its status."""
    signal.signal(signal.SIGTERM, _interrupt)
    sys.exit(run(sys.argv[1:], Process.this_one()))


def run(arguments: Sequence[str], process: Process) -> int:
    """Carry out one command and return its exit status; nothing is raised."""
    call = Call(process)
    try:
        status = command().main(
            args=list(arguments) or ["--help"], prog_name="etcd-dr", standalone_mode=False, obj=call
        )
    except ReaderGone:
        return READER_GONE_STATUS
    except KeyboardInterrupt:
        return Cancelled.exit_status
    except Exception as error:  # noqa: BLE001 - the last door: whatever it is, a person reads one clear line
        return _report(arguments, call).tell(_ours(error))
    finally:
        _flush(process)
    return status if isinstance(status, int) else 0


def command() -> Any:
    """Return the whole command with its groups, as typer runs it."""
    app = typer.Typer(
        add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None, context_settings=SETTINGS
    )
    app.callback(cls=group_class(DOORS, begin=_begin, remember=_remember))(
        ask_everywhere(_root, _remember, hidden=False)
    )
    return typer.main.get_command(app)


def _root(_call: Call) -> None:
    """Keep etcd recoverable: proven snapshots, a watch over quorum, a guided recovery.

    The configuration is ./etcd-dr.yaml, else /etc/etcd-dr/etcd-dr.yaml, unless another file is named. Without any,
    --endpoints with its certificates and --store are enough.
    """


def _remember(ctx: typer.Context, options: GlobalOptions) -> Call:
    call: Call = ctx.obj
    call.options = options.over(call.options)
    return call


def _begin(ctx: typer.Context, options: GlobalOptions) -> Any:
    from etcd_dr.entrypoints.cli.run import Run  # noqa: PLC0415 - `--help` does without the configuration model

    call = _remember(ctx, options)
    return Run(call.options, call.process)


def _ours(error: Exception) -> EtcdDrError:
    """Return any error as one that can be told."""
    if isinstance(error, EtcdDrError):
        return error
    if isinstance(error, typer.Abort):
        return Cancelled("the question was left unanswered")
    if isinstance(error, typer.TyperException):
        return _usage(error)
    return bug(error)


def _usage(error: typer.TyperException) -> UsageError:
    context = getattr(error, "ctx", None)
    command = context.command_path if context is not None else "etcd-dr"
    message = error.format_message().rstrip(".").replace("Value error, ", "")
    return UsageError(f"{message[:1].lower()}{message[1:]}", next_step=f"See what there is with: {command} --help")


def _report(arguments: Sequence[str], call: Call) -> FailureReport:
    output = call.options.output or _said(arguments, "--output", "-o", "--write-out", "-w")
    level = call.options.log_level or _said(arguments, "--log-level")
    return FailureReport(
        call.process.stderr, as_json=output in ("json", "yaml"), debug=level == "debug", status=call.failure_status
    )


def _said(arguments: Sequence[str], *names: str) -> str | None:
    """Return the value of an option in words that could not be read as a whole."""
    value = None
    for word, following in zip_longest(arguments, arguments[1:]):
        name, separator, rest = word.partition("=")
        if name in names:
            value = rest if separator else following
    return value


def _interrupt(_signal: int, _frame: object) -> None:
    raise KeyboardInterrupt


def _flush(process: Process) -> None:
    for stream in (process.stdout, process.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            with suppress(OSError, ValueError):
                silence(stream)
