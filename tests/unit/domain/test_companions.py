"""Names of companions, and archives that come back from a bucket."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from etcd_dr.domain.companion_archive import pack, unpack
from etcd_dr.domain.companions import (
    CompanionFile,
    CompanionLimits,
    companion_name,
    find_companion,
    missing_companions,
    parse_name,
)
from etcd_dr.domain.digest import Digest
from etcd_dr.domain.manifest import CompanionEntry, CompanionsFacts
from etcd_dr.errors import SnapshotDamaged

LIMITS = CompanionLimits()
CA = CompanionFile("m1/etc/kubernetes/pki/ca.key", 0o600, b"secret")
CRT = CompanionFile("local/etc/kubernetes/pki/ca.crt", 0o644, b"public")


def facts(*names: str) -> CompanionsFacts:
    nothing = Digest.of_sha256(bytes(32))
    return CompanionsFacts(
        plain_digest=nothing,
        plain_size_bytes=0,
        stored_digest=nothing,
        stored_size_bytes=0,
        stages=(),
        files=tuple(CompanionEntry(name=name, size_bytes=1) for name in names),
    )


def test_name_is_origin_and_path() -> None:
    """And comes apart again."""
    assert companion_name("m1", "/etc/a") == "m1/etc/a"
    assert parse_name("m1/etc/a") == ("m1", "/etc/a")


@pytest.mark.parametrize(
    "name",
    [
        "",
        "m1",
        "m1/",
        "/etc/a",
        "../etc/a",
        "m1/../etc",
        "m1//a",
        "m1/./a",
        "m1/a/..",
        "m1/a\n",
        "m1/a\\b",
        ".m/a",
        "m1/\x1b[2J",
        f"m1/{1000 * 'a'}",
    ],
)
def test_name_that_could_lead_elsewhere_is_none(name: str) -> None:
    """It comes back from a bucket, and is printed and written to."""
    with pytest.raises(ValueError, match="not the name"):
        parse_name(name)


@given(
    st.lists(st.tuples(st.from_regex(r"[a-z]{1,8}/[a-z]{1,30}", fullmatch=True), st.binary(max_size=2000)), max_size=9)
)
def test_archive_gives_back_what_was_put_in(pairs: list[tuple[str, bytes]]) -> None:
    """Whatever the files hold; the same files make the same archive."""
    files = tuple(CompanionFile(name, 0o600, body) for name, body in sorted(dict(pairs).items()))

    assert unpack(pack(files), subject="x", limits=LIMITS) == files
    assert pack(reversed(files)) == pack(files)


def archive(*headers: tarfile.TarInfo) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as made:
        for header in headers:
            made.addfile(header, io.BytesIO(bytes(header.size)))
    return buffer.getvalue()


def header(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> tarfile.TarInfo:
    made = tarfile.TarInfo(name)
    made.type, made.linkname = kind, link
    return made


@pytest.mark.parametrize(
    "make",
    [
        lambda: archive(header("/etc/passwd")),
        lambda: archive(header("m1/../../etc/passwd")),
        lambda: archive(header("m1/a", tarfile.SYMTYPE, "/etc/passwd")),
        lambda: archive(header("m1/a", tarfile.LNKTYPE, "m1/b")),
        lambda: archive(header("m1/a", tarfile.CHRTYPE)),
        lambda: archive(header("m1/a", tarfile.FIFOTYPE)),
        lambda: archive(header("m1/a", tarfile.DIRTYPE)),
        lambda: archive(header("m1/a"), header("m1/a")),
        lambda: pack([CA])[:600],
        lambda: b"not a tar archive" * 100,
        lambda: pack([CA, CRT]).replace(b"m1/etc", b"../etc"),
    ],
    ids=[
        "absolute",
        "climbing",
        "symlink",
        "hardlink",
        "device",
        "pipe",
        "directory",
        "twice",
        "cut",
        "noise",
        "edited",
    ],
)
def test_hostile_archive_is_refused_whole(make: Callable[[], bytes]) -> None:
    """Nothing of it is ever written."""
    with pytest.raises(SnapshotDamaged):
        unpack(make(), subject="s3://bucket/companions", limits=LIMITS)


@given(st.binary(max_size=3000), st.integers(0, 4000))
def test_noise_is_damage_and_nothing_else(noise: bytes, at: int) -> None:
    """Whatever lies in the bucket ends in files with proper names or in one error."""
    body = bytearray(pack([CA, CRT]))
    body[at : at + len(noise)] = noise
    try:
        found = unpack(bytes(body), subject="x", limits=LIMITS)
    except SnapshotDamaged:
        return
    for file in found:
        parse_name(file.name)


def test_too_many_files_are_refused() -> None:
    """The manifest says how many there are."""
    with pytest.raises(SnapshotDamaged, match="more than 1"):
        unpack(pack([CA, CRT]), subject="x", limits=CompanionLimits(files=1))


def test_node_lacks_what_it_had_and_has_no_more() -> None:
    """Only its own files count, and hostile names do not."""
    kept = facts("m1/etc/a", "m1/etc/b", "m2/etc/c", "local/etc/d", "m1/../etc/shadow")

    assert missing_companions(kept, node="m1", has_file={"/etc/a"}.__contains__) == ("/etc/b",)
    assert missing_companions(None, node="m1", has_file={"/etc/a"}.__contains__) == ()


def test_own_file_goes_before_the_common_one() -> None:
    """Certificates of a node are not those of another."""
    own = CompanionFile("m1/etc/x", 0o600, b"own")
    common = CompanionFile("local/etc/x", 0o600, b"common")

    assert find_companion([common, own], node="m1", path="/etc/x") == own
    assert find_companion([common, own], node="m2", path="/etc/x") == common
    assert find_companion([own], node="m2", path="/etc/x") is None


def test_content_is_not_shown() -> None:
    """A traceback must not print a private key."""
    assert "secret" not in repr(CA)
