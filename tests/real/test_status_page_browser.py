"""The status page in a real browser: it loads without a complaint, renews itself, and serves who cannot see or script."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from etcd_dr.domain.answer import Failure
from fakes.observations import healthy, silent, without_quorum
from fakes.page_client import TOKEN, PageClient, served
from fakes.status_board import kept, report_of
from real.peers.chromium import Chromium, Tab, find_chromium
from tools.page_pictures import MOST_BYTES, PICTURES, draw

PROGRAM = find_chromium()
pytestmark = [
    pytest.mark.matrix,  # a browser comes with make tools-all
    pytest.mark.skipif(PROGRAM is None, reason="no chromium on PATH or in .tools: run `make tools-all`, or install it"),
    pytest.mark.xdist_group("chromium"),
]


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chromium]:
    assert PROGRAM is not None
    with Chromium(PROGRAM, tmp_path_factory.mktemp("browser")) as browser:
        yield browser


@pytest.fixture
def client() -> Iterator[PageClient]:
    with served() as client:
        yield client


def address(client: PageClient, path: str = "/") -> str:
    return f"http://127.0.0.1:{client.port}{path}"


def renewed(tab: Tab) -> Tab:
    """Wait until the page has renewed itself; it is told that somebody looks at it again, so that nobody waits long."""
    tab.value(
        "document.getElementById('live').className = 'live'; document.dispatchEvent(new Event('visibilitychange'))"
    )
    tab.wait_for("document.getElementById('live').classList.contains('renewed')")
    return tab


@pytest.mark.parametrize("path", ["/", "/clusters/prod", "/clusters/edge-berlin", "/clusters/edge-oslo"])
def test_it_loads_and_renews_without_a_complaint(browser: Chromium, client: PageClient, path: str) -> None:
    """Nothing on the console, nothing refused by its own policy, nothing thrown."""
    tab = renewed(browser.open(address(client, path)))

    assert tab.complaints == []
    assert tab.value("getComputedStyle(document.querySelector('main')).maxWidth") != "none"


def test_what_happens_is_on_the_page_without_a_reload(browser: Chromium, client: PageClient) -> None:
    """A damaged snapshot, then a lost quorum: the verdict follows, and a screen reader is told."""
    tab = renewed(browser.open(address(client, "/clusters/prod")))
    tab.value("window.stays = true")

    client.board.update("prod", catalogue=kept(newest="stored"))
    renewed(tab)
    tab.wait_for("document.querySelector('#verdict.yes-but') !== null")
    client.board.update("prod", report=report_of(without_quorum(silent(healthy(3), "m2", "m3")), "prod"))
    renewed(tab)
    tab.wait_for("document.querySelector('#verdict .quorum.no') !== null")

    assert tab.value("window.stays") is True
    assert tab.value("document.title").startswith("yes, but: prod")
    assert tab.value("document.getElementById('said').textContent") == "prod, recoverable now: yes, but; quorum lost"
    assert "etcd-dr recover assess --cluster prod" in tab.value("document.querySelector('#verdict').innerText")


_ASK_AND_KEEP_WAITING = """
(async () => {
  const real = window.fetch;
  const asItIs = await (await real(location.href)).text();
  const waiting = new Promise((go) => { window.letGo = go; });
  window.fetch = async () => { window.fetch = real; await waiting; return new Response(asItIs); };
  document.dispatchEvent(new Event("visibilitychange"));
})()
"""


def test_an_answer_that_was_overtaken_undoes_nothing(browser: Chromium, client: PageClient) -> None:
    """What is shown comes from the latest question, in whatever order the answers arrive."""
    tab = renewed(browser.open(address(client, "/clusters/prod")))
    tab.value(_ASK_AND_KEEP_WAITING)
    client.board.update("prod", catalogue=kept(newest="stored"))
    renewed(tab)
    tab.wait_for("document.querySelector('#verdict.yes-but') !== null")

    tab.value("window.letGo(), new Promise((go) => setTimeout(go, 100))")

    assert tab.value("document.querySelector('#verdict.yes-but') !== null") is True
    assert tab.value("document.title").startswith("yes, but: prod")


def test_a_page_that_is_not_renewed_says_so(browser: Chromium) -> None:
    """A verdict from before the connection was lost must not look like one of now."""
    with served() as client:
        tab = renewed(browser.open(address(client, "/clusters/prod")))
    for _ in range(2):
        tab.value("document.dispatchEvent(new Event('visibilitychange'))")
    tab.wait_for("!document.getElementById('lost').hidden")

    assert "Connection lost. What you see is as of 03:12:40 UTC" in tab.value(
        "document.getElementById('lost').innerText"
    )
    assert tab.value("document.body.classList.contains('stopped')") is True


def test_without_scripts_everything_is_there(browser: Chromium, client: PageClient) -> None:
    """The essentials are served, and the browser is asked to load the page again."""
    tab = browser.open("about:blank")
    tab.without_scripts()
    tab.go(address(client, "/clusters/staging"))

    told = " ".join(name for _, name in tab.roles())

    assert "yes, but" in told
    assert "etcd-dr drill run --cluster staging" in told
    assert tab.complaints == []


def test_a_screen_reader_finds_its_way(browser: Chromium, client: PageClient) -> None:
    """Landmarks, one heading for each section, tables with headers, pictures with words."""
    tab = renewed(browser.open(address(client, "/clusters/prod")))

    roles = tab.roles()

    named = {role for role, _ in roles}
    assert {"banner", "main", "contentinfo", "table", "columnheader", "rowheader", "status"} <= named
    headings = [name for role, name in roles if role == "heading"]
    assert headings[0].startswith("prod")
    assert "Recoverable now: yes" in headings[0]
    assert headings[1:] == ["Findings", "Members", "Restore points", "Drills", "Schedule and store"]
    assert [name for role, name in roles if role in ("link", "button", "img", "image") and not name.strip()] == []


def test_the_keyboard_reaches_what_can_be_followed(browser: Chromium, client: PageClient) -> None:
    """First the way past the top, then a cluster; and a renewal does not take the focus away."""
    tab = renewed(browser.open(address(client)))

    tab.press("Tab")
    first = tab.value("document.activeElement.textContent")
    for _ in range(2):
        tab.press("Tab")
    reached = tab.value("document.activeElement.id")
    client.board.update("prod", store_failure=Failure("store.unreachable", "connection refused"))
    renewed(tab)
    tab.wait_for("document.querySelector('#to-prod').closest('tr').classList.contains('unknown')")

    assert first == "Skip to the verdict"
    assert reached == "to-edge-berlin"
    assert tab.value("document.activeElement.id") == reached
    tab.press("Enter")
    tab.wait_for("location.pathname === '/clusters/edge-berlin'")


def test_a_command_can_be_copied(browser: Chromium, client: PageClient) -> None:
    """By one press; the command alone, without the sentence around it."""
    tab = renewed(browser.open(address(client, "/clusters/staging")))

    label = tab.value("document.querySelector('#verdict .copy').getAttribute('aria-label')")
    tab.value("document.querySelector('#verdict .copy').click()")

    assert label == "Copy etcd-dr drill run --cluster staging"
    tab.wait_for("/copied|selected/.test(document.querySelector('#verdict .copy').textContent)")


@pytest.mark.parametrize("path", ["/", "/clusters/prod", "/clusters/edge-berlin"])
def test_a_phone_shows_it_without_scrolling_sideways(browser: Chromium, client: PageClient, path: str) -> None:
    """360 pixels are enough for everything."""
    tab = renewed(browser.open(address(client, path), width=360, height=740))

    assert tab.value("document.documentElement.scrollWidth") <= 360


@pytest.mark.parametrize("dark", [False, True])
def test_every_text_stands_out_from_its_ground(browser: Chromium, client: PageClient, *, dark: bool) -> None:
    """At least 4.5 to 1 for all text (WCAG 2.2, AA), in light and in dark."""
    for path in ("/", "/clusters/edge-berlin", "/clusters/prod", "/clusters/lab"):
        tab = renewed(browser.open(address(client, path), dark=dark))
        assert tab.value(_FAINT_TEXTS) == []


_FAINT_TEXTS = """
(() => {
  const parse = (text) => text.match(/[\\d.]+/g).map(Number);
  const light = ([r, g, b]) => [r, g, b].map((v) => v / 255)
    .map((v) => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const ground = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const colour = parse(getComputedStyle(at).backgroundColor);
      if (colour.length === 3 || colour[3] > 0) return colour;
    }
    return [255, 255, 255];
  };
  const faint = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    if (!walker.currentNode.textContent.trim() || element.closest(".unseen, .skip, .store, noscript, title")) continue;
    const style = getComputedStyle(element);
    const ink = element.closest("svg") ? style.fill : style.color;
    const [a, b] = [light(parse(ink)), light(ground(element))].sort((x, y) => y - x);
    if ((a + 0.05) / (b + 0.05) < 4.5) faint.push(element.textContent.trim() + " " + ink);
  }
  return faint;
})()
"""


def test_a_person_signs_in_and_out(browser: Chromium, tmp_path: Path) -> None:
    """The form, a session in a cookie that scripts cannot read, live renewal with it, and the way out."""
    token_file = tmp_path / "token"
    token_file.write_text(TOKEN)
    with served(token_file=token_file) as client:
        tab = browser.open(address(client, "/clusters/prod"))
        assert tab.value("document.querySelector('h1').textContent") == "Who is there?"

        tab.value(f"document.getElementById('token').value = {TOKEN!r}; document.forms[0].submit()")
        tab.wait_for("document.getElementById('clusters') !== null")
        renewed(tab)

        assert tab.value("document.cookie") == ""
        tab.value("document.querySelector('footer form').submit()")
        tab.wait_for("document.getElementById('token') !== null")


def test_the_pictures_of_the_documentation_can_be_drawn(tmp_path: Path) -> None:
    """Each is there, small enough for a repository, and as wide as it says."""
    written = draw(tmp_path)

    assert [path.name for path in written] == list(PICTURES)
    assert all(path.read_bytes().startswith(b"\x89PNG") and path.stat().st_size < MOST_BYTES for path in written)
