"""Stand-in for crictl on a node with our kubelet: `ps -q --name REGEX`, `ps -a -o json` and `logs --tail N ID`.

A file `crictl-hangs` in STATE_DIRECTORY makes every command hang, one named `crictl-fails` makes it fail with its text.

STATE_DIRECTORY comes first: the script that stands on the node's PATH puts it there.
"""

from __future__ import annotations

import json
import re
import sys
import time
from pathlib import Path
from typing import Any


def _listed(container: dict[str, Any]) -> dict[str, object]:
    """Return a container as the runtime's API lists it (CRI, ListContainers)."""
    attempt = int(container["id"].rpartition("-")[2]) - 1
    return {
        "id": container["id"],
        "metadata": {"name": container["name"], "attempt": attempt},
        "state": "CONTAINER_RUNNING" if container["running"] else "CONTAINER_EXITED",
    }


def main(state: Path, words: list[str]) -> int:
    if (state / "crictl-hangs").exists():
        time.sleep(120)
    if (state / "crictl-fails").exists():
        print((state / "crictl-fails").read_text(), file=sys.stderr)
        return 1
    containers = json.loads((state / "containers.json").read_text())
    if words[:4] == ["ps", "-a", "-o", "json"]:
        print(json.dumps({"containers": [_listed(each) for each in containers]}))
        return 0
    if words[0] == "ps":
        name = words[words.index("--name") + 1]
        counted = [each for each in containers if each["running"] or "-a" in words]
        print("\n".join(each["id"] for each in counted if re.search(name, each["name"])))
        return 0
    if words[0] == "logs":
        # A container that ended in the meantime keeps its log, as in a real runtime: all of a pod's are one file here.
        name = words[-1].rpartition("-")[0]
        log = next(Path(each["log"]) for each in containers if each["name"] == name)
        print("\n".join(log.read_text(errors="replace").splitlines()[-int(words[words.index("--tail") + 1]) :]))
        return 0
    print(f"unknown command {words[0]}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    raise SystemExit(main(Path(sys.argv[1]), sys.argv[2:]))
