"""Unpacks Debian's Chromium with the libraries and the font that it needs, for tests of the status page.

- Nothing is installed: the packages lie in one directory, and `bin/chromium` starts the browser with them.
- The C library and the loader are the machine's own; two of them in one process do not go well. Video drivers are left
  out, because tests draw in software.
- About 110 MB are fetched and 500 MB unpacked, so it comes with `--all` only. A machine that has Chromium on PATH
  needs none of it.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from . import debian_suites
from .place import NotServed, Place, run

NAME = "chromium"
SOURCE = f"debian-{NAME}"
_PACKAGES = ("chromium", "fonts-dejavu-core")
_NOT_CALLED_LIB = frozenset({"chromium", "chromium-common", "fonts-dejavu-core", "fontconfig-config", "zlib1g"})
# The machine's own, drivers, and what only daemons and installers load.
_LEFT_OUT = ("libc6", "libc-bin", "libcrypt", "libllvm", "libgl1-mesa-dri", "libz3", "libperl", "libpam", "libapt")

_LAUNCHER = """\
#!/bin/sh
# Starts the unpacked Chromium with the libraries and the font beside it.
here=$(CDPATH= cd -- "$(dirname -- "$0")/../{entry}" && pwd) || exit
usr=$(echo "$here"/usr/lib/*-linux-gnu*) lib=$(echo "$here"/lib/*-linux-gnu*)
LD_LIBRARY_PATH=$usr:$usr/pulseaudio:$lib \\
  FONTCONFIG_FILE=$here/fonts.conf exec "$here/usr/lib/chromium/chromium" "$@"
"""
_FONTS = """\
<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig><dir prefix="relative">usr/share/fonts</dir></fontconfig>
"""


def fetch(place: Place) -> list[Path]:
    """Unpack it into the place and return the program. Raises NotServed, also where it does not run here."""
    suite = debian_suites.PROGRAM_SUITE
    with place.partial() as scratch:
        private = debian_suites.private_apt(scratch, debian_suites.mirror(), suite=suite)
        unpacked = debian_suites.download(scratch, private, packages=_needed(private))
        (unpacked / "fonts.conf").write_text(_FONTS)
        entry = place.root / f"{NAME}-{suite}"
        shutil.rmtree(entry, ignore_errors=True)
        unpacked.rename(entry)
        launcher = scratch / NAME
        launcher.write_text(_LAUNCHER.format(entry=entry.name))
        program = place.put_program(SOURCE, launcher)
    try:
        run(program, "--version", seconds=60)
    except NotServed:
        program.unlink()
        raise
    return [program]


def _needed(private: dict[str, str]) -> list[str]:
    asked = ("apt-get", "install", "--simulate", "--no-install-recommends", *_PACKAGES)
    return needed_of(run(*asked, env=private, seconds=60))


def needed_of(simulated: str) -> list[str]:
    """Return the packages that make it run, of those that apt would install: less what the machine has and what tests
    do not need."""
    names = [line.split()[1] for line in simulated.splitlines() if line.startswith("Inst ")]
    libraries = [name for name in names if name.startswith("lib") and not name.startswith(_LEFT_OUT)]
    return [*(name for name in names if name in _NOT_CALLED_LIB), *libraries]
