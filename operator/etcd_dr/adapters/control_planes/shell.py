"""What runs a script on a node, and how its answer becomes one of our errors.

- A script is one of this package's own texts; everything that varies is an argument, and arguments are never parsed.
- Exit status 0 is success; statuses from 10 to 39 are a script's own answers, given to the caller; everything else is
  a failure, and the end of standard error says which.
"""

from __future__ import annotations

import re
from typing import Protocol

from etcd_dr.adapters.control_planes.call import Called, Feed, Write
from etcd_dr.errors import NodeDenied, NodeError, NodeFault

_ANSWERS = range(10, 40)
_NO_ROOM = re.compile(r"no space left on device|disk quota exceeded", re.IGNORECASE)
_NO_RIGHT = re.compile(r"permission denied|operation not permitted|access denied", re.IGNORECASE)


class Shell(Protocol):
    """One node's shell. `node` names the node in errors; `is_here` says that its files are this machine's."""

    @property
    def node(self) -> str: ...

    @property
    def place(self) -> str: ...

    @property
    def is_here(self) -> bool: ...

    def run(
        self,
        script: str,
        *arguments: str,
        deadline: float,
        feed: Feed | None = None,
        write: Write | None = None,
    ) -> Called:
        """Run the script with root's rights and return how it ended: status 0, or one of a script's own answers.

        Raises NodeUnreachable, NodeDenied, NodeFault, Cancelled; `deadline` is in seconds.
        """
        ...

    def close(self) -> None: ...


def checked(called: Called, *, node: str, doing: str) -> Called:
    """Return what a script answered, or raise what its failure means."""
    if called.status == 0 or called.status in _ANSWERS:
        return called
    raise fault(called.complaint, node=node, doing=doing, status=called.status)


def fault(complaint: str, *, node: str, doing: str, status: int | None = None) -> NodeError:
    """Return the error for what a node said; the last line that it said is the message."""
    said = [line for line in complaint.splitlines() if line.strip()]
    reason = said[-1].strip() if said else f"exit status {status}"
    context: dict[str, str | int | float | bool | None] = {"said": "\n".join(said[-10:]), "status": status}
    if _NO_ROOM.search(complaint):
        return NodeFault(
            f"{doing}: no space left on the node ({reason})",
            subject=node,
            next_step="Make room on that file system of the node (df shows which), then run the same command again.",
            context={**context, "reason": "disk-full"},
        )
    if _NO_RIGHT.search(complaint):
        return NodeDenied(
            f"{doing}: {reason}",
            subject=node,
            next_step="Log in as root, or let sudo be used without a password (control_plane.ssh.sudo).",
            context=context,
        )
    return NodeFault(
        f"{doing}: {reason}",
        subject=node,
        next_step="What the node said is in the context. Nothing was deleted; run the same command again when it is "
        "cured.",
        context=context,
    )
