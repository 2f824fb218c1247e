"""Who may do what: wrong keys, narrow rights, missing buckets, rotated credentials, private CAs, keys of our own."""

from __future__ import annotations

import base64
import os
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from etcd_dr.adapters.local_cluster import LocalAuthority
from etcd_dr.adapters.stores import S3Settings
from etcd_dr.adapters.stores.s3 import S3ObjectStore
from etcd_dr.adapters.stores.settings import CredentialsFile, SseCustomer, SseS3
from etcd_dr.errors import ConfigError, StoreDenied, StoreError, StoreMisconfigured, StoreUnreachable
from real.peers.s3_server import ADMIN, S3Credentials
from real.peers.weed import READER, WRITER, WRITER_BUCKET, WeedS3
from real.store_settings import PART_BYTES, key_files, open_bucket, s3_settings


def every_operation(store: S3ObjectStore) -> dict[str, Callable[[], object]]:
    """One way to meet the store through each method of the port."""
    return {
        "put": lambda: store.put("v1/a", b"x", if_absent=False),
        "put if absent": lambda: store.put("v1/a", b"x", if_absent=True),
        "upload": lambda: store.begin_upload("v1/a").write(bytes(PART_BYTES)),
        "get": lambda: store.get("v1/a", limit_bytes=1),
        "head": lambda: store.head("v1/a"),
        "list": lambda: list(store.list("v1/")),
        "folders": lambda: list(store.list_folders("v1/")),
        "delete": lambda: store.delete("v1/a"),
        "unfinished": lambda: list(store.unfinished_uploads("v1/")),
        "guarantees": store.guarantees,
    }


def refusals(store: S3ObjectStore, kind: type[StoreError]) -> dict[str, StoreError]:
    """Call every operation and return what each raised; anything but `kind` fails here."""
    raised: dict[str, StoreError] = {}
    with closing(store):
        for name, act in every_operation(store).items():
            with pytest.raises(kind) as caught:
                act()
            raised[name] = caught.value
    return raised


def test_unknown_access_key_is_denied(s3_server: WeedS3, s3_bucket: str, tmp_path: Path) -> None:
    """Every operation says StoreDenied, never "missing" and never an empty list."""
    stranger = S3Credentials("nobody", "whatever")

    raised = refusals(open_bucket(s3_settings(s3_server, s3_bucket, tmp_path, identity=stranger)), StoreDenied)

    assert raised["list"].context["code"] == "InvalidAccessKeyId"
    assert "aws configure list" in raised["list"].next_step


def test_wrong_secret_is_denied_and_never_shown(s3_server: WeedS3, s3_bucket: str, tmp_path: Path) -> None:
    """The next step names the usual reason; neither key is in what people see."""
    liar = replace(ADMIN, secret_key="not-the-secret-of-admin")

    raised = refusals(open_bucket(s3_settings(s3_server, s3_bucket, tmp_path, identity=liar)), StoreDenied)

    assert raised["put"].context["code"] == "SignatureDoesNotMatch"
    assert "newline" in raised["put"].next_step
    for error in raised.values():
        assert "not-the-secret" not in f"{error} {error.next_step} {dict(error.context)}"


def test_reader_is_told_which_right_is_missing(s3_server: WeedS3, s3_bucket: str, tmp_path: Path) -> None:
    """Reading goes on; writing names s3:PutObject and the place."""
    with closing(open_bucket(s3_settings(s3_server, s3_bucket, tmp_path, identity=READER))) as store:
        assert list(store.list("v1/")) == []
        with pytest.raises(StoreDenied) as raised:
            store.put("v1/a", b"x", if_absent=False)

    assert raised.value.context["action"] == "s3:PutObject"
    assert f"Allow s3:PutObject on s3://{s3_bucket}/v1/a" in raised.value.next_step


def test_store_that_may_not_be_probed_guarantees_nothing_and_says_so(
    s3_server: WeedS3, s3_bucket: str, tmp_path: Path
) -> None:
    """Without the right to write the probe, put-if-absent is not claimed."""
    with closing(open_bucket(s3_settings(s3_server, s3_bucket, tmp_path, identity=READER))) as store:
        seen = store.guarantees()

    assert not seen.put_if_absent
    assert "may not write the probe" in seen.detail


def test_writer_of_one_bucket_can_do_its_work(s3_server: WeedS3, tmp_path: Path) -> None:
    """An identity with nothing but its own bucket takes, reads, lists and deletes; other buckets are refused."""
    s3_server.make_bucket(WRITER_BUCKET)
    other = s3_server.make_bucket("somebody-elses")
    body = os.urandom(PART_BYTES + 1)
    with closing(open_bucket(s3_settings(s3_server, WRITER_BUCKET, tmp_path, identity=WRITER))) as store:
        upload = store.begin_upload("v1/prod/data")
        upload.write(body)
        upload.commit()

        assert store.guarantees().put_if_absent
        assert store.get("v1/prod/data", limit_bytes=len(body)) == body
        # The bucket has a fixed name, so other files of this worker may have left something beside it.
        assert [found.key for found in store.list("v1/prod/")] == ["v1/prod/data"]
        store.delete("v1/prod/data")
        assert list(store.list("v1/prod/")) == []

    elsewhere = open_bucket(s3_settings(s3_server, other, tmp_path, identity=WRITER))
    with closing(elsewhere), pytest.raises(StoreDenied):
        elsewhere.put("v1/a", b"x", if_absent=False)


def test_missing_bucket_is_never_an_empty_store(s3_server: WeedS3, tmp_path: Path) -> None:
    """Every operation names the bucket and how to make it, `head` and `delete` included."""
    raised = refusals(open_bucket(s3_settings(s3_server, "never-made", tmp_path)), StoreMisconfigured)

    assert all("create-bucket --bucket never-made" in error.next_step for error in raised.values())


def test_nobody_listening_is_unreachable(s3_server: WeedS3, tmp_path: Path) -> None:
    """A refused connection says so at once, with the endpoint to look at."""
    nowhere = s3_settings(s3_server, "any", tmp_path, endpoint="http://127.0.0.1:9", attempts=1)

    raised = refusals(open_bucket(nowhere), StoreUnreachable)

    assert "http://127.0.0.1:9" in raised["get"].next_step
    assert raised["get"].retryable


def test_rotated_key_files_are_followed(s3_server: WeedS3, s3_bucket: str, tmp_path: Path) -> None:
    """New values in the files hold for the next request, in the middle of an upload too."""
    settings = s3_settings(s3_server, s3_bucket, tmp_path, identity=READER)
    with closing(open_bucket(settings)) as store:
        with pytest.raises(StoreDenied):
            store.put("v1/a", b"x", if_absent=False)

        key_files(tmp_path, ADMIN)
        store.put("v1/a", b"x", if_absent=False)
        upload = store.begin_upload("v1/b")
        upload.write(bytes(PART_BYTES))
        key_files(tmp_path, S3Credentials("withdrawn", "withdrawn"))
        with pytest.raises(StoreDenied):
            upload.write(bytes(4 * PART_BYTES))
        key_files(tmp_path, ADMIN)
        upload.abort()

        assert [found.key for found in store.list("")] == ["v1/a"]
        assert list(store.unfinished_uploads("")) == []


def test_mounted_secret_is_followed_through_its_symbolic_link(
    s3_server: WeedS3, s3_bucket: str, tmp_path: Path
) -> None:
    """Kubernetes replaces a Secret by turning one link, `..data`; a vanished Secret keeps the last good keys."""
    key_files(tmp_path / "old", READER)
    key_files(tmp_path / "new", ADMIN)
    turn_link(tmp_path / "..data", tmp_path / "old")
    mounted = key_files(tmp_path / "old", READER)
    mounted = replace(
        mounted,
        access_key_file=tmp_path / "..data" / mounted.access_key_file.name,
        secret_key_file=tmp_path / "..data" / mounted.secret_key_file.name,
    )
    settings = replace(s3_settings(s3_server, s3_bucket, tmp_path / "x"), credentials=mounted)
    with closing(open_bucket(settings)) as store:
        with pytest.raises(StoreDenied):
            store.put("v1/a", b"x", if_absent=False)

        turn_link(tmp_path / "..data", tmp_path / "new")
        store.put("v1/a", b"x", if_absent=False)
        (tmp_path / "..data").unlink()
        store.put("v1/b", b"x", if_absent=False)

        assert [found.key for found in store.list("")] == ["v1/a", "v1/b"]


def turn_link(link: Path, target: Path) -> None:
    link.with_suffix(".next").symlink_to(target)
    link.with_suffix(".next").rename(link)


@pytest.mark.parametrize(
    "text",
    [
        "[default]\naws_access_key_id = {access}\naws_secret_access_key = {secret}\n",
        "[x]\naws_access_key_id = no\n[default]\naws_access_key_id={access}\naws_secret_access_key={secret}\n",
        "AWS_ACCESS_KEY_ID={access}\nAWS_SECRET_ACCESS_KEY={secret}\n",
        "# from the vault\nexport AWS_ACCESS_KEY_ID='{access}'\nexport AWS_SECRET_ACCESS_KEY=\"{secret}\"\r\n",
    ],
)
def test_one_credentials_file_in_either_format(s3_server: WeedS3, s3_bucket: str, tmp_path: Path, text: str) -> None:
    """The format of ~/.aws/credentials and KEY=value lines both serve."""
    file = tmp_path / "credentials"
    file.write_text(text.format(access=ADMIN.access_key, secret=ADMIN.secret_key))
    settings = replace(s3_settings(s3_server, s3_bucket, tmp_path), credentials=CredentialsFile(file))

    with closing(open_bucket(settings)) as store:
        store.put("v1/a", b"x", if_absent=True)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> LocalAuthority:
    now = datetime.now(UTC)
    directory = tmp_path_factory.mktemp("authority")
    return LocalAuthority(directory, valid_from=now - timedelta(hours=1), valid_until=now + timedelta(days=1))


@pytest.fixture(scope="module")
def tls_server(authority: LocalAuthority, tmp_path_factory: pytest.TempPathFactory) -> Iterator[WeedS3]:
    with WeedS3(tmp_path_factory.mktemp("tls-server"), tls=authority.issue("s3")) as server:
        server.make_bucket("bucket")
        yield server


@pytest.fixture
def tls_settings(tls_server: WeedS3, authority: LocalAuthority, tmp_path: Path) -> S3Settings:
    return s3_settings(
        tls_server, "bucket", tmp_path / "keys", endpoint=tls_server.https_endpoint, ca_bundle=authority.ca
    )


def test_private_ca_is_trusted_when_named(tls_settings: S3Settings) -> None:
    """With the bundle of its CA, an HTTPS store serves uploads and downloads."""
    body = os.urandom(2 * PART_BYTES + 1)
    with closing(open_bucket(tls_settings)) as store:
        upload = store.begin_upload("v1/tls/data")
        upload.write(body)
        upload.commit()

        assert store.get("v1/tls/data", limit_bytes=len(body)) == body


def test_untrusted_ca_is_named_as_such(tls_settings: S3Settings) -> None:
    """Without the bundle the error says what to name, and is not one to be tried again."""
    with (
        closing(open_bucket(replace(tls_settings, ca_bundle=None))) as store,
        pytest.raises(StoreMisconfigured) as raised,
    ):
        store.head("v1/a")

    assert "ca_file" in raised.value.next_step
    assert not raised.value.retryable


def test_https_towards_a_plain_port_is_named_as_such(tls_settings: S3Settings, tls_server: WeedS3) -> None:
    """OpenSSL's "wrong version number" becomes a sentence."""
    settings = replace(tls_settings, endpoint=f"https://127.0.0.1:{tls_server.port}", attempts=1)
    with closing(open_bucket(settings)) as store, pytest.raises(StoreMisconfigured) as raised:
        store.put("v1/a", b"x", if_absent=False)

    assert "http://" in raised.value.next_step


def test_plain_http_towards_a_tls_port_points_at_the_scheme(tls_settings: S3Settings) -> None:
    """Whether the server manages to answer or just hangs up, the next step is to look at http and https."""
    settings = replace(tls_settings, endpoint=str(tls_settings.endpoint).replace("https", "http"), attempts=1)
    with closing(open_bucket(settings)) as store, pytest.raises((StoreMisconfigured, StoreUnreachable)) as raised:
        list(store.list(""))

    assert "speaks TLS" in raised.value.next_step or "http or https" in raised.value.next_step


def test_object_under_a_key_of_ours_needs_that_key(tls_settings: S3Settings, tmp_path: Path) -> None:
    """SSE-C: parts and whole objects are read back with the key, and not without it or with another one."""
    key_file, other_file = tmp_path / "sse.key", tmp_path / "other.key"
    key_file.write_bytes(base64.b64encode(os.urandom(32)) + b"\n")
    other_file.write_bytes(os.urandom(32))
    settings = replace(tls_settings, encryption=SseCustomer(key_file))
    body = os.urandom(PART_BYTES + 77)
    with closing(open_bucket(settings)) as store:
        upload = store.begin_upload("v1/sse/data")
        upload.write(body)
        upload.commit()
        store.put("v1/sse/manifest.json", b"{}", if_absent=True)

        assert store.get("v1/sse/data", limit_bytes=len(body)) == body
        assert store.get("v1/sse/manifest.json", limit_bytes=2) == b"{}"
        assert store.head("v1/sse/data").size_bytes == len(body)

    for encryption in (None, SseCustomer(other_file)):
        with (
            closing(open_bucket(replace(settings, encryption=encryption))) as stranger,
            pytest.raises(StoreError) as raised,
        ):
            stranger.get("v1/sse/manifest.json", limit_bytes=2)
        assert raised.value.code in {"store.misconfigured", "store.denied"}


def test_settings_that_the_store_honours_are_seen_on_the_object(
    s3_server: WeedS3, s3_bucket: str, tmp_path: Path
) -> None:
    """Encryption, tags and storage class arrive with whole objects and with parts."""
    settings = s3_settings(
        s3_server,
        s3_bucket,
        tmp_path,
        encryption=SseS3(),
        tags=(("team", "platform & co"), ("kind", "etcd")),
        storage_class="STANDARD_IA",
    )
    with closing(open_bucket(settings)) as store:
        upload = store.begin_upload("v1/data")
        upload.write(bytes(PART_BYTES + 1))
        upload.commit()
        store.put("v1/manifest.json", b"{}", if_absent=True)

    client = s3_server.client()
    for key in ("v1/data", "v1/manifest.json"):
        tags = client.get_object_tagging(Bucket=s3_bucket, Key=key)["TagSet"]
        head = client.head_object(Bucket=s3_bucket, Key=key)
        assert {tag["Key"]: tag["Value"] for tag in tags} == {"team": "platform & co", "kind": "etcd"}
        assert head["ServerSideEncryption"] == "AES256"
        assert head["StorageClass"] == "STANDARD_IA"


@pytest.mark.parametrize("checksum", ["crc32c", "md5", "none"])
def test_each_kind_of_checksum_is_accepted(s3_server: WeedS3, s3_bucket: str, tmp_path: Path, checksum: str) -> None:
    """Uploads and puts go through with each; with crc32c the store can show it."""
    with closing(open_bucket(s3_settings(s3_server, s3_bucket, tmp_path, checksum=checksum))) as store:
        upload = store.begin_upload("v1/data")
        upload.write(bytes(PART_BYTES + 1))
        upload.commit()
        store.put("v1/manifest.json", b"{}", if_absent=True)

    head = s3_server.client().head_object(Bucket=s3_bucket, Key="v1/manifest.json", ChecksumMode="ENABLED")
    assert ("ChecksumCRC32C" in head) is (checksum == "crc32c")


def test_unusable_files_are_configuration_errors(s3_server: WeedS3, tmp_path: Path) -> None:
    """A CA bundle, key or credential file that cannot be used is named when the store is opened."""
    settings = s3_settings(s3_server, "any", tmp_path)
    junk = tmp_path / "junk"
    junk.write_text("[default]\nnothing = here\n")
    missing = tmp_path / "missing"

    for broken in (
        replace(settings, ca_bundle=missing),
        replace(settings, ca_bundle=junk),
        replace(settings, encryption=SseCustomer(missing)),
        replace(settings, encryption=SseCustomer(junk)),
        replace(settings, credentials=CredentialsFile(missing)),
        replace(settings, credentials=CredentialsFile(junk)),
        replace(settings, credentials=CredentialsFile(junk, profile="none")),
    ):
        with pytest.raises(ConfigError) as raised:
            open_bucket(broken)
        assert raised.value.subject in {str(junk), str(missing)}
        assert raised.value.next_step
