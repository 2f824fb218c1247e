"""Unpacks etcd, Prometheus, age and others from Debian's suites on any Debian-like machine, without installing them.

- The mirror is the one this machine's own apt is set up with, and so are proxies and certificates; the archive
  keyring is the one on this machine. No host is named here.
- apt works in a private state directory, so nothing here needs root, and the machine's own package lists are
  neither needed nor touched. Signatures are checked; only expiry is not, because mirrors frozen in time are common
  and these programs are test subjects.
- Each suite is fetched by itself, so one that has moved to the archive takes nothing else with it.
"""

from __future__ import annotations

import os
from pathlib import Path

from .place import NotServed, Place, run

# bookworm, trixie and sid carry 3.4, 3.5.16 and a current 3.5; what they carry today is asked of the binary.
ETCD_SUITES = ("bookworm", "trixie", "sid")
# The oldest suite asks for the oldest C library, so its programs run on every machine that is still in use.
PROGRAM_SUITE = ETCD_SUITES[0]
# Program in bin/ -> the package it comes in.
PROGRAMS = {"age": "age", "age-keygen": "age", "zstd": "zstd", "sshd": "openssh-server", "busybox": "busybox-static"}
# What tests of alerts need and a demo does not.
MONITORING_PROGRAMS = {
    "prometheus": "prometheus",
    "promtool": "prometheus",
    "prometheus-alertmanager": "prometheus-alertmanager",
    "amtool": "prometheus-alertmanager",
}
# Program -> a package with a library that machines without the program lack, and the library's name; put into lib/.
LIBRARIES = {"sshd": ("libwrap0", "libwrap.so.0")}

_KEYRINGS = (
    Path("/usr/share/keyrings/debian-archive-keyring.pgp"),
    Path("/usr/share/keyrings/debian-archive-keyring.gpg"),
)
_DEBIAN_RELEASES = {
    *("bullseye", "bookworm", "trixie", "forky", "duke", "sid"),
    *("oldoldstable", "oldstable", "stable", "testing", "unstable"),
}

_APT_CONF = """\
Dir::State::lists "{state}/lists";
Dir::State::status "/dev/null";
Dir::Cache "{state}/cache";
Dir::Etc::sourcelist "{state}/suite.sources";
Dir::Etc::sourceparts "/dev/null";
APT::Sandbox::User "";
Acquire::Languages "none";
Acquire::Check-Valid-Until "false";
Acquire::Retries "1";
Acquire::http::Timeout "20";
Acquire::https::Timeout "20";
Acquire::IndexTargets::deb::DEP-11::DefaultEnabled "false";
Acquire::IndexTargets::deb::DEP-11-icons-small::DefaultEnabled "false";
Acquire::IndexTargets::deb::DEP-11-icons::DefaultEnabled "false";
"""

_SOURCE = """\
Types: deb
URIs: {mirror}
Suites: {suite}
Components: main
"""


def mirror() -> str:
    """Return the address of the Debian archive that this machine's apt uses; raise NotServed if there is none."""
    targets = run("apt-get", "indextargets", "--no-release-info", "--format", "$(RELEASE) $(COMPONENT) $(REPO_URI)")
    for target in targets.splitlines():
        release, component, address = target.split(" ", 2)
        if release in _DEBIAN_RELEASES and component == "main":
            return address
    raise NotServed("this machine's apt has no Debian archive")


def fetch(place: Place, suite: str, *, archive: str, with_etcd: bool, programs: tuple[str, ...]) -> list[Path]:
    """Unpack etcd's packages and the `programs` of one suite into the place; return the new entries."""
    known = PROGRAMS | MONITORING_PROGRAMS
    wanted = {known[name] for name in programs} | {LIBRARIES[name][0] for name in programs if name in LIBRARIES}
    packages = [*(["etcd-server", "etcd-client"] if with_etcd else []), *sorted(wanted)]
    with place.partial() as scratch:
        unpacked = _download(scratch, archive, suite=suite, packages=packages)
        for name in programs:
            if name in LIBRARIES and (library := _library(unpacked, LIBRARIES[name][1])) is not None:
                place.put_library(library)
        entries = [
            place.put_program(f"debian-{name}", program)
            for name in programs
            if (program := _program(unpacked, name)) is not None
        ]
        if with_etcd:
            entries.append(
                place.put_etcd(f"debian-{suite}", scratch=scratch, find=lambda name: _program(unpacked, name))
            )
        return entries


def _program(unpacked: Path, name: str) -> Path | None:
    found = (unpacked / directory / name for directory in ("usr/bin", "usr/sbin", "bin"))
    return next((path for path in found if path.is_file()), None)


def _library(unpacked: Path, name: str) -> Path | None:
    """Return a library under the name that programs ask for, which is a link to the file."""
    return next(unpacked.glob(f"usr/lib/*/{name}"), None) or next(unpacked.glob(f"lib/*/{name}"), None)


def _download(scratch: Path, archive: str, *, suite: str, packages: list[str]) -> Path:
    return download(scratch, private_apt(scratch, archive, suite=suite), packages=packages)


def private_apt(scratch: Path, archive: str, *, suite: str) -> dict[str, str]:
    """Return the environment of an apt that lives in `scratch` and knows one suite only, its lists fetched."""
    state = scratch / "apt"
    (state / "lists" / "partial").mkdir(parents=True)
    (state / "cache" / "archives" / "partial").mkdir(parents=True)
    keyring = next((f"Signed-By: {path}\n" for path in _KEYRINGS if path.exists()), "")
    (state / "suite.sources").write_text(_SOURCE.format(mirror=archive, suite=suite) + keyring)
    (state / "apt.conf").write_text(_APT_CONF.format(state=state))
    private = {**os.environ, "APT_CONFIG": str(state / "apt.conf"), "LC_ALL": "C"}
    # Without the option, a suite that could not be fetched is a warning and exit status 0.
    run("apt-get", "update", "-o", "APT::Update::Error-Mode=any", env=private, seconds=180)
    return private


def download(scratch: Path, private: dict[str, str], *, packages: list[str]) -> Path:
    """Return a directory with the packages' files."""
    fetched, unpacked = scratch / "packages", scratch / "unpacked"
    fetched.mkdir()
    run("apt-get", "download", *packages, cwd=fetched, env=private, seconds=300)
    for package in fetched.glob("*.deb"):
        run("dpkg-deb", "--extract", package, unpacked)
    return unpacked
