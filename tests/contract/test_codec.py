"""The contract of `ports/codec.py`, over the fake and over zstd with age."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pyrage
import pytest

from etcd_dr.adapters.codec import EnvelopeDecoder, EnvelopeEncoder, parse_recipients, read_identity_files
from etcd_dr.domain.manifest import StageFacts
from etcd_dr.errors import DecryptionFailed, IdentityMissing, SnapshotDamaged, UnsupportedFormat
from etcd_dr.ports.codec import Decoder, Encoder
from fakes.codec import FakeDecoder, FakeEncoder

SUBJECT = "v1/prod/snapshots/20260820T030000Z-9f2c41d07b6a/data"
PLAIN = random.Random(7).randbytes(300_000) + bytes(500_000) + b"the last bytes"


@dataclass(frozen=True)
class Codecs:
    """Makers of coders; `recipients` and `identities` are names of people."""

    encoder: Callable[..., Encoder]
    decoder: Callable[..., Decoder]
    recipient_text: Callable[[str], str]


def _fake_codecs() -> Codecs:
    def encoder(*, compress: bool = True, recipients: tuple[str, ...] = ()) -> Encoder:
        return FakeEncoder(compress=compress, recipients=recipients)

    return Codecs(encoder, lambda *identities: FakeDecoder(identities), lambda name: name)


def _real_codecs(folder: Path) -> Codecs:
    people = {name: pyrage.x25519.Identity.generate() for name in ("alice", "bob", "carol")}
    for name, identity in people.items():
        (folder / name).write_text(f"# {name}\n{identity}\n")

    def text(name: str) -> str:
        return str(people[name].to_public())

    def encoder(*, compress: bool = True, recipients: tuple[str, ...] = ()) -> Encoder:
        return EnvelopeEncoder(
            zstd_level=1 if compress else None, recipients=parse_recipients(text(name) for name in recipients)
        )

    def decoder(*identities: str) -> Decoder:
        return EnvelopeDecoder(read_identity_files([folder / name for name in identities]))

    return Codecs(encoder, decoder, text)


@pytest.fixture(params=["fake", "zstd-age"])
def codecs(request: pytest.FixtureRequest, tmp_path: Path) -> Codecs:
    return _fake_codecs() if request.param == "fake" else _real_codecs(tmp_path)


def chunked(body: bytes, size: int = 32_768) -> Iterator[bytes]:
    return (body[start : start + size] for start in range(0, len(body), size))


def encoded(encoder: Encoder, plain: bytes = PLAIN) -> bytes:
    out = bytearray()
    encoder.encode(chunked(plain), out.extend)
    return bytes(out)


def decoded(decoder: Decoder, body: bytes, stages: tuple[StageFacts, ...], *, limit_bytes: int = len(PLAIN)) -> bytes:
    out = bytearray()
    decoder.decode(chunked(body, 4_999), out.extend, stages=stages, subject=SUBJECT, limit_bytes=limit_bytes)
    return bytes(out)


ENVELOPES = [
    pytest.param({"compress": True, "recipients": ("alice", "bob")}, id="zstd-and-age"),
    pytest.param({"compress": True}, id="zstd"),
    pytest.param({"compress": False, "recipients": ("alice",)}, id="age"),
    pytest.param({"compress": False}, id="plain"),
]


@pytest.mark.parametrize("envelope", ENVELOPES)
@pytest.mark.parametrize("plain", [PLAIN, b"", b"x"], ids=["large", "empty", "one-byte"])
def test_what_was_encoded_is_decoded_to_the_same_bytes(
    codecs: Codecs, envelope: dict[str, object], plain: bytes
) -> None:
    """Every envelope gives back exactly what went in, the empty file included."""
    encoder = codecs.encoder(**envelope)

    body = encoded(encoder, plain)

    assert decoded(codecs.decoder("alice"), body, encoder.stages) == plain


@pytest.mark.parametrize("person", ["alice", "bob"])
def test_each_recipient_can_open_alone(codecs: Codecs, person: str) -> None:
    """What is encrypted to several people opens with the identity of any one of them."""
    encoder = codecs.encoder(recipients=("alice", "bob"))

    body = encoded(encoder)

    assert decoded(codecs.decoder(person), body, encoder.stages) == PLAIN


def test_one_fitting_identity_among_others_is_found(codecs: Codecs) -> None:
    """All identities at hand are tried."""
    encoder = codecs.encoder(recipients=("bob",))

    body = encoded(encoder)

    assert decoded(codecs.decoder("carol", "alice", "bob"), body, encoder.stages) == PLAIN


def test_stages_name_what_was_done_in_order_and_no_secret(codecs: Codecs) -> None:
    """The manifest learns: zstd with its level, then age with its public recipients."""
    stages = codecs.encoder(recipients=("alice", "bob")).stages

    assert [stage.name for stage in stages] == ["zstd", "age"]
    assert stages[0].parameters == {"level": 1}
    assert stages[1].parameters == {"recipients": (codecs.recipient_text("alice"), codecs.recipient_text("bob"))}


def test_one_coder_serves_many_calls(codecs: Codecs) -> None:
    """Nothing of one call is left over for the next."""
    encoder = codecs.encoder(recipients=("alice",))
    decoder = codecs.decoder("alice")

    bodies = [encoded(encoder, text) for text in (b"first", b"second")]

    assert [decoded(decoder, body, encoder.stages) for body in bodies] == [b"first", b"second"]


def test_a_decoder_knows_whether_it_can_open_anything(codecs: Codecs) -> None:
    """The operator has recipients only, and can ask."""
    assert not codecs.decoder().has_identities
    assert codecs.decoder("alice").has_identities


def test_without_an_identity_nothing_is_read(codecs: Codecs) -> None:
    """A missing identity is said before the object is fetched."""
    encoder = codecs.encoder(recipients=("alice",))
    reads = iter([b"must not be read"])

    with pytest.raises(IdentityMissing) as caught:
        codecs.decoder().decode(reads, bytearray().extend, stages=encoder.stages, subject=SUBJECT, limit_bytes=10)

    assert caught.value.subject == SUBJECT
    assert list(reads) == [b"must not be read"]


def test_a_wrong_identity_is_told_who_could_open(codecs: Codecs) -> None:
    """The error names the recipients that the object is encrypted to."""
    encoder = codecs.encoder(recipients=("alice", "bob"))
    body = encoded(encoder)

    with pytest.raises(DecryptionFailed) as caught:
        decoded(codecs.decoder("carol"), body, encoder.stages)

    assert codecs.recipient_text("alice") in str(caught.value)
    assert codecs.recipient_text("bob") in str(caught.value)


@pytest.mark.parametrize("envelope", ENVELOPES[:3])
@pytest.mark.parametrize("cut", [1, 17, 5_000, 250_000], ids=lambda cut: f"{cut}-bytes-short")
def test_a_cut_envelope_is_damaged(codecs: Codecs, envelope: dict[str, object], cut: int) -> None:
    """A stored object that lost its end is never taken for a shorter snapshot."""
    encoder = codecs.encoder(**envelope)
    body = encoded(encoder)

    with pytest.raises(SnapshotDamaged) as caught:
        decoded(codecs.decoder("alice"), body[:-cut], encoder.stages)

    assert caught.value.subject == SUBJECT


@pytest.mark.parametrize("envelope", ENVELOPES[:3])
def test_nothing_at_all_is_damaged(codecs: Codecs, envelope: dict[str, object]) -> None:
    """An empty object is not the envelope of an empty file."""
    encoder = codecs.encoder(**envelope)

    with pytest.raises(SnapshotDamaged):
        decoded(codecs.decoder("alice"), b"", encoder.stages)


@pytest.mark.parametrize("envelope", ENVELOPES[:3])
@pytest.mark.parametrize("garbage", [b"x", b"more bytes" * 10_000], ids=["one-byte", "many-bytes"])
def test_bytes_behind_the_envelope_are_damage(codecs: Codecs, envelope: dict[str, object], garbage: bytes) -> None:
    """Whatever follows the end was not written by us."""
    encoder = codecs.encoder(**envelope)
    body = encoded(encoder)

    with pytest.raises(SnapshotDamaged):
        decoded(codecs.decoder("alice"), body + garbage, encoder.stages)


@pytest.mark.parametrize("envelope", ENVELOPES)
def test_no_more_than_the_limit_is_written(codecs: Codecs, envelope: dict[str, object]) -> None:
    """A manifest's size bounds what an object may unpack to."""
    encoder = codecs.encoder(**envelope)
    body = encoded(encoder)
    out = bytearray()

    with pytest.raises(SnapshotDamaged):
        codecs.decoder("alice").decode(
            chunked(body), out.extend, stages=encoder.stages, subject=SUBJECT, limit_bytes=len(PLAIN) - 1
        )

    assert len(out) < len(PLAIN)


def test_an_unknown_stage_is_refused_by_name(codecs: Codecs) -> None:
    """A stage of a newer version is not guessed at."""
    stages = (StageFacts(name="brotli-9000"),)

    with pytest.raises(UnsupportedFormat):
        decoded(codecs.decoder("alice"), b"anything", stages)


FAILURES = [
    pytest.param(RuntimeError("the store is gone"), id="error"),
    pytest.param(OSError(28, "No space left on device"), id="os-error"),
    pytest.param(KeyboardInterrupt(), id="interrupt"),
    pytest.param(SystemExit(3), id="exit"),
]


@pytest.mark.parametrize("failure", FAILURES)
@pytest.mark.parametrize("envelope", ENVELOPES)
def test_what_the_source_raises_passes_through_encoding(
    codecs: Codecs, envelope: dict[str, object], failure: BaseException
) -> None:
    """A stream that breaks is reported as what it is: the same object, not a copy of its text."""

    def breaking() -> Iterator[bytes]:
        yield PLAIN
        raise failure

    with pytest.raises(type(failure)) as caught:
        codecs.encoder(**envelope).encode(breaking(), bytearray().extend)

    assert caught.value is failure


@pytest.mark.parametrize("failure", FAILURES)
@pytest.mark.parametrize("envelope", ENVELOPES)
@pytest.mark.parametrize("plain", [PLAIN, b"so small that one write holds everything"], ids=["large", "small"])
def test_what_the_target_raises_passes_through_encoding(
    codecs: Codecs, envelope: dict[str, object], failure: BaseException, plain: bytes
) -> None:
    """A full disk is never taken for a finished upload, not even in the very last write."""

    def refuse(data: bytes) -> None:
        raise failure

    with pytest.raises(type(failure)) as caught:
        codecs.encoder(**envelope).encode(chunked(plain), refuse)

    assert caught.value is failure


@pytest.mark.parametrize("failure", FAILURES)
@pytest.mark.parametrize("envelope", ENVELOPES)
@pytest.mark.parametrize("after_chunks", [0, 3])
def test_what_the_source_raises_passes_through_decoding(
    codecs: Codecs, envelope: dict[str, object], failure: BaseException, after_chunks: int
) -> None:
    """A broken download is not damage."""
    encoder = codecs.encoder(**envelope)
    body = encoded(encoder)

    def breaking() -> Iterator[bytes]:
        for number, chunk in enumerate(chunked(body)):
            if number == after_chunks:
                raise failure
            yield chunk

    with pytest.raises(type(failure)) as caught:
        codecs.decoder("alice").decode(
            breaking(), bytearray().extend, stages=encoder.stages, subject=SUBJECT, limit_bytes=len(PLAIN)
        )

    assert caught.value is failure


@pytest.mark.parametrize("failure", FAILURES)
@pytest.mark.parametrize("envelope", ENVELOPES)
@pytest.mark.parametrize("plain", [PLAIN, b"so small that one write holds everything"], ids=["large", "small"])
def test_what_the_target_raises_passes_through_decoding(
    codecs: Codecs, envelope: dict[str, object], failure: BaseException, plain: bytes
) -> None:
    """A full scratch disk is not damage either."""
    encoder = codecs.encoder(**envelope)
    body = encoded(encoder, plain)

    def refuse(data: bytes) -> None:
        raise failure

    with pytest.raises(type(failure)) as caught:
        codecs.decoder("alice").decode(
            chunked(body), refuse, stages=encoder.stages, subject=SUBJECT, limit_bytes=len(PLAIN)
        )

    assert caught.value is failure
