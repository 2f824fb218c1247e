"""Commands in answers and errors, as this run's user can paste them: with the options that lead to the same place.

Whoever wrote a next step knows the command, not how the user said where etcd and the store are. Here, in one place,
each `etcd-dr COMMAND` of a text is given the options of this run that the command needs and the text does not have.
Passwords are never among them; files that hold secrets are named as they were.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from etcd_dr.entrypoints.cli.doors import DOORS, Group
from etcd_dr.entrypoints.cli.global_options import GlobalOptions

_BEYOND = {"version", "demo", "docs"}
_FILE_ONLY = {"operator", "notify test"}
_ENCODING = {"snapshot save", "snapshot import"}
_DECODING = {"snapshot verify", "snapshot fetch", "snapshot status", "snapshot import"}
_END_OF_COMMAND = re.compile(r"[;|)\n]|\.(?:\s|$)|, then ")


def _command_names() -> Iterator[str]:
    for entry in DOORS:
        if isinstance(entry, Group):
            yield from (f"{entry.name} {door.name}" for door in entry.doors)
        else:
            yield entry.name


_COMMAND = re.compile(rf"\betcd-dr ({'|'.join(sorted(_command_names(), key=len, reverse=True))})\b")


@dataclass(frozen=True, slots=True)
class Paste:
    """Completes commands in texts with what was said on this command line."""

    options: GlobalOptions

    def completed(self, text: str) -> str:
        """Return the text with every command of ours in it ready to be pasted."""
        before, *found = _COMMAND.split(text)
        return before + "".join(self._command(name, rest) for name, rest in zip(found[::2], found[1::2], strict=True))

    def _command(self, name: str, rest: str) -> str:
        end = _END_OF_COMMAND.search(rest)
        said = (rest[: end.start()] if end else rest).split()
        missing = [] if "--help" in said else [o for o in self._options_for(name) if o.split()[0] not in said]
        return " ".join([f"etcd-dr {name}", *missing]) + rest

    def _options_for(self, command: str) -> Iterator[str]:
        options = self.options
        if command in _BEYOND:
            return
        yield from _one("--config", options.config)
        if command in _FILE_ONLY:
            return
        yield from _one("--cluster", options.cluster)
        yield from _one("--endpoints", options.endpoints)
        yield from _one("--cacert", options.cacert)
        yield from _one("--cert", options.cert)
        yield from _one("--key", options.key)
        yield from _one("--user", options.user and options.user.partition(":")[0])
        yield from _one("--password-file", options.password_file)
        yield from _one("--talosconfig", options.talosconfig)
        yield from _one("--context", options.context)
        yield from _one("--nodes", options.nodes)
        yield from _one("--store", options.store)
        if command in _ENCODING:
            yield from _several("--recipient", options.recipient)
            yield from _several("--recipients-file", options.recipients_file)
            yield from ["--no-encryption"] if options.no_encryption else []
        if command in _DECODING:
            yield from _several("--identity", options.identity)


def parts(text: str) -> Iterator[tuple[str, bool]]:
    """Yield the text in pieces, each with whether it is a command of ours that can be pasted."""
    place = 0
    for found in _COMMAND.finditer(text):
        if found.start() < place:
            continue
        end = _END_OF_COMMAND.search(text, found.end())
        stop = end.start() if end else len(text)
        if found.start() > place:
            yield text[place : found.start()], False
        yield text[found.start() : stop].rstrip(), True
        place = found.start() + len(text[found.start() : stop].rstrip())
    if place < len(text):
        yield text[place:], False


def _one(name: str, value: object) -> Iterator[str]:
    if value is not None:
        yield f"{name} {shlex.quote(str(value))}"


def _several(name: str, values: Iterable[object] | None) -> Iterator[str]:
    for value in values or ():
        yield from _one(name, value)
