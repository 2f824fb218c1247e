"""A headless Chromium that a test drives, spoken to over a pipe in the DevTools protocol: no driver, no library, no port.

    with Chromium(program, directory) as browser:
        tab = browser.open("http://127.0.0.1:9380/")
        assert tab.value("document.title") == "..."
        assert tab.complaints == []

What the page says on its console, what it throws and what the browser refuses (content security policy) is kept in
`complaints`.
"""

from __future__ import annotations

import base64
import fcntl
import json
import os
import select
import shutil
import signal
import time
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

_QUIET = (
    "--headless=new",
    "--no-sandbox",  # tests run as root in containers; the pages are our own
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--disable-extensions",
    "--hide-scrollbars",
    "--force-color-profile=srgb",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost",
    "--remote-debugging-pipe",
)
_DEADLINE_SECONDS = 60.0
_BETWEEN_TWO_PAGES = ("Cannot find context", "context was destroyed", "navigated or closed")
"""What the browser says of a question that comes while a form or a link leads elsewhere."""


def find_chromium() -> Path | None:
    """Return the browser of this machine, else the one that `make tools-all` unpacks, or None."""
    tools = Path(os.environ.get("ETCD_DR_TOOLS_DIR") or ".tools").absolute()
    names = ("chromium", "chromium-browser", "google-chrome")
    places = f"{os.environ.get('PATH', '')}:{tools / 'bin'}"
    found = next((path for name in names if (path := shutil.which(name, path=places))), None)
    return Path(found) if found else None


class Chromium:
    """One browser with an empty profile below `directory`."""

    def __init__(self, program: Path, directory: Path) -> None:
        self._profile = directory / "chromium-profile"
        self._log = directory / "chromium.log"
        self._program = program
        self._numbers = 0
        self._pending = b""
        self._heard: list[dict[str, Any]] = []

    def __enter__(self) -> Self:
        # The browser reads commands from its descriptor 3 and writes answers to 4; ours are above, lest one covers another.
        theirs_in, self._to = (_above(end) for end in os.pipe())
        self._from, theirs_out = (_above(end) for end in os.pipe())
        command = [str(self._program), *_QUIET, f"--user-data-dir={self._profile}", "about:blank"]
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
        self._pid = os.posix_spawn(
            self._program,
            command,
            os.environ,
            file_actions=[
                (os.POSIX_SPAWN_DUP2, theirs_in, 3),
                (os.POSIX_SPAWN_DUP2, theirs_out, 4),
                (os.POSIX_SPAWN_OPEN, 1, str(self._log), flags, 0o600),
                (os.POSIX_SPAWN_DUP2, 1, 2),
            ],
            setsid=True,
        )
        os.close(theirs_in)
        os.close(theirs_out)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        with suppress(Exception):
            self.ask("Browser.close")
        end = time.monotonic() + 10
        while os.waitpid(self._pid, os.WNOHANG) == (0, 0) and time.monotonic() < end:
            time.sleep(0.02)
        with suppress(ProcessLookupError):
            os.killpg(self._pid, signal.SIGKILL)  # its own session: nobody else's processes are in it
        with suppress(ChildProcessError):
            os.waitpid(self._pid, 0)
        os.close(self._to)
        os.close(self._from)

    def open(self, url: str, *, width: int = 1200, height: int = 900, scale: float = 1.0, dark: bool = False) -> Tab:
        """Return a tab that has loaded `url`. `scale` is device pixels for each CSS pixel."""
        target = self.ask("Target.createTarget", url="about:blank")["targetId"]
        session = self.ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        tab = Tab(self, session)
        for domain in ("Page", "Runtime", "Log", "Network", "Accessibility"):
            tab.ask(f"{domain}.enable")
        tab.ask("Page.setLifecycleEventsEnabled", enabled=True)
        tab.ask(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=scale,
            mobile=width < 600,
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        tab.ask("Emulation.setEmulatedMedia", features=[scheme])
        tab.go(url)
        return tab

    def ask(self, method: str, *, session: str = "", **parameters: Any) -> dict[str, Any]:
        """Return the result of one command. Raises RuntimeError for an error of the browser, TimeoutError for silence."""
        self._numbers += 1
        number = self._numbers
        message: dict[str, Any] = {"id": number, "method": method, "params": parameters}
        if session:
            message["sessionId"] = session
        os.write(self._to, json.dumps(message).encode() + b"\0")
        end = time.monotonic() + _DEADLINE_SECONDS
        while True:
            heard = self.hear(end)
            if heard.get("id") == number:
                if "error" in heard:
                    raise RuntimeError(f"{method}: {heard['error']['message']}")
                return dict(heard["result"])
            self._heard.append(heard)

    def hear(self, end: float) -> dict[str, Any]:
        """Return the next message of the browser."""
        while b"\0" not in self._pending:
            ready, _, _ = select.select([self._from], [], [], max(0.0, end - time.monotonic()))
            piece = os.read(self._from, 1 << 20) if ready else b""
            if not piece:
                raise TimeoutError(f"the browser is silent: {self._log.read_text(errors='replace')[-2000:]}")
            self._pending += piece
        body, _, self._pending = self._pending.partition(b"\0")
        return dict(json.loads(body))

    def events_of(self, session: str) -> list[dict[str, Any]]:
        """Return and forget what was told about a tab so far."""
        ours = [told for told in self._heard if told.get("sessionId") == session]
        self._heard = [told for told in self._heard if told.get("sessionId") != session]
        return ours


def _above(descriptor: int) -> int:
    """Return the same end of a pipe under a number from 10 on."""
    moved = fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, 10)
    os.close(descriptor)
    return moved


class Tab:
    """One page in the browser."""

    def __init__(self, browser: Chromium, session: str) -> None:
        self._browser = browser
        self._session = session
        self._complaints: list[str] = []
        self._loaded: set[str] = set()

    def ask(self, method: str, **parameters: Any) -> dict[str, Any]:
        result = self._browser.ask(method, session=self._session, **parameters)
        for told in self._browser.events_of(self._session):
            self._note(told)
        return result

    def go(self, url: str) -> None:
        """Load an address and wait until it is there: this one, and not what the tab had before it."""
        self._wait_for_load(self.ask("Page.navigate", url=url)["loaderId"])

    def value(self, expression: str) -> Any:
        """Return what a JavaScript expression is, as JSON has it."""
        found = self.ask("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in found:
            raise RuntimeError(f"{expression}: {found['exceptionDetails']}")
        return found["result"].get("value")

    def wait_for(self, expression: str, *, seconds: float = 40.0) -> None:
        """Look again every 100 ms until the expression is true."""
        end = time.monotonic() + seconds
        while not self._is_so(expression):
            assert time.monotonic() < end, f"never: {expression}\n{self.value('document.body.innerText')}"
            time.sleep(0.1)

    def _is_so(self, expression: str) -> bool:
        try:
            return bool(self.value(expression))
        except RuntimeError as error:
            if not any(words in str(error) for words in _BETWEEN_TWO_PAGES):
                raise
            return False

    def without_scripts(self) -> None:
        """From the next load on, run no script of the page."""
        self.ask("Emulation.setScriptExecutionDisabled", value=True)

    def press(self, key: str) -> None:
        """Press and let go of a key: Tab, Enter."""
        code = {"Tab": 9, "Enter": 13}[key]
        text = {"text": "\r"} if key == "Enter" else {}
        for kind in ("keyDown", "keyUp"):
            self.ask(
                "Input.dispatchKeyEvent",
                type=kind,
                key=key,
                code=key,
                windowsVirtualKeyCode=code,
                **(text if kind == "keyDown" else {}),
            )

    def picture(self, *, whole: bool = False) -> bytes:
        """Return the view as PNG, or the whole page."""
        shot = self.ask("Page.captureScreenshot", format="png", captureBeyondViewport=whole, **self._clip(whole))
        return base64.b64decode(shot["data"])

    @property
    def complaints(self) -> list[str]:
        """Errors and warnings of the console, exceptions, and what the browser refused to load."""
        self.value("1")
        return list(self._complaints)

    def roles(self) -> list[tuple[str, str]]:
        """Return role and name of everything that a screen reader is told of."""
        nodes = self.ask("Accessibility.getFullAXTree")["nodes"]
        return [
            (node["role"]["value"], node.get("name", {}).get("value", ""))
            for node in nodes
            if not node.get("ignored") and "role" in node
        ]

    def _clip(self, whole: bool) -> dict[str, Any]:
        if not whole:
            return {}
        size = self.ask("Page.getLayoutMetrics")["cssContentSize"]
        return {"clip": {"x": 0, "y": 0, "width": size["width"], "height": size["height"], "scale": 1}}

    def _wait_for_load(self, loader_id: str) -> None:
        end = time.monotonic() + _DEADLINE_SECONDS
        while loader_id not in self._loaded:
            assert time.monotonic() < end, "the page never loaded"
            told = self._browser.hear(end)
            if told.get("sessionId") == self._session:
                self._note(told)

    def _note(self, told: dict[str, Any]) -> None:
        parameters = told.get("params", {})
        match told.get("method"):
            case "Page.lifecycleEvent" if parameters["name"] == "load":
                self._loaded.add(parameters["loaderId"])
            case "Runtime.consoleAPICalled" if parameters["type"] in ("error", "warning", "assert"):
                self._complaints.append(" ".join(str(a.get("value", a)) for a in parameters["args"]))
            case "Runtime.exceptionThrown":
                self._complaints.append(str(parameters["exceptionDetails"]))
            case "Log.entryAdded" if parameters["entry"]["level"] in ("error", "warning"):
                self._complaints.append(f"{parameters['entry']['text']} {parameters['entry'].get('url', '')}")
            case _:
                pass
