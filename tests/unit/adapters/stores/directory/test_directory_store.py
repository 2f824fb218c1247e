"""A directory that others can reach too: links, pipes, missing mounts, odd file systems, other hands at work."""

from __future__ import annotations

import errno
import os
import stat
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from etcd_dr.adapters.stores import DirectorySettings
from etcd_dr.adapters.stores.directory import DirectoryObjectStore
from etcd_dr.adapters.stores.directory.failures import translated
from etcd_dr.adapters.stores.directory.folders import Folders
from etcd_dr.adapters.stores.directory.upload import DirectoryUpload, HiddenFile
from etcd_dr.adapters.system_clock import SystemClock, SystemTokens
from etcd_dr.errors import (
    ObjectExists,
    ObjectMissing,
    StoreDenied,
    StoreError,
    StoreFull,
    StoreMisconfigured,
    StoreUnreachable,
)
from etcd_dr.ports.object_store import UnfinishedUpload

ODD_FILES = (
    ".hidden",
    "new\nline",
    "lost+found/thing",
    ".uploads/not-an-upload",
    ".uploads/a~20269999T999999Z-0123456789ab",
)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    made = tmp_path / "store"
    made.mkdir()
    return made


@pytest.fixture
def store(root: Path) -> DirectoryObjectStore:
    return DirectoryObjectStore(DirectorySettings(root), clock=SystemClock(), tokens=SystemTokens())


def everything_below(root: Path) -> list[str]:
    return sorted(str(path.relative_to(root)) for path in root.rglob("*"))


def test_missing_root_is_never_made(tmp_path: Path) -> None:
    """A mount that did not come up must not be mistaken for an empty store by any operation."""
    absent = tmp_path / "mnt"
    store = DirectoryObjectStore(DirectorySettings(absent), clock=SystemClock(), tokens=SystemTokens())

    for act in (
        lambda: store.put("v1/a", b"x", if_absent=True),
        lambda: store.begin_upload("v1/a"),
        lambda: store.head("v1/a"),
        lambda: list(store.list("")),
        lambda: list(store.list_folders("")),
        lambda: store.delete("v1/a"),
        lambda: list(store.unfinished_uploads("")),
        store.guarantees,
    ):
        with pytest.raises(StoreMisconfigured) as raised:
            act()
        assert f"mkdir -p -m 0700 {absent}" in raised.value.next_step
    assert not absent.exists()


def test_files_are_private_and_nothing_else_is_left(store: DirectoryObjectStore, root: Path) -> None:
    """0600 and 0700, whatever the umask; the hidden upload is gone after a commit."""
    before = os.umask(0)
    try:
        store.put("v1/prod/manifest.json", b"{}", if_absent=True)
    finally:
        os.umask(before)

    modes = {name: stat.S_IMODE((root / name).stat().st_mode) for name in everything_below(root)}
    assert modes == {"v1": 0o700, "v1/prod": 0o700, "v1/prod/manifest.json": 0o600}


def test_empty_folders_go_with_their_last_object(store: DirectoryObjectStore, root: Path) -> None:
    """Up to the root, and not beyond what is empty."""
    store.put("v1/prod/one/data", b"x", if_absent=True)
    store.put("v1/prod/two/data", b"x", if_absent=True)

    store.delete("v1/prod/one/data")
    assert everything_below(root) == ["v1", "v1/prod", "v1/prod/two", "v1/prod/two/data"]
    store.delete("v1/prod/two/data")

    assert everything_below(root) == []
    assert root.is_dir()


def test_links_lead_nowhere(store: DirectoryObjectStore, root: Path, tmp_path: Path) -> None:
    """A link inside the store, to a file or a folder outside, is neither listed, read, written through nor followed."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret").write_text("not for you")
    (root / "v1").mkdir()
    (root / "v1" / "folder").symlink_to(outside)
    (root / "v1" / "file").symlink_to(outside / "secret")

    assert list(store.list("")) == []
    assert list(store.list_folders("v1/")) == []
    for key in ("v1/folder/secret", "v1/file"):
        with pytest.raises(ObjectMissing):
            store.get(key, limit_bytes=100)
    with pytest.raises(StoreMisconfigured):
        store.put("v1/folder/new", b"x", if_absent=False)
    store.delete("v1/folder/secret")
    store.put("v1/file", b"ours", if_absent=False)

    assert (outside / "secret").read_text() == "not for you"
    assert sorted(path.name for path in outside.iterdir()) == ["secret"]
    assert store.get("v1/file", limit_bytes=100) == b"ours"


def test_link_counts_as_taken(store: DirectoryObjectStore, root: Path, tmp_path: Path) -> None:
    """Put-if-absent neither follows a link nor replaces it."""
    (root / "a").symlink_to(tmp_path / "elsewhere")

    with pytest.raises(ObjectExists):
        store.put("a", b"x", if_absent=True)

    assert not (tmp_path / "elsewhere").exists()


def test_link_as_root_is_the_choice_of_whoever_configured_it(root: Path, tmp_path: Path) -> None:
    """Only what lies inside is distrusted."""
    (tmp_path / "link").symlink_to(root)
    store = DirectoryObjectStore(DirectorySettings(tmp_path / "link"), clock=SystemClock(), tokens=SystemTokens())

    store.put("v1/a", b"x", if_absent=True)

    assert (root / "v1" / "a").read_bytes() == b"x"


def test_pipes_and_folders_are_no_objects(store: DirectoryObjectStore, root: Path) -> None:
    """Reading a named pipe does not wait for its writer."""
    os.mkfifo(root / "pipe")
    (root / "folder").mkdir()

    for key in ("pipe", "folder"):
        with pytest.raises(ObjectMissing):
            store.get(key, limit_bytes=10)
    assert list(store.list("")) == []


def test_other_peoples_files_are_left_alone(store: DirectoryObjectStore, root: Path) -> None:
    """Neither objects, nor folders, nor uploads, and still there afterwards."""
    for name in ODD_FILES:
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).write_text("theirs")
    store.put("v1/a", b"x", if_absent=True)

    listed = [found.key for found in store.list("")]
    folders, uploads = list(store.list_folders("")), list(store.unfinished_uploads(""))
    store.delete("v1/a")

    assert listed == ["v1/a"]
    assert folders == ["v1"]
    assert uploads == []
    assert all((root / name).exists() for name in ODD_FILES)


def test_upload_of_a_dead_process_says_when_it_began(store: DirectoryObjectStore, root: Path) -> None:
    """The hidden file's name carries key and beginning; ending it leaves an empty directory."""
    hidden = root / ".uploads" / "v1" / "prod" / "data~20260820T030000Z-9f2c41d07b6a"
    hidden.parent.mkdir(parents=True)
    hidden.write_bytes(b"half")

    (found,) = store.unfinished_uploads("v1/prod/")
    store.abort_unfinished(found)

    assert (found.key, found.begun_at.isoformat()) == ("v1/prod/data", "2026-08-20T03:00:00+00:00")
    assert everything_below(root) == []


@pytest.mark.parametrize("token", ["../../etc/passwd", "", "20260820T030000Z-9f2c41d07b6a/../x", "x"])
def test_only_uploads_of_ours_can_be_ended(store: DirectoryObjectStore, root: Path, token: str) -> None:
    """A token that we would not make removes nothing."""
    (root / "kept").write_text("kept")

    with pytest.raises(StoreError):
        store.abort_unfinished(UnfinishedUpload(key="kept", token=token, begun_at=SystemClock().now()))

    assert (root / "kept").exists()


def test_lost_answer_of_a_link_is_no_failure(root: Path) -> None:
    """An NFS client whose answer was lost asks again and is told EEXIST: the name is ours all the same."""
    folders, hidden = Folders(root), HiddenFile("v1/a", "20260820T030000Z-9f2c41d07b6a")
    upload = DirectoryUpload(folders, hidden, url="file:///v1/a", has_links=True)
    upload.write(b"x")
    (root / "v1").mkdir()
    os.link(root.joinpath(*hidden.path), root / "v1" / "a")

    stored = upload.commit()

    assert stored.size_bytes == 1
    assert everything_below(root) == ["v1", "v1/a"]


def test_file_system_without_links_is_served_by_renaming(root: Path) -> None:
    """FAT and some network file systems: a taken name is still refused, by a look beforehand."""
    folders = Folders(root)

    def upload(body: bytes, token: str) -> None:
        pending = DirectoryUpload(folders, HiddenFile("v1/a", token), url="file:///v1/a", has_links=False)
        try:
            pending.write(body)
            pending.commit()
        finally:
            pending.abort()

    upload(b"first", "20260820T030000Z-000000000001")
    with pytest.raises(ObjectExists):
        upload(b"second", "20260820T030000Z-000000000002")

    assert (root / "v1" / "a").read_bytes() == b"first"
    assert everything_below(root) == ["v1", "v1/a"]


def test_file_that_shrinks_while_it_is_read_is_an_error(store: DirectoryObjectStore, root: Path) -> None:
    """A short object is never passed off as whole."""
    store.put("v1/a", bytes(3 * 1024 * 1024), if_absent=True)

    with store.read("v1/a") as chunks:
        next(chunks)
        os.truncate(root / "v1" / "a", 1024 * 1024)
        with pytest.raises(StoreError, match="ended 2097152 bytes early"):
            list(chunks)


def test_folders_that_come_and_go_disturb_nobody(store: DirectoryObjectStore) -> None:
    """Writers and deleters of neighbours, whose folder vanishes with each deletion, all succeed."""
    store.guarantees()
    start = threading.Barrier(4)

    def write_and_delete(number: int) -> None:
        start.wait()
        for turn in range(60):
            key = f"v1/prod/snapshots/{number}-{turn}"
            store.put(key, b"x", if_absent=True)
            store.delete(key)

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(write_and_delete, range(4)))

    assert list(store.list("")) == []


@pytest.mark.parametrize(
    ("number", "kind", "hint"),
    [
        (errno.ENOSPC, StoreFull, "df -h"),
        (errno.EDQUOT, StoreFull, "df -h"),
        (errno.EACCES, StoreDenied, "ls -ldn"),
        (errno.EPERM, StoreDenied, "ls -ldn"),
        (errno.EROFS, StoreMisconfigured, "findmnt"),
        (errno.ENOTDIR, StoreMisconfigured, "ls -lR"),
        (errno.EXDEV, StoreMisconfigured, "findmnt"),
        (errno.ESTALE, StoreUnreachable, "findmnt"),
        (errno.ENOTCONN, StoreUnreachable, "findmnt"),
        (errno.EIO, StoreError, "dmesg"),
    ],
)
def test_what_the_system_says_becomes_the_right_kind(number: int, kind: type[StoreError], hint: str) -> None:
    """With a command to look further, in which the path is quoted."""
    error = translated(OSError(number, os.strerror(number)), subject="file:///x/a", root=Path("/my store"))

    assert type(error) is kind
    assert hint in error.next_step
    assert error.context["errno"] == errno.errorcode[number]
    if "{" in error.next_step or "my store" in error.next_step:
        assert "'/my store'" in error.next_step


def test_directory_that_refuses_is_denied_and_not_empty(root: Path) -> None:
    """A folder without rights inside the store is an error, because a short list would look like a whole one."""
    store = DirectoryObjectStore(DirectorySettings(root), clock=SystemClock(), tokens=SystemTokens())
    store.put("v1/a", b"x", if_absent=True)
    (root / "v1").chmod(0)

    with without_roots_rights(), pytest.raises(StoreDenied) as raised:
        list(store.list(""))

    (root / "v1").chmod(0o700)
    assert raised.value.context["errno"] == "EACCES"


@contextmanager
def without_roots_rights() -> Iterator[None]:
    """Be nobody for a while where this process is root, who may read everything."""
    was = os.geteuid()
    if was == 0:
        os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(was)
