"""`python -m tools.page_pictures`: write the pictures of docs/status-page.md, from a made-up site and a real Chromium.

The site and its clock are fixed (fakes/status_board.py), so that a picture changes only when the page does.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Any

from fakes.page_client import served
from real.peers.chromium import Chromium, find_chromium

PLACE = Path(__file__).resolve().parents[2] / "docs" / "images"
MOST_BYTES = 200_000

PICTURES: dict[str, tuple[str, dict[str, Any]]] = {
    "status-page-cluster-light.png": ("clusters/prod?range=7d", {"width": 1100, "height": 1040}),
    "status-page-cluster-dark.png": ("clusters/edge-berlin", {"width": 1100, "height": 900, "dark": True}),
    "status-page-overview-light.png": ("", {"width": 1100, "height": 540}),
    "status-page-phone-light.png": ("clusters/staging", {"width": 390, "height": 844, "scale": 1.5}),
    "status-page-phone-dark.png": ("", {"width": 390, "height": 844, "scale": 1.5, "dark": True}),
}


def draw(place: Path, *, whole: bool = False) -> list[Path]:
    """Write all pictures below `place` and return their paths. `whole`: each as long as its page."""
    program = find_chromium()
    if program is None:
        raise SystemExit("no chromium on PATH or in .tools: run `make tools-all`, or install it")
    written = []
    with served() as client, tempfile.TemporaryDirectory() as scratch, Chromium(program, Path(scratch)) as browser:
        for name, (path, look) in PICTURES.items():
            tab = browser.open(f"http://127.0.0.1:{client.port}/{path}", **look)
            tab.value("document.dispatchEvent(new Event('visibilitychange'))")
            tab.wait_for("document.getElementById('live').classList.contains('renewed')")
            (place / name).write_bytes(tab.picture(whole=whole))
            written.append(place / name)
    return written


def main() -> int:
    """Draw into docs/images, or into the directory that is named."""
    place = Path(sys.argv[1]) if len(sys.argv) > 1 else PLACE
    place.mkdir(parents=True, exist_ok=True)
    for path in draw(place, whole="--whole" in sys.argv):
        size = path.stat().st_size
        print(f"{path.name}: {size} bytes{' (too large)' if size > MOST_BYTES else ''}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
