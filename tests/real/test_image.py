"""The tree that the image holds, made by the steps of the Dockerfile and run as a pod runs it: not root, nothing to write."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from etcd_dr import __version__
from etcd_dr.adapters.etcd_programs import InstalledPrograms
from etcd_dr.adapters.local_cluster import EtcdBinaries

pytestmark = [pytest.mark.matrix, pytest.mark.timeout(900)]

IMAGE = Path(__file__).resolve().parents[2] / "deploy" / "image"
_NOBODY: dict[str, Any] = {"user": 65532, "group": 65532, "extra_groups": []}


@pytest.fixture(scope="module")
def room() -> Iterator[Path]:
    """A directory that another user may look into."""
    directory = Path(tempfile.mkdtemp(prefix="etcd-dr-image-"))
    directory.chmod(0o755)
    yield directory
    subprocess.run(["chmod", "-R", "u+w", directory], check=True)
    shutil.rmtree(directory)


@pytest.fixture(scope="module")
def tree(room: Path) -> Path:
    """The command with its libraries, as the image has it."""
    made = room / "etcd-dr"
    _made("python-tree.sh", made)
    subprocess.run(["chmod", "-R", "a-w", made], check=True)
    return made


def test_command_runs_for_somebody_who_can_write_nothing(tree: Path, room: Path) -> None:
    """It starts from a tree that is not its own, says its version, and leaves no file there."""
    before = _facts(tree)

    done = _as_in_a_pod([tree / "bin" / "etcd-dr", "version", "-o", "json"], home=room)

    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["version"] == __version__
    assert _facts(tree) == before


def test_runbooks_came_with_the_program(tree: Path, room: Path) -> None:
    """Somebody in a shell of the pod has no browser."""
    done = _as_in_a_pod([tree / "bin" / "etcd-dr", "docs", "EtcdDRQuorumLost"], home=room)

    assert done.stdout.startswith("# Quorum is lost\n"), done.stderr


def test_whole_story_happens_from_that_tree(tree: Path, room: Path, etcd_binaries: EtcdBinaries) -> None:
    """Snapshots, proofs, a recovery and a drill need nothing that the tree and etcd's programs do not bring."""
    programs, home = room / "programs", room / "home"
    for program in (etcd_binaries.etcd, etcd_binaries.etcdctl, etcd_binaries.etcdutl):
        if program is not None:
            programs.mkdir(exist_ok=True)
            shutil.copy(program, programs)
    home.mkdir()
    home.chmod(0o777)
    before = _facts(tree)

    done = _as_in_a_pod([tree / "bin" / "etcd-dr", "demo"], home=home, path=f"{tree / 'bin'}:{programs}:/usr/bin:/bin")

    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    assert _facts(tree) == before


def test_tree_tells_what_it_is_made_of(tree: Path) -> None:
    """Every locked library is there with its metadata, from which an SBOM is made; no installer is."""
    code = "import json; from importlib.metadata import distributions as d; print(json.dumps([[x.name, x.version] for x in d()]))"
    done = subprocess.run([tree / "bin" / "python", "-I", "-c", code], capture_output=True, text=True, check=True)

    there = {(name.lower().replace("_", "-").replace(".", "-"), version) for name, version in json.loads(done.stdout)}
    locked = set(re.findall(r"^(\S+)==([^\s;]+)", (IMAGE / "requirements.lock").read_text(), re.MULTILINE))

    assert ("etcd-dr", __version__) in there
    assert there - locked == {("etcd-dr", __version__)}
    assert not list(tree.glob("**/direct_url.json"))


def test_tree_is_never_laid_over_another(tree: Path) -> None:
    """What is there already is left alone."""
    done = subprocess.run(["sh", IMAGE / "python-tree.sh", tree], capture_output=True, text=True, check=False)

    assert done.returncode != 0
    assert "already there" in done.stderr


def test_programs_of_etcd_are_built_the_same_each_time(room: Path) -> None:
    """The pinned release comes out, is found on PATH, and a second build gives the same bytes."""
    if shutil.which("go") is None:
        pytest.skip("Go is not installed")
    minor = "3.7"
    pinned = re.search(r"etcd/server/v3 v(\S+)", (IMAGE / "etcd" / minor / "go.mod").read_text())
    assert pinned

    for build in ("first", "second"):
        _made("etcd-programs.sh", room / build, minor)
    found = InstalledPrograms([], search_path=str(room / "first" / f"etcd-{minor}"))

    for name in ("etcd", "etcdctl", "etcdutl"):
        assert [str(program.version) for program in found.find(name)] == [pinned[1]], name
        once, again = (room / build / f"etcd-{minor}" / name for build in ("first", "second"))
        assert _digest(once) == _digest(again), name


def _made(script: str, *words: str | Path) -> None:
    done = subprocess.run(
        ["sh", IMAGE / script, *words],
        env={**os.environ, "PYTHON": sys.executable},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def _as_in_a_pod(command: list[str | Path], *, home: Path, path: str = "") -> subprocess.CompletedProcess[str]:
    """Run without any right beyond its own files, and without anything of this environment.

    The user of the image, where this may become another one and that one may read the interpreter; else user 0 without
    capabilities, to whom the tree's missing write bits mean what they say (the chart's `etcdCertificates.hostPath`).
    """
    other: dict[str, Any] = {}
    if os.geteuid() == 0 and _may_run(Path(command[0]).with_name("python")):
        other = _NOBODY
    elif os.geteuid() == 0:
        command = [shutil.which("setpriv") or "setpriv", "--bounding-set=-all", "--inh-caps=-all", *command]
    environ = {"HOME": str(home), "TMPDIR": str(home), "PATH": path, "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run(
        command, env=environ, cwd="/", capture_output=True, text=True, check=False, timeout=240, **other
    )


def _may_run(python: Path) -> bool:
    try:
        return subprocess.run([python, "-c", ""], check=False, cwd="/", **_NOBODY).returncode == 0
    except PermissionError:
        return False


def _facts(tree: Path) -> dict[str, int]:
    return {str(path): path.lstat().st_mtime_ns for path in tree.rglob("*")}


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
