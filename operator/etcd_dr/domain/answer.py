"""An answer that may have failed, or was never asked for: how an observation carries bad news as a value.

A health round must go on when a member is dead, so nothing in it is raised: every question put to a member becomes an
`Answer`, and a rule that reads one says what it does with each of the three cases.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from etcd_dr.errors import EtcdDrError

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a question has no answer. `code` is the error's stable code (errors.py), `etcd.timeout` for silence."""

    code: str
    message: str
    next_step: str = ""

    @classmethod
    def of(cls, error: EtcdDrError) -> Failure:
        """Return the error as a value; its context stays behind."""
        return cls(error.code, error.message, error.next_step)

    def __str__(self) -> str:
        return f"{self.code}: {self.message}"


@dataclass(frozen=True, slots=True)
class Answer(Generic[T]):
    """A value, or a failure, or neither: then the question was not asked. `seconds` is how long it took."""

    value: T | None = None
    failure: Failure | None = None
    seconds: float | None = None

    @classmethod
    def failed(cls, failure: Failure, *, seconds: float | None = None) -> Answer[T]:
        return cls(failure=failure, seconds=seconds)

    @property
    def is_known(self) -> bool:
        return self.value is not None

    @property
    def was_asked(self) -> bool:
        return self.value is not None or self.failure is not None

    @property
    def failure_code(self) -> str:
        """The failure's code, or an empty text."""
        return self.failure.code if self.failure else ""


NOT_ASKED: Answer[Any] = Answer()
