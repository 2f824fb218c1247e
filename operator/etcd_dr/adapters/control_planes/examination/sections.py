"""Answers of a script, told apart by the mark that begins each one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Sections:
    """Named answers in the order in which they came; a name may come several times. The last may be cut off."""

    answers: tuple[tuple[str, str], ...]

    @classmethod
    def read(cls, output: bytes, *, mark: str) -> Sections:
        """Return the answers; what comes before the first mark is passed over, as a login shell's greeting is."""
        found: list[tuple[str, list[str]]] = []
        for line in output.decode(errors="replace").split("\n"):
            word, _, name = line.partition(" ")
            if word == mark:
                found.append((name, []))
            elif found:
                found[-1][1].append(line)
        return cls(tuple((name, "\n".join(lines)) for name, lines in found))

    def text(self, name: str) -> str | None:
        """Return the first answer of that name without the space around it; None where it was not given."""
        return next((text.strip() for known, text in self.answers if known == name), None)

    def all(self, name: str) -> tuple[str, ...]:
        return tuple(text.strip() for known, text in self.answers if known == name)

    def lines(self, name: str) -> tuple[str, ...]:
        return tuple(line for line in (self.text(name) or "").splitlines() if line.strip())

    def below(self, prefix: str) -> Iterator[tuple[str, str]]:
        """Yield the answers whose name begins with a prefix, without it."""
        for name, text in self.answers:
            if name.startswith(prefix):
                yield name.removeprefix(prefix), text

    def status(self, name: str) -> int | None:
        """Return how an asked command ended; None where it did not."""
        text = self.text(f"status:{name}") or ""
        return int(text) if text.isdigit() else None

    @property
    def last(self) -> str:
        """The name of the answer that came last."""
        return self.answers[-1][0].partition(":")[0] if self.answers else ""
