"""One call of the command: what was said, where answers go, and the parts that commands ask for."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TextIO

from etcd_dr.adapters.cancellation import CancellationSwitch
from etcd_dr.adapters.event_log import EventLog, EventsBesideAnswer, NoEvents
from etcd_dr.adapters.system_clock import SystemClock, SystemTokens
from etcd_dr.bootstrap.surroundings import Surroundings
from etcd_dr.config import (
    Config,
    EtcdOverrides,
    Overrides,
    Target,
    load_config,
    parse_config,
    resolve_encryption,
    resolve_target,
)
from etcd_dr.config.load import ENVIRONMENT_PREFIX
from etcd_dr.config.model import EncryptionSection, LogSection
from etcd_dr.config.overrides import TalosOverrides, parse_user
from etcd_dr.entrypoints.cli.answers import Document, Output, print_answer
from etcd_dr.entrypoints.cli.global_options import GlobalOptions
from etcd_dr.entrypoints.cli.password import with_password
from etcd_dr.entrypoints.cli.pasting import Paste
from etcd_dr.entrypoints.cli.process import Process
from etcd_dr.entrypoints.cli.progress import NoProgress, progress_on
from etcd_dr.entrypoints.cli.terminal import Screen
from etcd_dr.ports.cancellation import Cancellation
from etcd_dr.ports.events import EventSink

CONFIG_VARIABLE = "ETCD_DR_CONFIG"


@dataclass(frozen=True, slots=True)
class Run:
    """What a command is given."""

    options: GlobalOptions
    process: Process
    _read: dict[str, Config | None] = field(default_factory=dict, repr=False, compare=False)

    @property
    def environment(self) -> Mapping[str, str]:
        return self.process.environment

    @property
    def stdin(self) -> TextIO:
        return self.process.stdin

    @property
    def stderr(self) -> TextIO:
        return self.process.stderr

    @property
    def screen(self) -> Screen:
        """Where the answer goes."""
        return Screen(self.process.stdout)

    @property
    def paste(self) -> Paste:
        """What completes commands in texts with the options of this run."""
        return Paste(self.options)

    @property
    def output(self) -> Output:
        return self.options.output or Output.TABLE

    def answer(self, document: Document, *, table: Callable[[], None]) -> None:
        """Print the command's answer in the form that was asked for."""
        print_answer(self.screen, self.output, document=document, table=table)

    def note(self, text: str) -> None:
        """Say something beside the answer, unless asked to be quiet."""
        if not self.options.quiet:
            Screen(self.stderr).line(text)

    def config(self) -> Config | None:
        """Return the configuration, read once, or None where no file is named or found. Raises ConfigError."""
        if "config" not in self._read:
            self._read["config"] = self._find_config()
        return self._read["config"]

    def _find_config(self) -> Config | None:
        named = self.options.config or _path(self.environment.get(CONFIG_VARIABLE))
        found = named or next((place for place in self.process.usual_places if place.is_file()), None)
        if found is not None:
            return load_config(found, self.environment)
        if not any(name.startswith(ENVIRONMENT_PREFIX) for name in self.environment):
            return None
        from_environment = parse_config("", self.environment, subject="the environment")
        return from_environment if from_environment.model_fields_set else None

    def target(self) -> Target:
        """Return what this command works on. Raises UsageError and ConfigError."""
        target = resolve_target(self.config(), self._overrides(), self.environment)
        return with_password(target, stdin=self.stdin)

    def encryption(self) -> EncryptionSection:
        """Return the encryption settings alone, for a file at hand."""
        return resolve_encryption(self.config(), self._overrides())

    def surroundings(
        self,
        cancellation: Cancellation | None = None,
        *,
        with_events: bool = True,
        said_in_answer: Collection[str] = (),
    ) -> Surroundings:
        """Return what every workflow of this run shares. Without a `cancellation` nothing but an interrupt stops it.

        `with_events=False` is for answers that say it all themselves, `said_in_answer` for the events that an answer
        or its error repeats: these are logged only where a level was named, so that nobody reads them twice.
        """
        clock = SystemClock()
        log = self._log()
        level = self.options.log_level or (log.level if "level" in log.model_fields_set else "warning")
        format_ = log.format if "format" in log.model_fields_set else "text"
        is_asked_for = self.options.log_level is not None
        events: EventSink = NoEvents()
        if with_events or is_asked_for:
            events = EventLog(self.stderr, level=level, format=format_, clock=clock)
        if said_in_answer and not is_asked_for:
            events = EventsBesideAnswer(events, said_in_answer=frozenset(said_in_answer))
        return Surroundings(
            clock=clock,
            tokens=SystemTokens(),
            events=events,
            progress=progress_on(Screen(self.stderr), monotonic=clock.monotonic, is_quiet=self.options.quiet),
            cancellation=cancellation or CancellationSwitch(),
        )

    def service_surroundings(self, cancellation: Cancellation) -> Surroundings:
        """Return what a process without a person shares: log lines as configured, no progress."""
        clock = SystemClock()
        log = self._log()
        return Surroundings(
            clock=clock,
            tokens=SystemTokens(),
            events=EventLog(self.stderr, level=self.options.log_level or log.level, format=log.format, clock=clock),
            progress=NoProgress(),
            cancellation=cancellation,
        )

    def _log(self) -> LogSection:
        config = self.config()
        return config.log if config is not None else LogSection()

    def _overrides(self) -> Overrides:
        said = self.options
        return Overrides(
            cluster=said.cluster,
            etcd=EtcdOverrides(
                endpoints=said.endpoints,
                cacert=said.cacert,
                cert=said.cert,
                key=said.key,
                username=parse_user(said.user) if said.user is not None else None,
                password_file=said.password_file,
            ),
            talos=TalosOverrides(talosconfig=said.talosconfig, context=said.context, nodes=said.nodes),
            store=said.store,
            recipients=tuple(said.recipient or ()),
            recipients_files=tuple(said.recipients_file or ()),
            identity_files=tuple(said.identity or ()),
            no_encryption=said.no_encryption,
        )


def _path(text: str | None) -> Path | None:
    return Path(text) if text else None
