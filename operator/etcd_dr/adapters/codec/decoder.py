"""The decoding half of the envelope: whatever the stages say, undone in reverse order, in one pass."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from etcd_dr.adapters.codec import age
from etcd_dr.adapters.codec.keys import AgeIdentity
from etcd_dr.adapters.codec.unpackers import UNPACKERS, Unpacker
from etcd_dr.domain.manifest import StageFacts
from etcd_dr.errors import IdentityMissing, SnapshotDamaged, UnsupportedFormat
from etcd_dr.ports.codec import Write

_PIECE_BYTES = 1 << 20


class EnvelopeDecoder:
    """Opens what `EnvelopeEncoder` made, and single layers of what other tools made."""

    def __init__(self, identities: Iterable[AgeIdentity] = ()) -> None:
        self._identities = tuple(identities)

    @property
    def has_identities(self) -> bool:
        return bool(self._identities)

    def decode(
        self,
        chunks: Iterator[bytes],
        write: Write,
        *,
        stages: tuple[StageFacts, ...],
        subject: str,
        limit_bytes: int,
    ) -> None:
        """See the port."""
        outside, encryption, inside = _split(stages, subject=subject)
        if encryption is not None and not self._identities:
            raise _identity_missing(subject, encryption)
        sink = _Sink(write, limit_bytes=limit_bytes, subject=subject)
        unpackers = [UNPACKERS[stage.name](subject) for stage in inside]
        for stage in outside:
            chunks = _unpacked(chunks, UNPACKERS[stage.name](subject))
        feed = _chain(unpackers, sink.feed)
        if encryption is None:
            for chunk in chunks:
                feed(chunk)
        else:
            age.decrypt(
                chunks,
                feed,
                identities=self._identities,
                encrypted_to=_recipients(encryption),
                subject=subject,
            )
        for unpacker in unpackers:
            unpacker.finish()
        sink.finish()


class _Sink:
    """The end of the pipe: gathers small pieces and refuses to pass on more than the limit."""

    def __init__(self, write: Write, *, limit_bytes: int, subject: str) -> None:
        self._write = write
        self._limit_bytes = limit_bytes
        self._subject = subject
        self._seen_bytes = 0
        self._pending = bytearray()

    def feed(self, data: bytes) -> None:
        self._seen_bytes += len(data)
        if self._seen_bytes > self._limit_bytes:
            raise SnapshotDamaged(
                f"unpacks to more than the {self._limit_bytes} bytes that it may have",
                subject=self._subject,
                next_step="If it came from outside, do not trust it. Otherwise use another: etcd-dr snapshot list",
                context={"limit_bytes": self._limit_bytes},
            )
        self._pending += data
        if len(self._pending) >= _PIECE_BYTES:
            self.finish()

    def finish(self) -> None:
        if self._pending:
            piece, self._pending = bytes(self._pending), bytearray()
            self._write(piece)


def _split(
    stages: tuple[StageFacts, ...], *, subject: str
) -> tuple[tuple[StageFacts, ...], StageFacts | None, tuple[StageFacts, ...]]:
    """Return the stages around encryption in the order in which they are undone: outside, age, inside."""
    undone = tuple(reversed(stages))
    for stage in undone:
        if stage.name != "age" and stage.name not in UNPACKERS:
            raise UnsupportedFormat(
                f"went through a stage named {stage.name[:40]!r}, which this version cannot undo",
                subject=subject,
                next_step="A newer etcd-dr wrote it. Use one at least as new; this is: etcd-dr version",
            )
    places = [place for place, stage in enumerate(undone) if stage.name == "age"]
    if len(places) > 1:
        raise UnsupportedFormat(
            "is encrypted more than once",
            subject=subject,
            next_step="Open the outer envelopes by hand: age --decrypt --identity FILE --output FILE ENCRYPTED-FILE",
        )
    if not places:
        return (), None, undone
    return undone[: places[0]], undone[places[0]], undone[places[0] + 1 :]


def _unpacked(chunks: Iterator[bytes], unpacker: Unpacker) -> Iterator[bytes]:
    for chunk in chunks:
        yield from unpacker.feed(chunk)
    unpacker.finish()


def _chain(unpackers: list[Unpacker], last: Callable[[bytes], None]) -> Callable[[bytes], None]:
    for unpacker in reversed(unpackers):
        last = _then(unpacker, last)
    return last


def _then(unpacker: Unpacker, following: Callable[[bytes], None]) -> Callable[[bytes], None]:
    def feed(data: bytes) -> None:
        for piece in unpacker.feed(data):
            following(piece)

    return feed


def _recipients(encryption: StageFacts) -> tuple[str, ...]:
    recipients = encryption.parameters.get("recipients", ())
    return recipients if isinstance(recipients, tuple) else (str(recipients),)


def _identity_missing(subject: str, encryption: StageFacts) -> IdentityMissing:
    target = ", ".join(_recipients(encryption)) or "recipients that are not recorded"
    return IdentityMissing(
        f"is encrypted to {target}, and no identity is configured",
        subject=subject,
        next_step="Name the identity file of one of these recipients: --identity FILE, or encryption.identity_files.",
        context={"encrypted_to": target},
    )
