"""Unpacks kubernetes-validate: the schemas of Kubernetes' own kinds, and the program that holds manifests against them.

Into a directory of its own rather than into .venv: it is as large as all of it. Of its two sets of schemas the strict
one stays, which knows a field that does not exist from one that does.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from .place import Place, run

NAME = "kubernetes-validate"
_LOCK = Path(__file__).with_name("kubernetes-validate.lock")


def fetch(place: Place) -> list[Path]:
    """Install the locked packages with this interpreter's pip."""
    with place.partial() as scratch:
        whole = scratch / NAME
        pip = [
            sys.executable,
            "-m",
            "pip",
            "install",
            "--quiet",
            "--no-compile",
            "--require-hashes",
            "--only-binary",
            ":all:",
        ]
        run(*pip, "--target", whole, "--requirement", _LOCK, seconds=300)
        for lenient in whole.glob("kubernetes_validate/kubernetes-json-schema/*-local"):
            shutil.rmtree(lenient)
        return [place.put_directory(f"wheel-{NAME}", whole)]
