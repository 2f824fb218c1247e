"""What etcd's tools say when a restore fails, and which of our errors it means.

They have no exit statuses of their own (1 for everything, 2 for a Go panic), so their words are what there is. What
is not recognised is the tool's own failure, with the end of what it said.
"""

from __future__ import annotations

import signal

from etcd_dr.adapters.etcdutl.process import Ended
from etcd_dr.errors import EtcdDrError, LocalStorageFull, SnapshotDamaged, ToolFailed
from etcd_dr.ports.etcd_programs import EtcdProgram
from etcd_dr.ports.restorer import RestoreOrder

_NO_ROOM = ("no space left on device", "disk quota exceeded", "file too large")
_NO_HASH = "snapshot missing hash"  # etcdutl: v3_snapshot.go, copyAndVerifyDB
_OTHER_HASH = "expected sha256"
# bbolt's complaints about a file: errors.go, and the panics of page.go, tx.go and freelist.go; a file that is shorter
# than its meta page says ends in a memory fault.
_BROKEN_FILE = (
    "invalid database",
    "checksum error",
    "file size too small",
    "assertion failed",
    "freepages",
    "unexpected fault address",
    "sigbus",
    "sigsegv",
    "go.etcd.io/bbolt.",
)
_TAIL_CHARACTERS = 2000


def explain(ended: Ended, *, order: RestoreOrder, tool: EtcdProgram, place: str) -> EtcdDrError:
    """Return the error for a run that failed; `place` is the directory that was written to."""
    said = ended.output.lower()
    if any(words in said for words in _NO_ROOM):
        return LocalStorageFull(
            "no room is left for the restored data directory",
            subject=place,
            next_step="Free some space: a restore needs the size of the database and 64 MB for its log.",
            context={"output": _tail(ended.output)},
        )
    problem = _problem(said, ended.status)
    if problem is not None:
        return SnapshotDamaged(
            f"{tool.name} {tool.version} refuses it: {problem}",
            subject=str(order.source),
            next_step=f"See what is wrong with it: etcd-dr snapshot status {order.source}",
            context={"output": _tail(ended.output)},
        )
    return ToolFailed(
        f"snapshot restore {_how(ended.status)}: {_last_line(ended.output)}",
        subject=f"{tool.path} ({tool.version})",
        next_step="Its own words are in the context; the snapshot was not touched.",
        context={"output": _tail(ended.output), "status": ended.status},
    )


def _problem(said: str, status: int) -> str | None:
    if _NO_HASH in said:
        return "it has no sha256 trailer, as a file that was copied from a data directory or cut off"
    if _OTHER_HASH in said:
        return "its sha256 trailer does not match its bytes"
    if any(words in said for words in _BROKEN_FILE) or status in (-signal.SIGBUS, -signal.SIGSEGV):
        return "its database cannot be read"
    return None


def _how(status: int) -> str:
    return f"was ended by signal {-status}" if status < 0 else f"ended with status {status}"


def _last_line(output: str) -> str:
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    return lines[-1][:300] if lines else "it said nothing"


def _tail(output: str) -> str:
    return output[-_TAIL_CHARACTERS:]
