"""What only the real library shows: signals, passphrases, armor, damaged headers."""

from __future__ import annotations

import base64
import random
import signal
from collections.abc import Iterator

import pyrage
import pytest

from etcd_dr.adapters.codec import AgeIdentity, EnvelopeDecoder, EnvelopeEncoder, parse_recipients
from etcd_dr.domain.manifest import StageFacts
from etcd_dr.errors import DecryptionFailed, SnapshotDamaged, UnsupportedFormat

AGE = (StageFacts(name="age"),)
ALICE = pyrage.x25519.Identity.generate()
DECODER = EnvelopeDecoder([AgeIdentity("alice", ALICE)])
BLOCK = random.Random(11).randbytes(1 << 20)


def opened(body: bytes, decoder: EnvelopeDecoder = DECODER) -> bytes:
    out = bytearray()
    decoder.decode(iter([body]), out.extend, stages=AGE, subject="a file", limit_bytes=1 << 30)
    return bytes(out)


class Stopped(Exception):
    """What a handler of SIGTERM may raise."""


@pytest.fixture
def stop_soon() -> Iterator[None]:
    def handler(*_: object) -> None:
        raise Stopped

    previous = signal.signal(signal.SIGALRM, handler)
    yield
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, previous)


@pytest.mark.parametrize("attempt", range(20))
@pytest.mark.parametrize("zstd_level", [1, None], ids=["zstd-and-age", "age"])
def test_the_exception_of_a_signal_handler_comes_through(stop_soon: None, attempt: int, zstd_level: int | None) -> None:
    """A stop that arrives while the library computes ends the encoding as a stop, whenever it comes."""
    encoder = EnvelopeEncoder(zstd_level=zstd_level, recipients=parse_recipients([str(ALICE.to_public())]))

    def until_stopped() -> Iterator[bytes]:
        signal.setitimer(signal.ITIMER_REAL, 0.002 + attempt / 1_000)
        while True:
            yield BLOCK

    with pytest.raises(Stopped):
        encoder.encode(until_stopped(), len)


def test_armored_files_are_opened() -> None:
    """What `age --armor` wrote is recognised without being told."""
    body = pyrage.encrypt(BLOCK, [ALICE.to_public()], armored=True)

    assert opened(body) == BLOCK


@pytest.mark.parametrize("spoil", [lambda b: b[:-30], lambda b: b + b"xyz"], ids=["cut", "followed"])
def test_armored_files_must_end_where_they_end(spoil) -> None:
    """Armor is no way around the check of the end."""
    body = pyrage.encrypt(b"plain" * 1_000, [ALICE.to_public()], armored=True)

    with pytest.raises(SnapshotDamaged):
        opened(spoil(body))


# What `age --passphrase` writes at the start; making one takes seconds of key stretching.
PASSPHRASE = (
    b"age-encryption.org/v1\n-> scrypt PSoSJgQkIYgRmqfvZEzXoQ 18\n"
    b"AzDN5xHkSlBcfrY2BmJPFVwPZuWrFEbZYPfFjYkmnmY\n"
    b"--- F2MLzDm9zZl0J5CNPx5p5S4t6VNnMbgPLWi9RfPgJjE\n" + BLOCK[:64]
)


def _armored(body: bytes) -> bytes:
    return b"-----BEGIN AGE ENCRYPTED FILE-----\n%b-----END AGE ENCRYPTED FILE-----\n" % b"".join(
        base64.b64encode(body[start : start + 48]) + b"\n" for start in range(0, len(body), 48)
    )


@pytest.mark.parametrize("body", [PASSPHRASE, _armored(PASSPHRASE)], ids=["binary", "armored"])
def test_a_passphrase_is_named_as_the_reason(body: bytes) -> None:
    """No identity can open such a file, so asking for one would mislead."""
    with pytest.raises(UnsupportedFormat, match="passphrase"):
        opened(body)


def test_unknown_recipients_are_said_to_be_unknown() -> None:
    """A file without a manifest does not tell whose it is: X25519 recipients are anonymous."""
    body = pyrage.encrypt(b"plain", [pyrage.x25519.Identity.generate().to_public()])

    with pytest.raises(DecryptionFailed) as caught:
        opened(body)

    assert caught.value.context["identities_of"] == "alice"
    assert "not recorded" in str(caught.value)


def test_every_damaged_bit_is_found() -> None:
    """No flipped bit of the header, the nonce or the payload gives plain bytes."""
    body = pyrage.encrypt(bytes(70_000), [ALICE.to_public()])
    places = [*range(0, 400, 3), *range(400, len(body), 997), len(body) - 1]

    for place in places:
        spoiled = bytearray(body)
        spoiled[place] ^= 0x10
        with pytest.raises((SnapshotDamaged, DecryptionFailed, UnsupportedFormat)):
            opened(bytes(spoiled))


@pytest.mark.parametrize("body", [b"", b"x", b"hello, this is a text\n" * 9, b"age-encryption.org/v1\n", b"\0" * 9000])
def test_what_is_no_age_file_is_damaged(body: bytes) -> None:
    """The stage says age; anything else in its place is damage."""
    with pytest.raises(SnapshotDamaged):
        opened(body)
