"""TLS files as they come: each defect is named with its file, before gRPC could only say "rejected"."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization

from etcd_dr.adapters.etcd.access import EtcdAccess
from etcd_dr.adapters.etcd.material import read_password, read_tls_material
from etcd_dr.adapters.local_cluster.pki import LocalAuthority, TlsFiles
from etcd_dr.errors import ConfigError

NOW = datetime(2026, 8, 20, 3, 0, tzinfo=UTC)


@pytest.fixture
def authority(tmp_path: Path) -> LocalAuthority:
    return LocalAuthority(tmp_path / "pki", valid_from=NOW - timedelta(days=1), valid_until=NOW + timedelta(days=1))


@pytest.fixture
def files(authority: LocalAuthority) -> TlsFiles:
    return authority.issue("client", serves=False)


def access(ca: Path | None = None, cert: Path | None = None, key: Path | None = None) -> EtcdAccess:
    return EtcdAccess(("https://10.0.0.1:2379",), ca_file=ca, cert_file=cert, key_file=key)


def complaint(access: EtcdAccess) -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        read_tls_material(access)
    return caught.value


def test_sound_files_are_read(files: TlsFiles) -> None:
    """What gRPC needs, and the facts that explain a refusal later."""
    material = read_tls_material(access(files.ca, files.certificate, files.key))

    assert material.ca_pem == files.ca.read_bytes()
    assert material.identity is not None
    assert material.identity.common_name == "client"
    assert material.identity.valid_until == NOW + timedelta(days=1)


def test_key_stays_out_of_representations(files: TlsFiles) -> None:
    """A value that is logged by accident does not give the key away."""
    material = read_tls_material(access(files.ca, files.certificate, files.key))

    assert "PRIVATE KEY" not in repr(material)


def test_no_files_is_no_error() -> None:
    """This machine's own authorities and no client certificate: unusual, and allowed."""
    material = read_tls_material(access())

    assert (material.ca_file, material.identity) == (None, None)


def test_without_a_ca_file_this_machines_authorities_are_trusted(
    authority: LocalAuthority, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As etcdctl does it, and not the list that gRPC brings along; SSL_CERT_FILE counts for both."""
    ours = authority.issue("any").ca
    monkeypatch.setenv("SSL_CERT_FILE", str(ours))

    assert read_tls_material(access()).ca_pem == ours.read_bytes()


def test_expired_certificate_is_still_read(authority: LocalAuthority) -> None:
    """The member's clock decides; the date is kept so that its refusal can be explained."""
    old = authority.issue("old", valid_from=NOW - timedelta(days=9), valid_until=NOW - timedelta(days=8))

    material = read_tls_material(access(old.ca, old.certificate, old.key))

    assert material.identity is not None
    assert material.identity.valid_until == NOW - timedelta(days=8)


@pytest.mark.parametrize("which", ["ca", "certificate", "key"])
@pytest.mark.parametrize("spoil", [Path.unlink, lambda path: path.write_text("nothing of the kind\n")])
def test_missing_or_foreign_file_is_named(files: TlsFiles, which: str, spoil: Callable[[Path], object]) -> None:
    """Each of the three files, absent or not PEM, is the subject of the error."""
    spoil(getattr(files, which))

    error = complaint(access(files.ca, files.certificate, files.key))

    assert error.subject == str(getattr(files, which))


def test_key_of_another_certificate_is_told(files: TlsFiles, authority: LocalAuthority) -> None:
    """A pair that does not belong together says so, with the commands that show it."""
    other = authority.issue("other", serves=False)

    error = complaint(access(files.ca, files.certificate, other.key))

    assert error.subject == str(other.key)
    assert "openssl" in error.next_step


def test_key_given_as_certificate_is_told(files: TlsFiles) -> None:
    """Swapped --cert and --key are recognised."""
    error = complaint(access(files.ca, files.key, files.certificate))

    assert "private key" in error.message


def test_encrypted_key_is_told(files: TlsFiles) -> None:
    """A passphrase cannot be asked for by an operator."""
    key = serialization.load_pem_private_key(files.key.read_bytes(), password=None)
    files.key.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"secret"),
        )
    )

    assert "passphrase" in complaint(access(files.ca, files.certificate, files.key)).message


@pytest.mark.parametrize("missing", ["cert", "key"])
def test_certificate_and_key_go_together(files: TlsFiles, missing: str) -> None:
    """One without the other is a mistake, not a connection without a client certificate."""
    given = {"cert": files.certificate, "key": files.key}
    del given[missing]

    complaint(access(files.ca, **given))


@pytest.mark.parametrize("content", ["sesame", "sesame\n", "sesame\r\n"])
def test_password_ends_before_the_line_does(tmp_path: Path, content: str) -> None:
    """Editors end files with a new line; passwords do not hold one."""
    (tmp_path / "password").write_bytes(content.encode())

    assert read_password(tmp_path / "password") == "sesame"


@pytest.mark.parametrize("content", [b"", b"\n", b"\xff\xfe"])
def test_password_file_without_a_password_is_told(tmp_path: Path, content: bytes) -> None:
    """Empty and binary files are configuration errors."""
    (tmp_path / "password").write_bytes(content)

    with pytest.raises(ConfigError):
        read_password(tmp_path / "password")
