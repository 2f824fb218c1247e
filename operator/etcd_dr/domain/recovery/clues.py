"""What a node's log says about why its etcd does not run: a cause that can be removed, or damage that cannot.

- A log runs over many starts: what was said before the last start, or before somebody stopped it, counts no more. Of
  several clues the last one counts, and damage counts before a cause.
- A cause keeps a member from simply being started, so a pattern must not fit what a sound etcd logs too.
- A clue is never the only evidence against a member that answers.
- Each pattern names the place in etcd, or the thread, that its words come from.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum


class Cause(StrEnum):
    """What keeps a member down, or what it complains of, that can be removed without touching its data."""

    NONE = ""
    CERTIFICATE_EXPIRED = "certificate-expired"
    DISK_FULL = "disk-full"
    NO_SPACE = "no-space"
    """The alarm NOSPACE: the database reached its quota."""
    FALSE_CORRUPT = "false-corrupt"
    """The alarm CORRUPT, while its hash equals the majority's (etcd-io/etcd#15919, #18274)."""
    MANIFEST_WRONG = "manifest-wrong"
    """The way etcd is started: flags, files or addresses that do not fit."""
    LEARNER_BEHIND = "learner-behind"
    LEARNER_STUCK = "learner-stuck"


@dataclass(frozen=True, slots=True)
class Clue:
    """One line that says something. `damage` is empty for a cause."""

    line: str
    meaning: str
    cause: Cause = Cause.NONE
    is_damage: bool = False
    is_removed: bool = False


@dataclass(frozen=True, slots=True)
class _Pattern:
    pattern: re.Pattern[str]
    meaning: str
    cause: Cause = Cause.NONE
    is_damage: bool = False
    is_removed: bool = False


def _text(words: str) -> re.Pattern[str]:
    return re.compile(words, re.IGNORECASE)


_PATTERNS = (
    # etcdserver/server.go, ErrMemberRemoved; rafthttp/peer.go
    _Pattern(_text(r"(member|it) has been permanently removed"), "it was removed from the cluster", is_removed=True),
    # bbolt freelist.go, bbolt#335, etcd-io/etcd#18642 and #17084
    _Pattern(_text(r"freepages|freelist: .*panic|page \d+ already freed"), "its database is damaged", is_damage=True),
    _Pattern(_text(r"assertion failed: page|invalid freelist page|unexpected page type|invalid database"),
             "its database is damaged", is_damage=True),
    # wal/wal.go, wal/decoder.go
    _Pattern(_text(r"(walpb|wal): (crc mismatch|slice bounds|.*not found)|crc mismatch|failed to (open|read) wal"),
             "its WAL is damaged", is_damage=True),
    # raft/log.go, commitTo
    _Pattern(_text(r"tocommit\(\d+\) is out of range"), "its WAL has lost entries", is_damage=True),
    # etcdserver/storage/backend.go, recoverSnapshotBackend
    _Pattern(_text(r"failed to (find|recover).*(database|v3 backend|backend).*snapshot"),
             "its database does not fit its WAL", is_damage=True),
    # rafthttp/stream.go, errClusterIDMismatch
    _Pattern(_text(r"cluster id mismatch"), "it met members of another cluster"),
    _Pattern(_text(r"certificate has expired|expired certificate|tls: .*expired"),
             "a certificate has expired", cause=Cause.CERTIFICATE_EXPIRED),
    _Pattern(_text(r"no space left on device|disk quota exceeded"), "its disk is full", cause=Cause.DISK_FULL),
    _Pattern(_text(r"mvcc: database space exceeded"), "its database reached its quota", cause=Cause.NO_SPACE),
    # embed/config.go, etcdmain/etcd.go, etcdserver/bootstrap.go
    _Pattern(_text(r"couldn't find local name|member count is unequal|mismatch member id|error verifying flags"),
             "its --initial-cluster flags do not fit", cause=Cause.MANIFEST_WRONG),
    _Pattern(_text(r"flag provided but not defined|unknown flag|invalid value .* for flag"),
             "a flag is not understood", cause=Cause.MANIFEST_WRONG),
    _Pattern(_text(r"cannot assign requested address|address already in use"),
             "it cannot listen on its address", cause=Cause.MANIFEST_WRONG),
    _Pattern(_text(r"(open|stat) \S+\.(crt|pem|key|ya?ml|json|conf): (no such file or directory|permission denied)"),
             "a file that it is started with cannot be read", cause=Cause.MANIFEST_WRONG),
    _Pattern(_text(r"x509: certificate (signed by unknown authority|is valid for)|private key does not match"),
             "its certificates do not fit", cause=Cause.MANIFEST_WRONG),
    _Pattern(_text(r"(ImagePullBackOff|ErrImagePull|manifest unknown|pull access denied)"),
             "its image cannot be pulled", cause=Cause.MANIFEST_WRONG),
)  # fmt: skip

_LONGEST_LINE = 300
_TELLING_LINES = 3
_LAST_LINES = 6
# server/etcdserver/server.go, NewServer; pkg/osutil/interrupt_unix.go, HandleInterrupts
_BOUNDARY = _text(r"starting an etcd server|received (\w+ )?signal[;,] shutting down")


def read_clues(log_tail: Sequence[str]) -> tuple[Clue, ...]:
    """Return what the lines say, the last line first; a line that says nothing known gives nothing."""
    clues = []
    for line in reversed(_since_last_start(log_tail)):
        found = next((p for p in _PATTERNS if p.pattern.search(line)), None)
        if found is not None:
            shown = line.strip()[:_LONGEST_LINE]
            clues.append(Clue(shown, found.meaning, found.cause, found.is_damage, found.is_removed))
    return tuple(clues)


def log_end(log_tail: Sequence[str]) -> str:
    """Return what a log says last, as lines to follow a sentence: those that tell why, else the last ones; or nothing."""
    said = [clue.line for clue in read_clues(log_tail)][:_TELLING_LINES]
    lines = said[::-1] or [line.strip()[:_LONGEST_LINE] for line in log_tail[-_LAST_LINES:]]
    return "".join(["\nIts log ends with:", *(f"\n  {line}" for line in lines)]) if lines else ""


def _since_last_start(log_tail: Sequence[str]) -> Sequence[str]:
    """Return the lines after the last start, or after the last stop that was asked for."""
    marks = [number for number, line in enumerate(log_tail) if _BOUNDARY.search(line)]
    return log_tail[marks[-1] + 1 :] if marks else log_tail


def damage_clue(clues: Sequence[Clue]) -> Clue | None:
    """Return the last line that says that the data cannot be used."""
    return next((clue for clue in clues if clue.is_damage), None)


def removal_clue(clues: Sequence[Clue]) -> Clue | None:
    return next((clue for clue in clues if clue.is_removed), None)


def hint_clues(clues: Sequence[Clue]) -> tuple[Clue, ...]:
    """Return what is worth telling and decides nothing."""
    return tuple(c for c in clues if not (c.is_damage or c.is_removed or c.cause))


def cause_clue(clues: Sequence[Clue]) -> Clue | None:
    """Return the last line that names a cause."""
    return next((clue for clue in clues if clue.cause), None)
