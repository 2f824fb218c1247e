"""A store as one word: directories and buckets, and nothing that leaks a secret."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from etcd_dr.config.store_url import parse_store_url


@pytest.mark.parametrize(
    ("text", "path"),
    [("/backups", "/backups"), ("file:///backups/etcd", "/backups/etcd"), ("file:///with%20space", "/with space")],
)
def test_directories_are_named_by_path_or_url(text: str, path: str) -> None:
    """Both spellings mean the same."""
    section = parse_store_url(text)

    assert section.directory is not None
    assert section.directory.path == Path(path)


def test_relative_directory_is_taken_from_here() -> None:
    """What is written relative stays right when the process changes its directory."""
    section = parse_store_url("./backups")

    assert section.directory is not None
    assert section.directory.path == Path.cwd() / "backups"


def test_bucket_url_carries_prefix_and_public_settings() -> None:
    """The query takes the configuration's own field names."""
    section = parse_store_url(
        "s3://backups/etcd/prod/?endpoint=https://s3.example:9000&region=eu-1&path_style=true&ca_file=/pki/ca.crt"
    )

    assert section.prefix == "etcd/prod"
    assert section.s3 is not None
    assert (section.s3.bucket, section.s3.endpoint, section.s3.region) == ("backups", "https://s3.example:9000", "eu-1")
    assert section.s3.path_style is True
    assert section.s3.ca_file == Path("/pki/ca.crt")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "http://example.com/bucket",
        "s3://",
        "s3:///prefix",
        "s3://AB",
        "s3://backups#fragment",
        "s3://key:secret@backups",
        "s3://backups?secret_key=hunter2",
        "s3://backups?endpoint",
        "s3://backups?endpoint=nonsense",
        "s3://backups/a/../b",
        "s3://[",
        "file://host/backups",
        "file:backups?x=1://",
        "file:///backups?x=1",
        "gs://backups",
        "/back\0ups",
        "~nobody-of-this-name/backups",
    ],
)
def test_nonsense_is_refused_with_a_reason(text: str) -> None:
    """Every refusal is a ValueError with a sentence, and repeats no secret."""
    with pytest.raises(ValueError, match=r"\w+") as raised:
        parse_store_url(text)

    assert "hunter2" not in str(raised.value)
    assert "secret@" not in str(raised.value)


@given(st.text(max_size=60))
def test_any_text_is_a_store_or_a_value_error(text: str) -> None:
    """Nothing that somebody types ends in another exception."""
    with contextlib.suppress(ValueError):
        parse_store_url(text)
