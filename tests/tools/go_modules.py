"""Builds current etcd minors, and age, from their Go modules, where Go is installed.

- A minor is built at its newest release, asked of the module proxy this machine's Go is set up with.
- etcd's modules carry `replace` lines, with which `go install module@version` refuses to work; a scratch module that
  requires the three of them at one version builds the same programs.
- Go's own caches are used as the machine has them; only the programs land in the place.
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from .place import NotServed, Place, run

ETCD_MINORS = ("3.6", "3.7")
_SERVER, _CTL, _UTL = "go.etcd.io/etcd/server/v3", "go.etcd.io/etcd/etcdctl/v3", "go.etcd.io/etcd/etcdutl/v3"
_AGE = "filippo.io/age"
_BUILD_SECONDS = 1800


def is_installed() -> bool:
    return shutil.which("go") is not None


def build_etcd(place: Place, minor: str) -> Path:
    """Build etcd, etcdctl and etcdutl of the newest release of a minor such as `3.6`; one to three minutes."""
    with place.partial() as scratch:
        version = newest_release(_SERVER, minor, cwd=scratch)
        _scratch_module(scratch, *(f"{module}@{version}" for module in (_SERVER, _CTL, _UTL)))
        # The last path element names the program, and `server` would be a poor name for etcd.
        _build(scratch, "-o", "etcd", _SERVER)
        _build(scratch, "-o", "etcdctl", _CTL)
        _build(scratch, "-o", "etcdutl", _UTL)
        return place.put_etcd(f"go-{minor}", scratch=scratch, find=lambda name: scratch / name)


def build_age(place: Place) -> list[Path]:
    """Build the stock age programs."""
    with place.partial() as scratch:
        _scratch_module(scratch, f"{_AGE}@latest")
        entries = []
        for name in ("age", "age-keygen"):
            _build(scratch, "-o", name, f"{_AGE}/cmd/{name}")
            entries.append(place.put_program(f"go-{name}", scratch / name))
        return entries


def newest_release(module: str, minor: str, *, cwd: Path) -> str:
    """Return the highest `vMINOR.patch` of a module, pre-releases left out."""
    known = run("go", "list", "-m", "-versions", module, cwd=cwd, seconds=120).split()
    patches = [int(match[1]) for version in known if (match := re.fullmatch(rf"v{re.escape(minor)}\.(\d+)", version))]
    if not patches:
        raise NotServed(f"the module proxy knows no release of {module} {minor}")
    return f"v{minor}.{max(patches)}"


def _scratch_module(scratch: Path, *requirements: str) -> None:
    run("go", "mod", "init", "tools.invalid/scratch", cwd=scratch)
    run("go", "get", *requirements, cwd=scratch, seconds=_BUILD_SECONDS)


def _build(scratch: Path, *arguments: str) -> None:
    run("go", "build", "-trimpath", *arguments, cwd=scratch, seconds=_BUILD_SECONDS)
