"""`etcd-dr version`: what a report of a problem begins with."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version

from etcd_dr import __version__
from etcd_dr.entrypoints.cli.run import Run

_LIBRARIES = ("boto3", "grpcio", "protobuf", "pydantic", "pyrage", "zstandard")


def command(run: Run) -> None:
    """Print the version of etcd-dr and of what it stands on."""
    libraries = {name: _version(name) for name in _LIBRARIES}
    document = {
        "version": __version__,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "libraries": libraries,
    }

    def table() -> None:
        run.screen.line(f"etcd-dr {__version__}")
        run.screen.line(f"Python {platform.python_version()} on {platform.platform()}")
        run.screen.line(", ".join(f"{name} {found}" for name, found in libraries.items()))

    run.answer(document, table=table)


def _version(library: str) -> str:
    try:
        return version(library)
    except PackageNotFoundError:
        return "missing"
