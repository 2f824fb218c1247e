"""The command against a real S3 server: a bucket as one word, and what is wrong with it."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from fakes.etcd_database import EtcdDatabase
from real.peers.s3_server import ADMIN, S3Credentials
from real.peers.weed import READER, WeedS3
from scenarios.command_line import CommandLine, Done


class Bucket:
    """A command line with files of keys for one identity."""

    def __init__(self, server: WeedS3, directory: Path) -> None:
        self.cli = CommandLine(directory)
        self._server = server
        database = EtcdDatabase.of_keys(200).to_bytes()
        self.file = directory / "etcd.db"
        self.file.write_bytes(database + hashlib.sha256(database).digest())

    def url(self, bucket: str, identity: S3Credentials = ADMIN, *, endpoint: str = "") -> str:
        key, secret = self.cli.directory / "key", self.cli.directory / "secret"
        key.write_text(identity.access_key)
        secret.write_text(identity.secret_key)
        where = endpoint or self._server.endpoint
        return f"s3://{bucket}/etcd?endpoint={where}&region=us-east-1&access_key_file={key}&secret_key_file={secret}"

    def __call__(self, store: str, *words: object) -> Done:
        return self.cli("snapshot", *words, "--store", store, "-o", "json", "--log-level", "error")


@pytest.fixture
def bucket(s3_server: WeedS3, tmp_path: Path) -> Bucket:
    return Bucket(s3_server, tmp_path)


def assert_is_clear(done: Done, *, status: int, code: str) -> None:
    assert done.status == status, done.err
    assert done.error["code"] == code
    assert done.error["next_step"]
    assert "Traceback" not in done.err
    assert ADMIN.secret_key not in done.err


def test_bucket_url_is_a_whole_store(bucket: Bucket, s3_bucket: str) -> None:
    """In, listed, verified, out again; byte for byte."""
    store, fetched = bucket.url(s3_bucket), bucket.cli.directory / "fetched.db"

    imported = bucket(store, "import", bucket.file, "--no-encryption")
    listed, verified = bucket(store, "list"), bucket(store, "verify")
    back = bucket(store, "fetch", "--to", fetched)

    assert imported.status == 0, imported.err
    assert len(listed.document["snapshots"]) == 1
    assert listed.document["store"] == f"s3://{s3_bucket}/etcd/v1/default/"
    assert verified.status == 0
    assert back.status == 0
    assert fetched.read_bytes() == bucket.file.read_bytes()


def test_empty_bucket_is_an_empty_list(bucket: Bucket, s3_bucket: str) -> None:
    """Not an error."""
    assert bucket(bucket.url(s3_bucket), "list").document["snapshots"] == []


def test_bucket_that_does_not_exist_is_a_mistake_in_the_configuration(bucket: Bucket) -> None:
    """It is never made by us: a typo must not start a second store."""
    assert_is_clear(bucket(bucket.url("no-such-bucket"), "list"), status=78, code="store.misconfigured")


def test_wrong_keys_are_denied(bucket: Bucket, s3_bucket: str) -> None:
    """With what was tried."""
    wrong = S3Credentials("nobody", "nothing-at-all-0123456789")

    assert_is_clear(bucket(bucket.url(s3_bucket, wrong), "list"), status=77, code="store.denied")


def test_reader_may_list_and_not_write(bucket: Bucket, s3_bucket: str) -> None:
    """A missing right is said when it is needed, and nothing is left."""
    store = bucket.url(s3_bucket, READER)
    assert bucket(store, "list", "--cluster", "default").status == 0

    assert_is_clear(bucket(store, "import", bucket.file, "--no-encryption"), status=77, code="store.denied")


def test_server_that_is_not_there_is_unreachable(bucket: Bucket, s3_bucket: str) -> None:
    """After bounded attempts."""
    store = bucket.url(s3_bucket, endpoint="http://127.0.0.1:1")

    assert_is_clear(bucket(store, "list"), status=69, code="store.unreachable")


def test_missing_credentials_are_said(
    bucket: Bucket, s3_server: WeedS3, s3_bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With nothing in the chain the next step names the ways to give some."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("HOME", str(bucket.cli.directory))

    done = bucket(f"s3://{s3_bucket}?endpoint={s3_server.endpoint}&region=us-east-1", "list")

    assert_is_clear(done, status=77, code="store.denied")
