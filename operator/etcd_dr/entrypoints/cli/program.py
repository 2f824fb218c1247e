"""From the words of a command line to an exit status: the one place that catches, and the one that ends the process."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import zip_longest
from pathlib import Path
from typing import Any

import typer

from etcd_dr.entrypoints.cli.doors import DOORS, Door
from etcd_dr.entrypoints.cli.failures import FailureReport, bug
from etcd_dr.entrypoints.cli.global_options import GlobalOptions, ask_everywhere
from etcd_dr.entrypoints.cli.lazy_group import SETTINGS, group_class
from etcd_dr.entrypoints.cli.pasting import Paste
from etcd_dr.entrypoints.cli.process import Process
from etcd_dr.entrypoints.cli.stopping import LastWord, heard_signals, show_cursor, stopped
from etcd_dr.entrypoints.cli.terminal import READER_GONE_STATUS, ReaderGone, silence
from etcd_dr.entrypoints.cli.waking import wake_at_signals
from etcd_dr.errors import Cancelled, EtcdDrError, UsageError

# kubectl finds its plugins by their names, with _ for the - of the word.
_NAMES = {"kubectl-etcd_dr": "kubectl etcd-dr"}


@dataclass(slots=True)
class Call:
    """What is known of a call while its words are read. `door` is the command that was called, once it is known."""

    process: Process
    arguments: Sequence[str]
    options: GlobalOptions = field(default_factory=GlobalOptions)
    door: Door | None = None
    name: str = "etcd-dr"


def main() -> None:
    """Carry out the command that this process was called with, and end with its status."""
    process = Process.this_one()
    call = Call(process, sys.argv[1:], name=_NAMES.get(Path(sys.argv[0]).name, "etcd-dr"))
    last_word = LastWord(
        tell=lambda error: _tell_hard_end(call, error),
        may_end_hard=lambda: call.door is None or bool(call.door.when_stopped),
    )
    for number in heard_signals():
        signal.signal(number, last_word)
    wake_at_signals()
    status = carry_out(call, last_word)
    if last_word.signal_name:
        os._exit(status)  # threads that still wait for a store or a member would hold the process
    sys.exit(status)


def run(arguments: Sequence[str], process: Process) -> int:
    """Carry out one command and return its exit status; nothing is raised."""
    return carry_out(Call(process, arguments))


def carry_out(call: Call, last_word: LastWord | None = None) -> int:
    """Carry out a call and return its exit status; nothing is raised."""
    try:
        status = command().main(
            args=list(call.arguments) or ["--help"], prog_name=call.name, standalone_mode=False, obj=call
        )
        if status == Cancelled.exit_status:  # what typer makes of a KeyboardInterrupt; no command of ours returns it
            return _tell(call, _stopped(last_word), last_word)
    except ReaderGone:
        return READER_GONE_STATUS
    except KeyboardInterrupt:
        return _tell(call, _stopped(last_word), last_word)
    except Exception as error:  # noqa: BLE001 - the last door: whatever it is, a person reads one clear line
        is_interrupted = _is_interrupted(error) or (last_word is not None and last_word.has_interrupted)
        return _tell(call, _ours(error, is_interrupted=is_interrupted) or _stopped(last_word), last_word)
    finally:
        _flush(call.process)
    return status if isinstance(status, int) else 0


def _tell(call: Call, error: EtcdDrError, last_word: LastWord | None = None) -> int:
    """Tell an error, unless the command's end was told already, and return the status."""
    report = _report(call)
    if last_word is not None and last_word.signal_name and not last_word.claim():
        return report.status_of(error)
    if isinstance(error, Cancelled) and not error.next_step and call.door is not None:
        error.next_step = call.door.when_stopped
    return report.tell(error)


def _tell_hard_end(call: Call, error: Cancelled) -> None:
    show_cursor(call.process.stderr)
    _tell(call, error)
    _flush(call.process)


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


def _stopped(last_word: LastWord | None) -> Cancelled:
    return stopped(last_word.signal_name if last_word else "")


def _ours(error: Exception, *, is_interrupted: bool) -> EtcdDrError | None:
    """Return any error as one that can be told; None where a signal is behind it."""
    if isinstance(error, EtcdDrError):
        return error
    if isinstance(error, typer.Abort):
        return Cancelled(
            "the question was left unanswered, so nothing was changed", next_step="Run it again, and answer it."
        )
    if isinstance(error, typer.TyperException):
        return _usage(error)
    return None if is_interrupted else bug(error)


def _is_interrupted(error: BaseException) -> bool:
    """Tell whether an error was made of a KeyboardInterrupt, as Python 3.11 does where a class is being made."""
    seen: list[BaseException] = []
    cause: BaseException | None = error
    while cause is not None and cause not in seen:  # what is raised again while it is handled can be its own cause
        seen.append(cause)
        cause = cause.__cause__ or cause.__context__
    return any(isinstance(each, KeyboardInterrupt) for each in seen)


def _usage(error: typer.TyperException) -> UsageError:
    context = getattr(error, "ctx", None)
    command = context.command_path if context is not None else "etcd-dr"
    message = error.format_message().rstrip(".").replace("Value error, ", "")
    return UsageError(f"{message[:1].lower()}{message[1:]}", next_step=f"See what there is with: {command} --help")


def _report(call: Call) -> FailureReport:
    output = call.options.output or _said(call.arguments, "--output", "-o", "--write-out", "-w")
    level = call.options.log_level or _said(call.arguments, "--log-level")
    return FailureReport(
        call.process.stderr,
        as_json=output in ("json", "yaml"),
        debug=level == "debug",
        status=call.door.failure_status if call.door is not None else None,
        paste=Paste(call.options),
    )


def _said(arguments: Sequence[str], *names: str) -> str | None:
    """Return the value of an option in words that could not be read as a whole."""
    value = None
    for word, following in zip_longest(arguments, arguments[1:]):
        name, separator, rest = word.partition("=")
        if name in names:
            value = rest if separator else following
    return value


def _flush(process: Process) -> None:
    for stream in (process.stdout, process.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            with suppress(OSError, ValueError):
                silence(stream)
