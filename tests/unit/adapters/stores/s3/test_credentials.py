"""Credential files, read as people and tools write them; following changes is shown on a real server."""

from __future__ import annotations

from pathlib import Path

import pytest

from etcd_dr.adapters.stores.s3.credentials import FileCredentials
from etcd_dr.adapters.stores.settings import CredentialsFile, KeyFiles
from etcd_dr.errors import ConfigError


def keys_in(path: Path, *, profile: str = "default") -> tuple[str, str, str | None]:
    frozen = FileCredentials(CredentialsFile(path, profile)).get_frozen_credentials()
    return frozen.access_key, frozen.secret_key, frozen.token


def test_profile_is_chosen_and_the_token_comes_along(tmp_path: Path) -> None:
    """A section of the asked name, with temporary credentials."""
    file = tmp_path / "credentials"
    file.write_text(
        "[default]\naws_access_key_id=D\naws_secret_access_key=d\n\n"
        "[prod]\naws_access_key_id = P\naws_secret_access_key = p=/+%(x)s\naws_session_token = t\n"
    )

    assert keys_in(file, profile="prod") == ("P", "p=/+%(x)s", "t")
    assert keys_in(file) == ("D", "d", None)


def test_token_file_is_read_with_the_keys(tmp_path: Path) -> None:
    """Three files, three values, newlines ignored."""
    for name in ("a", "s", "t"):
        (tmp_path / name).write_text(f"{name}-value\n")

    frozen = FileCredentials(KeyFiles(tmp_path / "a", tmp_path / "s", tmp_path / "t")).get_frozen_credentials()

    assert tuple(frozen)[:3] == ("a-value", "s-value", "t-value")


def test_change_of_the_file_is_seen_and_half_a_file_is_not_taken(tmp_path: Path) -> None:
    """A file in the middle of being written keeps the keys of before; the whole one holds at once."""
    file = tmp_path / "credentials"
    file.write_text("aws_access_key_id=one\naws_secret_access_key=1\n")
    credentials = FileCredentials(CredentialsFile(file))

    file.write_text("aws_access_key_id=two\n")
    during = credentials.get_frozen_credentials().access_key
    file.write_text("aws_access_key_id=two\naws_secret_access_key=22\n")
    after = credentials.get_frozen_credentials()

    assert during == "one"
    assert (after.access_key, after.secret_key) == ("two", "22")


@pytest.mark.parametrize("text", ["", "two words", "two\nlines\n"])
def test_value_file_holds_exactly_one_value(tmp_path: Path, text: str) -> None:
    """Anything else is a mistake of whoever made the Secret, named with its file and never shown."""
    (tmp_path / "a").write_text(text)
    (tmp_path / "s").write_text("secret")

    with pytest.raises(ConfigError) as raised:
        FileCredentials(KeyFiles(tmp_path / "a", tmp_path / "s"))

    assert raised.value.subject == str(tmp_path / "a")
    assert "two" not in str(raised.value) + raised.value.next_step


def test_secrets_are_in_no_error(tmp_path: Path) -> None:
    """A file that is half right does not leak its right half."""
    file = tmp_path / "credentials"
    file.write_text("aws_secret_access_key=hunter2\nthis is no assignment\n")

    with pytest.raises(ConfigError) as raised:
        keys_in(file)

    assert "hunter2" not in f"{raised.value} {raised.value.next_step} {dict(raised.value.context)}"
