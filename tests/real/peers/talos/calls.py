"""What a call to the machine API carries, and how it is refused.

`Refusal` is a gRPC status with Talos' own words. An error without a status of its own is Unknown in Go's gRPC, and so
it is here: `unknown("…")`.
"""

from __future__ import annotations

from dataclasses import dataclass

from grpclib.const import Status


class Refusal(Exception):
    """A call ends with this status and these words."""

    def __init__(self, status: Status, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


def unknown(message: str) -> Refusal:
    """Return the refusal that an error without a gRPC status becomes."""
    return Refusal(Status.UNKNOWN, message)


NOT_AUTHORIZED = "not authorized"


@dataclass(frozen=True, slots=True)
class Call:
    """Who calls what: the name of the method, and the roles from the caller's certificate."""

    method: str
    roles: frozenset[str]
