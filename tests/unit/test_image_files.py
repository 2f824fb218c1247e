"""What the image is made from, without making it (tests/real/test_image.py makes it)."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[2]
DOCKERFILE = PROJECT / "deploy" / "Dockerfile"
IMAGE = PROJECT / "deploy" / "image"
MINORS = sorted(path.name for path in (IMAGE / "etcd").iterdir())


def test_libraries_of_the_image_are_those_of_the_tests() -> None:
    """What runs in a cluster was tested: the same versions, and of what tests alone need nothing. Renew: make lock."""
    tested, shipped = _pinned(PROJECT / "tests" / "requirements.lock"), _pinned(IMAGE / "requirements.lock")

    assert shipped <= tested
    assert not {"pytest", "hypothesis", "ruff", "mypy", "hatchling"} & {name for name, _ in shipped}


def test_image_has_every_library_that_the_program_names() -> None:
    """No dependency of pyproject.toml is missing from the lock of the image."""
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    named = {re.split(r"[<>=\[ ;]", line)[0] for line in project["dependencies"]}

    assert named <= {name for name, _ in _pinned(IMAGE / "requirements.lock")}


@pytest.mark.parametrize("lock", ["requirements.lock", "build.lock"])
def test_every_package_is_checked_against_a_hash(lock: str) -> None:
    """pip refuses what differs, and so does a reader: no package stands without one."""
    blocks = re.split(r"\n(?=[a-z0-9])", (IMAGE / lock).read_text(encoding="utf-8").strip())

    assert all("--hash=sha256:" in block for block in blocks)


@pytest.mark.parametrize("minor", MINORS)
def test_programs_of_a_minor_are_of_one_release(minor: str) -> None:
    """Server and tools are pinned together, with the checksums of their sources."""
    requirements = (IMAGE / "etcd" / minor / "go.mod").read_text(encoding="utf-8")
    checksums = (IMAGE / "etcd" / minor / "go.sum").read_text(encoding="utf-8")

    releases = {
        re.search(rf"go\.etcd\.io/etcd/{module}/v3 (v\S+)", requirements)[1]  # type: ignore[index]  # it must be there
        for module in ("server", "etcdctl", "etcdutl")
    }

    [release] = releases
    assert release.startswith(f"v{minor}.")
    assert f"go.etcd.io/etcd/server/v3 {release} h1:" in checksums


def test_programs_of_every_minor_are_found_at_run_time() -> None:
    """Each directory that is copied into the image is on PATH, the newest first; 3.4 comes from Debian."""
    text = DOCKERFILE.read_text(encoding="utf-8")
    [search] = re.findall(r"^ENV PATH=(\S+)", text, re.MULTILINE)

    on_path = re.findall(r"/opt/etcd/etcd-([\d.]+)", search)

    assert on_path == sorted([*MINORS, "3.4"], reverse=True)
    assert re.findall(r'^ARG ETCD_MINORS="(.*)"', text, re.MULTILINE) == [" ".join(MINORS)]


def test_image_runs_without_root_and_without_a_shell() -> None:
    """A user by number, so that Kubernetes can check it, and an entry point that no shell interprets."""
    final = DOCKERFILE.read_text(encoding="utf-8").rpartition("\nFROM ")[2]

    assert re.findall(r"^USER (.*)", final, re.MULTILINE) == ["65532:65532"]
    assert re.findall(r"^ENTRYPOINT (.*)", final, re.MULTILINE) == ['["etcd-dr"]']
    assert not re.search(r"^(RUN|ADD|SHELL) ", final, re.MULTILINE)


def test_every_base_can_be_replaced() -> None:
    """A site with a registry of its own names its images; none is written into a FROM."""
    named = re.findall(r"^FROM (?:--platform=\S+ )?(\S+)", DOCKERFILE.read_text(encoding="utf-8"), re.MULTILINE)

    assert named
    assert all(re.fullmatch(r"\$\{[A-Z0-9_]+\}", image) for image in named)


def _pinned(lock: Path) -> set[tuple[str, str]]:
    return set(re.findall(r"^([a-z0-9][a-z0-9._-]*)==([^\s;\\]+)", lock.read_text(encoding="utf-8"), re.MULTILINE))
