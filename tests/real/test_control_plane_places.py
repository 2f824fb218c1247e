"""Where data directories really lie: mount points, links, a WAL on another disk, nodes with busybox, every etcd version."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from etcd_dr.adapters.cancellation import CancellationSwitch
from etcd_dr.adapters.control_planes.data_directory import DataDirectory, DataPlace
from etcd_dr.adapters.control_planes.local_shell import LocalShell
from etcd_dr.adapters.control_planes.sighting import NotMounted, see_data
from etcd_dr.adapters.local_cluster import LocalCluster
from etcd_dr.errors import NodeDenied, NodeFault

RECOVERY = "r1"


class FarShell(LocalShell):
    """This machine's shell, used as a far one: data is streamed to it."""

    is_here = False


@pytest.fixture(params=["sh", "busybox"])
def shell(request: pytest.FixtureRequest, tmp_path: Path, stock_program: Callable[[str], Path]) -> Iterator[FarShell]:
    """A node's shell: this machine's tools, or busybox and nothing else on its PATH."""
    if request.param == "sh":
        yield _shell("sh")
        return
    busybox = stock_program("busybox")
    applets = tmp_path / "applets"
    applets.mkdir()
    subprocess.run([busybox, "--install", "-s", applets], check=True)
    yield _shell("env", "-i", f"PATH={applets}", str(busybox), "sh")


def _shell(*program: str) -> FarShell:
    return FarShell("cp1", place="here", cancellation=CancellationSwitch(), program=program)


def test_data_goes_aside_and_comes_back(shell: FarShell, tmp_path: Path) -> None:
    """The whole round with nothing but a shell, coreutils and tar."""
    _data(tmp_path / "etcd", "old")
    built = _data(tmp_path / "built", "new")
    directory = DataDirectory(shell, DataPlace(str(tmp_path / "etcd")))

    aside = directory.set_aside(recovery_id=RECOVERY, until=_soon())
    directory.put(built, recovery_id=RECOVERY, until=_soon())
    placed = (tmp_path / "etcd" / "member" / "snap" / "db").read_text()
    sight, free = see_data(shell, directory.place, is_running=True, until=_soon())
    directory.put_back(recovery_id=RECOVERY, until=_soon())

    assert aside == str(tmp_path / "etcd.etcd-dr-r1")
    assert placed == "new"
    assert sight.has_wal
    assert sight.written_at is not None
    assert free
    assert (tmp_path / "etcd" / "member" / "snap" / "db").read_text() == "old"
    assert (tmp_path / "etcd.etcd-dr-r1-abandoned" / "member" / "snap" / "db").read_text() == "new"
    assert not list(tmp_path.glob("*partial*"))


def test_wal_directory_apart_goes_with_its_data(shell: FarShell, tmp_path: Path) -> None:
    """Both are renamed, both come, both come back; a restored WAL lies in the data until then."""
    _data(tmp_path / "etcd", "old", wal=tmp_path / "wal")
    built = _data(tmp_path / "built", "new")
    directory = DataDirectory(shell, DataPlace(str(tmp_path / "etcd"), str(tmp_path / "wal")))

    directory.set_aside(recovery_id=RECOVERY, until=_soon())
    directory.put(built, recovery_id=RECOVERY, until=_soon())
    directory.put(built, recovery_id=RECOVERY, until=_soon())
    placed = (tmp_path / "wal" / "0.wal").read_text()
    apart = not (tmp_path / "etcd" / "member" / "wal").exists()
    directory.put_back(recovery_id=RECOVERY, until=_soon())
    again = directory.put_back(recovery_id=RECOVERY, until=_soon())

    assert placed == "new"
    assert apart
    assert not again
    assert (tmp_path / "wal" / "0.wal").read_text() == "old"
    assert (tmp_path / "wal.etcd-dr-r1-abandoned" / "0.wal").read_text() == "new"


def test_link_to_a_data_directory_stays(shell: FarShell, tmp_path: Path) -> None:
    """What it points to is renamed, on that disk."""
    (tmp_path / "disk").mkdir()
    _data(tmp_path / "disk" / "data", "old")
    (tmp_path / "etcd").symlink_to(tmp_path / "disk" / "data")
    built = _data(tmp_path / "built", "new")
    directory = DataDirectory(shell, DataPlace(str(tmp_path / "etcd")))

    aside = directory.set_aside(recovery_id=RECOVERY, until=_soon())
    directory.put(built, recovery_id=RECOVERY, until=_soon())

    assert aside == str(tmp_path / "disk" / "data.etcd-dr-r1")
    assert (tmp_path / "etcd").is_symlink()
    assert (tmp_path / "etcd" / "member" / "snap" / "db").read_text() == "new"


def test_mount_point_keeps_its_name(tmp_path: Path) -> None:
    """A disk of its own at /var/lib/etcd is common, and cannot be renamed: the member directory in it is."""
    if os.geteuid() != 0 or subprocess.run(["unshare", "-m", "true"], capture_output=True, check=False).returncode:
        pytest.skip("mounting needs root and unshare(1)")
    disk, mount = tmp_path / "disk", tmp_path / "etcd"
    _data(disk, "old")
    (disk / "lost+found").mkdir()
    mount.mkdir()
    built = _data(tmp_path / "built", "new")
    mounting = f'mount --make-rprivate /; mount --bind "{disk}" "{mount}"; exec sh "$@"'
    shell = _shell("unshare", "-m", "sh", "-c", mounting, "sh")
    directory = DataDirectory(shell, DataPlace(str(mount)))

    aside = directory.set_aside(recovery_id=RECOVERY, until=_soon())
    directory.put(built, recovery_id=RECOVERY, until=_soon())
    placed = (disk / "member" / "snap" / "db").read_text()
    again = directory.set_aside(recovery_id=RECOVERY, until=_soon())
    sight, _ = see_data(shell, directory.place, is_running=True, until=_soon())
    came_back = directory.put_back(recovery_id=RECOVERY, until=_soon())

    assert aside == again == f"{mount}/member.etcd-dr-r1"
    assert placed == "new"
    assert sight.set_aside == (aside,)
    assert came_back
    assert (disk / "member" / "snap" / "db").read_text() == "old"
    assert sorted(path.name for path in disk.iterdir()) == ["lost+found", "member", "member.etcd-dr-r1-abandoned"]


def test_disk_that_is_full_is_said_and_left_as_it_was(tmp_path: Path) -> None:
    """The bytes needed and free are in the error; a stream that meets the end clears itself away."""
    if os.geteuid() != 0 or subprocess.run(["unshare", "-m", "true"], capture_output=True, check=False).returncode:
        pytest.skip("mounting needs root and unshare(1)")
    disk = tmp_path / "disk"
    disk.mkdir()
    built = _data(tmp_path / "built", "new")
    with (built / "member" / "snap" / "large").open("wb") as file:
        file.truncate(64 << 20)
    mounting = f'mount --make-rprivate /; mount -t tmpfs -o size=8m tmpfs "{disk}"; exec sh "$@"'
    directory = DataDirectory(_shell("unshare", "-m", "sh", "-c", mounting, "sh"), DataPlace(f"{disk}/etcd"))

    with pytest.raises(NodeFault, match="no space") as raised:
        directory.put(built, recovery_id=RECOVERY, until=_soon())

    assert raised.value.context["reason"] == "disk-full"
    assert raised.value.context["needed_bytes"] > raised.value.context["free_bytes"]  # type: ignore[operator]


def test_directory_that_may_not_be_looked_into_is_not_empty(tmp_path: Path) -> None:
    """A login without rights would otherwise see every member as lost."""
    if os.geteuid() != 0 or shutil.which("setpriv") is None:
        pytest.skip("needs root, and setpriv(1) to be nobody")
    _data(tmp_path / "etcd", "old")
    tmp_path.chmod(0o700)
    nobody = _shell("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "sh")

    with pytest.raises(NodeDenied):
        see_data(nobody, DataPlace(str(tmp_path / "etcd")), is_running=True, until=_soon())


def test_disk_that_is_not_mounted_is_not_empty(tmp_path: Path) -> None:
    """After a reboot the directory under the mount point is there, and nothing in it."""
    if os.geteuid() != 0 or subprocess.run(["unshare", "-m", "true"], capture_output=True, check=False).returncode:
        pytest.skip("mounting needs root and unshare(1)")
    (tmp_path / "etcd").mkdir()
    table = tmp_path / "fstab"
    table.write_text(f"# comment\nUUID=1 / ext4 defaults 0 1\n/dev/sdb1 {tmp_path / 'etcd'} ext4 defaults 0 2\n")
    mounting = f'mount --make-rprivate /; touch /etc/fstab; mount --bind "{table}" /etc/fstab; exec sh "$@"'
    shell = _shell("unshare", "-m", "sh", "-c", mounting, "sh")

    with pytest.raises(NotMounted, match="fstab"):
        see_data(shell, DataPlace(str(tmp_path / "etcd")), is_running=False, until=_soon())


@pytest.mark.every_etcd
def test_ids_and_revision_are_those_of_etcd(local_control_plane: Callable[..., object], etcd_binaries: object) -> None:
    """What is read from a stopped member's files is what it said while it ran."""
    plane = local_control_plane(size=1)
    cluster: LocalCluster = plane.cluster  # type: ignore[attr-defined]
    node = plane.control.nodes[0]  # type: ignore[attr-defined]
    with cluster.gateway() as gateway:
        for number in range(300):
            gateway.put_through(b"/places/%d" % number, bytes(500))
        status = gateway.call("/v3/maintenance/status", {})
    node.stop_etcd(recovery_id=RECOVERY, deadline=30)

    data = node.look(deadline=30).data

    assert data.cluster_id == int(status["header"]["cluster_id"])
    assert data.member_id == int(status["header"]["member_id"])
    assert data.peek.revision == int(status["header"]["revision"])
    assert data.peek.consistent_index >= int(status["raftIndex"])
    assert data.peek.term in (None, int(status["raftTerm"]))
    assert data.damage == ""


@pytest.mark.parametrize(
    ("file", "word"), [("member/snap/db", "database"), ("member/wal/0000000000000000-0000000000000000.wal", "WAL")]
)
def test_damage_at_the_head_is_seen(local_control_plane: Callable[..., object], file: str, word: str) -> None:
    """Zeros where a file begins, as a lost write leaves them."""
    plane = local_control_plane(size=1)
    cluster: LocalCluster = plane.cluster  # type: ignore[attr-defined]
    node = plane.control.nodes[0]  # type: ignore[attr-defined]
    node.stop_etcd(recovery_id=RECOVERY, deadline=30)
    with (cluster.members[0].data_dir / file).open("r+b") as opened:
        opened.write(bytes(8192))

    data = node.look(deadline=30).data

    assert word in data.damage
    assert "cannot be read" in data.damage


def _data(directory: Path, word: str, *, wal: Path | None = None) -> Path:
    """Return a directory with the files of a data directory, and a word in each."""
    (directory / "member" / "snap").mkdir(parents=True)
    (directory / "member" / "snap" / "db").write_text(word)
    logs = wal or directory / "member" / "wal"
    logs.mkdir()
    (logs / "0.wal").write_text(word)
    return directory


def _soon() -> float:
    return time.monotonic() + 30
