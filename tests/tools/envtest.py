"""A kube-apiserver for the tests that need one: unpacked from a directory at hand, or built from its Go module.

`python -m tools.envtest` is what `make envtest` runs. Looked for, first to last:

1. `KUBEBUILDER_ASSETS`, the directory of binaries that controller-runtime's envtest fills.
2. What an earlier build left in `~/.cache/etcd-dr/envtest` (`XDG_CACHE_HOME`): outside the clone, because it takes
   some ten minutes and serves all of them.
3. `kube-apiserver.xz` in the directory `ETCD_DR_TEST_ENVTEST_DIR`, else in `../shared/envtest` beside the project;
   unpacked into the tools directory the first time somebody asks, in seconds.

- Nothing is downloaded and nothing is built unless this module is run by name.
- Standard library only, as the other places.
"""

from __future__ import annotations

import lzma
import os
import shutil
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from .go_modules import is_installed, newest_release
from .place import NotServed, Place, run, say

PROGRAM = "kube-apiserver"
# One that the client library (kubernetes 37) and the kubectl of `make tools` are made for.
MINOR = "1.37"
_PROJECT = Path(__file__).resolve().parents[2]
_MODULE = "k8s.io/kubernetes"
_BUILD_SECONDS = 3600


def find(environ: Mapping[str, str]) -> Path | None:
    """Return a kube-apiserver at hand, unpacking one if that is all it takes; None when there is none."""
    assets = environ.get("KUBEBUILDER_ASSETS")
    if assets:
        program = Path(assets) / PROGRAM
        return program if program.exists() else None
    built = _cache(environ) / PROGRAM
    if built.exists():
        return built
    return _unpacked(environ)


def build(cache: Path) -> Path:
    """Build the newest kube-apiserver of `MINOR` into `cache`; some ten minutes on two processors.

    Its module carries `replace` lines to directories inside itself, which work for the main module only. A scratch
    module with the same requirements, and with the published modules of the same release in their place, builds it.
    """
    place = Place(cache)
    with place.held(), place.partial() as scratch:
        run("go", "mod", "init", "tools.invalid/scratch", cwd=scratch)
        version = newest_release(_MODULE, MINOR, cwd=scratch)
        _take_over_requirements(scratch, version)
        stamped = f"-s -w -X k8s.io/component-base/version.gitVersion={version}"
        environ = {**os.environ, "CGO_ENABLED": "0", "GOFLAGS": "-mod=mod -buildvcs=false"}
        build = ("go", "build", "-trimpath", "-ldflags", stamped, "-o", PROGRAM, f"{_MODULE}/cmd/{PROGRAM}")
        run(*build, cwd=scratch, env=environ, seconds=_BUILD_SECONDS)
        return (scratch / PROGRAM).replace(cache / PROGRAM)


def _take_over_requirements(scratch: Path, version: str) -> None:
    listed = run("go", "list", "-mod=mod", "-m", "-f", "{{.Dir}}", f"{_MODULE}@{version}", cwd=scratch)
    if not listed.strip():
        run("go", "mod", "download", f"{_MODULE}@{version}", cwd=scratch, seconds=600)
        listed = run("go", "list", "-mod=mod", "-m", "-f", "{{.Dir}}", f"{_MODULE}@{version}", cwd=scratch)
    module = Path(listed.strip())
    staged = f"v0{version.removeprefix('v1')}"  # k8s.io/api v0.37.2 belongs to Kubernetes v1.37.2
    lines = []
    for line in (module / "go.mod").read_text().splitlines():
        if line.startswith("module "):
            lines.append("module tools.invalid/scratch")
        elif "=> ./staging/src/" in line:
            name, _, directory = line.partition(" => ")
            lines.append(f"{name} => {directory.removeprefix('./staging/src/')} {staged}")
        elif not line.startswith("godebug"):
            lines.append(line)
    (scratch / "go.mod").write_text("\n".join([*lines, f"require {_MODULE} {version}", ""]))
    shutil.copyfile(module / "go.sum", scratch / "go.sum")


def _unpacked(environ: Mapping[str, str]) -> Path | None:
    place = Place(Path(environ.get("ETCD_DR_TOOLS_DIR") or _PROJECT / ".tools"))
    program = place.root / "envtest" / PROGRAM
    packed = Path(environ.get("ETCD_DR_TEST_ENVTEST_DIR") or _PROJECT.parent / "shared" / "envtest") / f"{PROGRAM}.xz"
    if program.exists() or not packed.exists():
        return program if program.exists() else None
    with place.held(), place.partial() as scratch:
        program.parent.mkdir(exist_ok=True)
        with lzma.open(packed) as source, (scratch / PROGRAM).open("wb") as target:
            shutil.copyfileobj(source, target, 1 << 20)
        (scratch / PROGRAM).chmod(0o755)
        return (scratch / PROGRAM).replace(program)


def _cache(environ: Mapping[str, str]) -> Path:
    return Path(environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "etcd-dr" / "envtest"


def main() -> int:
    """Say what is at hand; build one where nothing is, or where `--build` asks for a current one."""
    found = find(os.environ)
    if found is not None and "--build" not in sys.argv[1:]:
        say(f"{PROGRAM}: {run(found, '--version', seconds=60).strip()} at {found}")
        return 0
    if not is_installed():
        say(f"no {PROGRAM} at hand, and Go is not installed: name envtest's directory in KUBEBUILDER_ASSETS")
        return 1
    say(f"building the newest {PROGRAM} {MINOR} (some ten minutes)")
    began = time.monotonic()
    try:
        program = build(_cache(os.environ))
    except NotServed as reason:
        say(f"{PROGRAM}: {reason}")
        return 1
    say(f"{PROGRAM}: {program} ({time.monotonic() - began:.0f} s)")
    return 0


if __name__ == "__main__":
    sys.exit(main())
