"""Recipients and identities as people keep them, and errors that never quote a secret."""

from __future__ import annotations

import traceback
from pathlib import Path

import pyrage
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa

from etcd_dr.adapters.codec import parse_recipients, read_identity_files, read_recipients_files
from etcd_dr.errors import EtcdDrError, FileUnreadable, RecipientInvalid


def ssh_pair(key: ed25519.Ed25519PrivateKey | rsa.RSAPrivateKey) -> tuple[str, str]:
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, serialization.NoEncryption()
    )
    public = key.public_key().public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)
    return private.decode(), public.decode()


def everything_said(error: EtcdDrError) -> str:
    """All that a user could get to see: message, next step, context and the whole chain."""
    chain = "".join(traceback.format_exception(error))
    return f"{error} {error.next_step} {dict(error.context)} {chain}"


def test_each_recipient_counts_once_and_keeps_its_place() -> None:
    """A recipient that is listed twice is encrypted to once."""
    first, second = (str(pyrage.x25519.Identity.generate().to_public()) for _ in range(2))

    recipients = parse_recipients([first, f"  {second} ", first])

    assert [recipient.text for recipient in recipients] == [first, second]


@pytest.mark.parametrize(
    "key",
    [ed25519.Ed25519PrivateKey.generate(), rsa.generate_private_key(65537, 2048)],
    ids=["ed25519", "rsa"],
)
def test_ssh_keys_serve_as_recipient_and_identity(tmp_path: Path, key: ed25519.Ed25519PrivateKey) -> None:
    """An SSH key that people have already is enough; its comment is dropped."""
    private, public = ssh_pair(key)
    (tmp_path / "id").write_text(private)

    (recipient,) = parse_recipients([f"{public} admin@example"])
    (identity,) = read_identity_files([tmp_path / "id"])

    body = pyrage.encrypt(b"plain", [recipient.handle])
    assert pyrage.decrypt(body, [identity.handle]) == b"plain"
    assert recipient.text == public
    assert identity.recipient == f"the SSH key {tmp_path / 'id'}"


def test_an_identity_file_may_hold_several_with_comments(tmp_path: Path) -> None:
    """The file that age-keygen writes is read, and several of them put together."""
    people = [pyrage.x25519.Identity.generate() for _ in range(2)]
    file = tmp_path / "keys.txt"
    file.write_text(f"# created: 2026-08-20\n# public key: age1\n{people[0]}\n\n  \n# next\n{people[1]}\n")

    identities = read_identity_files([file])

    assert [identity.recipient for identity in identities] == [str(person.to_public()) for person in people]


def test_a_recipients_file_holds_one_a_line(tmp_path: Path) -> None:
    """The file that `age --recipients-file` takes is read."""
    people = [str(pyrage.x25519.Identity.generate().to_public()) for _ in range(2)]
    file = tmp_path / "recipients.txt"
    file.write_text("# the on-call team\n" + "\n".join(people) + "\n")

    recipients = read_recipients_files([file])

    assert [recipient.text for recipient in recipients] == people


def test_the_library_object_never_shows_in_a_repr(tmp_path: Path) -> None:
    """Neither side shows more than its public half."""
    person = pyrage.x25519.Identity.generate()
    (tmp_path / "id").write_text(str(person))

    (identity,) = read_identity_files([tmp_path / "id"])

    assert repr(identity) == f"AgeIdentity(recipient='{person.to_public()}')"


def test_a_secret_in_place_of_a_recipient_is_not_repeated() -> None:
    """Whoever pastes the secret half into the configuration is told so without seeing it in a log."""
    secret = str(pyrage.x25519.Identity.generate())

    with pytest.raises(RecipientInvalid) as caught:
        parse_recipients(["", secret][1:], origin="encryption.recipients")

    assert caught.value.subject == "encryption.recipients, entry 1"
    assert secret not in everything_said(caught.value)
    assert secret[20:40] not in everything_said(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "age1",
        "age1qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqq",
        "age1yubikey1qwt50d05nh5vutpdzmlg5wn80xq5negm4uj9ghv0snvdd3yysf5yw3rhl3t",
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIPu",
        "ssh-rsa AAAA",
        "ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTY=",
        "hunter2",
        "age1\0",
        "äöü",
    ],
)
def test_what_is_no_recipient_is_refused_by_its_place(text: str) -> None:
    """The error says which entry, and does not repeat it: it may be a password."""
    good = str(pyrage.x25519.Identity.generate().to_public())

    with pytest.raises(RecipientInvalid) as caught:
        parse_recipients([good, text], origin="encryption.recipients")

    assert caught.value.subject == "encryption.recipients, entry 2"
    assert len(text) < 5 or text not in everything_said(caught.value)


@pytest.mark.parametrize(
    ("body", "place"),
    [
        ("", ""),
        ("# only a comment\n", ""),
        ("# fine\nAGE-SECRET-KEY-1TOOSHORT-s3cr3t\n", ", line 2"),
        ("correct horse battery staple s3cr3t\n", ", line 1"),
        ("AGE-PLUGIN-YUBIKEY-1QYPS3CR3T s3cr3t\n", ", line 1"),
        ("-----BEGIN OPENSSH PRIVATE KEY-----\ns3cr3t\n-----END OPENSSH PRIVATE KEY-----\n", ""),
        ("age-encryption.org/v1\n-> scrypt s3cr3t 18\n", ""),
        ("s3cr3t" + "x" * (1 << 20), ""),
        ("\0s3cr3t\xff", ", line 1"),
    ],
    ids=["empty", "comment", "short", "words", "plugin", "ssh", "encrypted", "huge", "binary"],
)
def test_what_is_no_identity_file_is_refused_without_its_content(tmp_path: Path, body: str, place: str) -> None:
    """The error names the file and the line, and never what stands there."""
    file = tmp_path / "keys.txt"
    file.write_text(body)

    with pytest.raises(RecipientInvalid) as caught:
        read_identity_files([file])

    assert caught.value.subject == f"{file}{place}"
    assert "s3cr3t" not in everything_said(caught.value)


def test_an_ssh_key_with_a_passphrase_is_refused(tmp_path: Path) -> None:
    """Nobody is there to type a passphrase; the error says what serves."""
    private = rsa.generate_private_key(65537, 2048).private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.TraditionalOpenSSL,
        serialization.BestAvailableEncryption(b"hunter2"),
    )
    (tmp_path / "id").write_bytes(private)

    with pytest.raises(RecipientInvalid) as caught:
        read_identity_files([tmp_path / "id"])

    assert "without a passphrase" in str(caught.value)


def test_a_missing_file_is_unreadable(tmp_path: Path) -> None:
    """A path that leads nowhere is not an empty set of keys."""
    for read in (read_identity_files, read_recipients_files):
        with pytest.raises(FileUnreadable) as caught:
            read([tmp_path / "none"])
        assert caught.value.subject == str(tmp_path / "none")


def test_a_recipients_file_without_any_is_refused(tmp_path: Path) -> None:
    """Encrypting to nobody because a file is empty would store the database in clear."""
    (tmp_path / "recipients.txt").write_text("# nobody yet\n")

    with pytest.raises(RecipientInvalid):
        read_recipients_files([tmp_path / "recipients.txt"])
