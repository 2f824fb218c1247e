"""Stand-in for crictl on a node with our kubelet: `ps -q --name REGEX` and `logs --tail N ID`.

STATE_DIRECTORY comes first: the script that stands on the node's PATH puts it there.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path


def main(state: Path, words: list[str]) -> int:
    containers = json.loads((state / "containers.json").read_text())
    if words[0] == "ps":
        name = words[words.index("--name") + 1]
        print("\n".join(each["id"] for each in containers if re.search(name, each["name"])))
        return 0
    if words[0] == "logs":
        log = next(Path(each["log"]) for each in containers if each["id"] == words[-1])
        print("\n".join(log.read_text(errors="replace").splitlines()[-int(words[words.index("--tail") + 1]) :]))
        return 0
    print(f"unknown command {words[0]}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    raise SystemExit(main(Path(sys.argv[1]), sys.argv[2:]))
