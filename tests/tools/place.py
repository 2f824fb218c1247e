"""The directory that tools are put into: whole or not at all, by one process at a time.

- Nothing half-downloaded is ever visible under its final name: work happens in a `.partial-*` sibling, then rename.
- A source (a Debian suite, a Go minor) that was served leaves a stamp naming the entry it gave, so a later run
  needs neither network nor write access; removing the directory is the way to fetch anew.
- `held` serialises processes. What a killed one left behind is removed by the next.
"""

from __future__ import annotations

import contextlib
import fcntl
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

ETCD_PROGRAMS = ("etcd", "etcdctl", "etcdutl")


class NotServed(Exception):
    """This place cannot give what was asked here and now; the text says why, in one line."""


def say(line: str) -> None:
    """Tell the person at the terminal; one line per event, never interleaved."""
    sys.stderr.write(f"tools: {line}\n")
    sys.stderr.flush()


def run(*command: str | Path, cwd: Path | None = None, env: Mapping[str, str] | None = None, seconds: int = 600) -> str:
    """Return what the command printed on standard output; raise NotServed with the line of complaint that says most."""
    try:
        done = subprocess.run(  # noqa: UP022 - both streams are needed apart
            [str(part) for part in command],
            cwd=cwd,
            env=None if env is None else dict(env),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            timeout=seconds,
            check=False,
        )
    except FileNotFoundError as error:
        raise NotServed(f"{command[0]} is not installed") from error
    except subprocess.TimeoutExpired as error:
        raise NotServed(f"{command[0]} took longer than {seconds} s") from error
    if done.returncode != 0:
        raise NotServed(f"{Path(str(command[0])).name}: {_complaint(done.stderr) or f'exit status {done.returncode}'}")
    return done.stdout


def _complaint(errors: str) -> str:
    """Return apt's first error, which names the cause where its last only sums up; else the last line."""
    lines = [line.strip() for line in errors.splitlines() if line.strip()]
    return next((line for line in lines if line.startswith("E: ")), lines[-1] if lines else "")


class Place:
    """The tools directory; every method but `held` and `put_*` only reads."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def given_by(self, source: str) -> Path | None:
        """Return the entry that `source` gave in an earlier run, if it is still there."""
        stamp = self.root / ".stamps" / source
        if not stamp.is_file():
            return None
        entry = self.root / stamp.read_text().strip()
        return entry if entry.exists() else None

    def has_etcd(self) -> bool:
        return any(self.root.glob("etcd-*/etcd"))

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Hold the directory alone, waiting for another process that fills it; sweep what a killed one left."""
        self.root.mkdir(parents=True, exist_ok=True)
        with (self.root / ".lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                say(f"waiting for another process that fills {self.root}")
                fcntl.flock(lock, fcntl.LOCK_EX)
            for stale in self.root.glob(".partial-*"):
                shutil.rmtree(stale, ignore_errors=True)
            yield

    @contextlib.contextmanager
    def partial(self) -> Iterator[Path]:
        """Lend a scratch directory on the same file system; it is gone afterwards."""
        with tempfile.TemporaryDirectory(prefix=".partial-", dir=self.root) as scratch:
            yield Path(scratch)

    def put_etcd(self, source: str, *, scratch: Path, find: Callable[[str], Path | None]) -> Path:
        """Move the programs that `find` locates into `etcd-<version>`; the version is what the server reports.

        Programs that do not exist are left out (etcdutl came with 3.5). An entry that is already there stays.
        """
        found = {name: path for name in ETCD_PROGRAMS if (path := find(name)) is not None}
        if "etcd" not in found:
            raise NotServed(f"{source} holds no etcd program")
        found["etcd"].chmod(0o755)
        entry = self.root / f"etcd-{reported_version(found['etcd'])}"
        if not entry.exists():
            whole = scratch / "whole"
            whole.mkdir()
            for name, path in found.items():
                path.chmod(0o755)
                path.rename(whole / name)
            whole.rename(entry)
        self._stamp(source, entry)
        return entry

    def put_program(self, source: str, program: Path) -> Path:
        """Move one program into `bin/`, over an older one."""
        entry = self.root / "bin" / program.name
        entry.parent.mkdir(exist_ok=True)
        program.chmod(0o755)
        program.replace(entry)
        self._stamp(source, entry)
        return entry

    def put_directory(self, source: str, whole: Path) -> Path:
        """Move a finished directory into the place, over an older one."""
        entry = self.root / whole.name
        shutil.rmtree(entry, ignore_errors=True)
        whole.rename(entry)
        self._stamp(source, entry)
        return entry

    def put_library(self, library: Path) -> Path:
        """Copy one shared library into `lib/`, under the name it is asked for, over an older one."""
        entry = self.root / "lib" / library.name
        entry.parent.mkdir(exist_ok=True)
        partial = entry.with_name(f".{entry.name}.new")
        shutil.copyfile(library.resolve(), partial)
        partial.replace(entry)
        return entry

    def _stamp(self, source: str, entry: Path) -> None:
        stamp = self.root / ".stamps" / source
        stamp.parent.mkdir(exist_ok=True)
        stamp.write_text(f"{entry.relative_to(self.root)}\n")


def reported_version(etcd: Path) -> str:
    """Return `3.5.30` from the first line of `etcd --version`, which reads `etcd Version: 3.5.30`."""
    first_line = run(etcd, "--version", seconds=30).partition("\n")[0]
    return first_line.rpartition(" ")[2].strip()
