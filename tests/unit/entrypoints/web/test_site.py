"""What the pages and their JSON say, and what they never do, over real HTTP."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

from etcd_dr.domain.answer import Answer, Failure
from etcd_dr.domain.health import Finding, Severity
from etcd_dr.domain.member_health import MemberHealth, MemberRole
from etcd_dr.domain.proof import ProofResult
from etcd_dr.domain.recovery.watched import WatchedRecovery, WatchedState
from etcd_dr.entrypoints.operator.board import ClusterState, StatusBoard
from etcd_dr.ports.leadership import LeadershipMode, Standing
from fakes.catalogue import catalogue_of, snapshot
from fakes.observations import healthy
from fakes.page_client import PageClient, served
from fakes.standing_leadership import StandingLeadership
from fakes.status_board import NOW, made_up_board, report_of

PAGES = ["/", *(f"/clusters/{name}" for name in ("prod", "staging", "edge-berlin", "lab", "edge-oslo"))]
HOSTILE = "<script>alert(1)</script>\x1b[2J\u202e'\"><img src=x onerror=alert(2)>"


class Outline(HTMLParser):
    """The tags of a page, its ids, and whether they are nested properly."""

    VOID = frozenset({"meta", "link", "input", "br", "use", "path", "circle", "rect", "line"})

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        if tag not in self.VOID:
            assert self.open.pop() == tag, f"</{tag}> closes something else"

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


@pytest.fixture(scope="module")
def client() -> Iterator[PageClient]:
    """One site for all who only read."""
    with served() as client:
        yield client


def text_of(page: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", page))


@pytest.mark.parametrize("path", PAGES)
def test_every_page_is_well_formed_and_needs_nothing_from_elsewhere(client: PageClient, path: str) -> None:
    """No CDN, no inline script or style, one main, ids that are unique, tables with headers."""
    answer = client.ask(path)
    outline = Outline(answer.body)
    ids = [i for _, attributes in outline.tags if (i := attributes.get("id"))]
    addresses = [a for _, at in outline.tags for a in (at.get("href"), at.get("src"), at.get("action")) if a]

    assert answer.status == 200
    assert outline.open == []
    assert len(ids) == len(set(ids))
    assert [a for a in addresses if not a.startswith(("/", "#", "?"))] == []
    assert outline.all("style") == []
    assert [s for s in outline.all("script") if "src" not in s] == []
    assert [at for _, at in outline.tags if "style" in at or any(name.startswith("on") for name in at)] == []
    assert (len(outline.all("main")), len(outline.all("h1"))) == (1, 1)
    assert all(th.get("scope") for th in outline.all("th"))
    assert outline.all("html")[0]["lang"] == "en"
    assert '<noscript><meta http-equiv="refresh"' in answer.body


@pytest.mark.parametrize("path", [*PAGES, "/nowhere", "/static/page.css", "/api/v1/clusters", "/login"])
def test_every_answer_forbids_what_the_page_does_not_need(client: PageClient, path: str) -> None:
    """Also those that say no."""
    headers = client.ask(path).headers

    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert "server" not in headers
    assert ("no-store" in headers["cache-control"]) is not path.startswith("/static/")


def test_the_verdict_is_the_first_thing_that_is_said(client: PageClient) -> None:
    """With its figures, before anything else of the page."""
    told = text_of(client.ask("/clusters/staging").body.partition("<main")[2])

    assert told.index("Recoverable now: yes, but") < told.index("would lose at most") < told.index("Members")
    assert "12m 40s" in told
    assert "1h just before the next snapshot" in told
    assert "etcd-dr drill run --cluster staging" in told


def test_the_worst_cluster_is_the_first_of_all(client: PageClient) -> None:
    """Of fifty, one is looked for."""
    page = client.ask("/").body

    assert re.findall(r'id="to-([a-z-]+)"', page) == ["edge-berlin", "edge-oslo", "lab", "staging", "prod"]
    assert "<title>1 without quorum, 1 no, 1 unknown, 2 yes, but, 1 yes · etcd-dr</title>" in page


def test_a_change_on_the_board_is_on_the_page() -> None:
    """The next look shows it."""
    with served() as client:
        before = client.ask("/clusters/prod").body

        client.board.update("prod", store_failure=Failure("store.unreachable", "connection refused"))

        assert "<title>yes: prod" in before
        assert "<title>unknown: prod" in client.ask("/clusters/prod").body


def hostile_board() -> StatusBoard:
    """Everything that comes from elsewhere says something hostile."""
    report = report_of(healthy(3), "prod")
    member = MemberHealth(
        label=HOSTILE, role=MemberRole.VOTER, answers=False, failure=HOSTILE, version=HOSTILE, alarms=(HOSTILE,)
    )
    finding = Finding(HOSTILE, Severity.CRITICAL, HOSTILE, f"Run: etcd-dr snapshot show {HOSTILE}", member=HOSTILE)
    report = replace(
        report,
        members=(member,),
        findings=(finding,),
        quorum=replace(report.quorum, reason=HOSTILE, would_tell=HOSTILE),
    )
    damaged = snapshot("2026-08-20 03:00", state="damaged", cluster=HOSTILE)
    proofs = tuple(p.model_copy(update={"detail": HOSTILE, "result": ProofResult.FAILED}) for p in damaged.proofs)
    failure = Failure(HOSTILE, HOSTILE, f"See: etcd-dr snapshot list; {HOSTILE}")
    return StatusBoard(
        [
            ClusterState(
                cluster="prod",
                store=HOSTILE,
                report=report,
                catalogue=catalogue_of(replace(damaged, proofs=proofs)),
                catalogue_read_at=NOW,
                store_failure=failure,
                failures=1,
                last_failure=failure,
                recovery=Answer(
                    WatchedRecovery(HOSTILE, WatchedState.FAILED, NOW, by=HOSTILE, step=HOSTILE, detail=HOSTILE)
                ),
            )
        ]
    )


@pytest.mark.parametrize("path", ["/", "/clusters/prod"])
def test_hostile_names_are_harmless(path: str) -> None:
    """Names of a bucket or a member are text on the page, and control characters are seen as what they are."""
    with served(hostile_board()) as client:
        page = client.ask(path).body
    outline = Outline(page)

    assert "alert(1)" in page or path == "/"
    assert (len(outline.all("script")), outline.all("img")) == (1, [])
    assert "\x1b" not in page
    assert "\u202e" not in page
    assert "\\u202e" in page or path == "/"


def test_recovery_that_failed_is_told_with_the_ways_on_and_back() -> None:
    """On the page of the cluster, on the overview, and in JSON; without one there is no line."""
    board, _ = made_up_board()
    failed = WatchedRecovery("r1", WatchedState.FAILED, NOW, by="alice@home", step="start-m2", detail="it exited")
    quiet, bent = board.of("staging"), replace(board.of("prod"), recovery=Answer(failed))
    with served(StatusBoard([bent, quiet])) as client:
        page, overview, other = (client.ask(path).body for path in ("/clusters/prod", "/", "/clusters/staging"))
        document = json.loads(client.ask("/api/v1/clusters/prod").body)

    assert "step start-m2 failed: it exited" in text_of(page)
    assert "etcd-dr recover resume r1" in text_of(page).replace(" --cluster prod", "")
    assert "etcd-dr recover abort r1" in text_of(page).replace(" --cluster prod", "")
    assert "step start-m2 failed" in text_of(overview)
    assert (document["recovery"]["state"], document["recovery"]["step"]) == ("failed", "start-m2")
    assert 'id="recovery"' not in other


def test_json_says_the_same(client: PageClient) -> None:
    """In short for all, and everything about one."""
    all_of_them = json.loads(client.ask("/api/v1/clusters").body)
    one = json.loads(client.ask("/api/v1/clusters/edge-berlin").body)

    answers = {each["cluster"]: each["recoverable"] for each in all_of_them["clusters"]}
    assert answers == {
        "prod": "yes",
        "staging": "yes-but",
        "edge-berlin": "yes-but",
        "lab": "unknown",
        "edge-oslo": "no",
    }
    assert one["readiness"]["reasons"][0]["code"] == "quorum.lost"
    assert one["health"]["quorum"]["verdict"] == "lost-may-return"
    assert len(one["snapshots"]) == 54
    assert one["schedule"]["next_start_at"] == "2026-08-20T04:00:00Z"


@pytest.mark.parametrize(
    "path",
    [
        "/nowhere",
        "/clusters/",
        "/clusters/nobody",
        "/clusters/prod/",
        "/clusters/..%2f..%2fetc",
        "/static/",
        "/static/nothing.css",
        "/static/../site.py",
        "/static/..%2fsite.py",
        "/static/%2e%2e/site.py",
        "/static//etc/passwd",
        "/templates/frame.html",
        "/api/v1",
        "/metrics",
    ],
)
def test_there_is_nothing_else(client: PageClient, path: str) -> None:
    """A page that says so, and no file of the machine."""
    answer = client.ask(path)

    assert answer.status == 404
    assert "There is no such page" in answer.body


def test_json_of_one_cluster_has_the_documented_keys(client: PageClient) -> None:
    """Programs are written against docs/status-page.md."""
    told = (Path(__file__).parents[4] / "docs" / "status-page.md").read_text()
    table = set(re.findall(r"^\| `(\w+)` \|", told.partition("## JSON")[2], re.MULTILINE))
    short = set(json.loads(client.ask("/api/v1/clusters").body)["clusters"][0])

    document = set(json.loads(client.ask("/api/v1/clusters/prod").body))

    assert document == table | short | {"version", "at"}


def test_every_reason_is_explained() -> None:
    """Whoever meets a code finds it on the page."""
    root = Path(__file__).parents[4]
    told = (root / "docs" / "status-page.md").read_text()
    source = (root / "operator" / "etcd_dr" / "domain" / "readiness" / "reasons.py").read_text()

    codes = set(re.findall(r'"((?:\w+)\.(?:\w+))"', source))

    assert len(codes) > 15
    assert {code for code in codes if f"`{code}`" not in told} == set()


def test_an_api_that_is_not_there_says_so_in_json(client: PageClient) -> None:
    """Programs read JSON."""
    assert json.loads(client.ask("/api/v1/clusters/nobody").body)["error"]["code"] == "page.404"


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"])
@pytest.mark.parametrize("path", ["/", "/clusters/prod", "/api/v1/clusters"])
def test_it_can_only_be_read(client: PageClient, method: str, path: str) -> None:
    """Nothing can be changed from here."""
    answer = client.ask(path, method=method)

    assert answer.status == 405
    assert set(answer.headers["allow"].split(", ")) == {"GET", "HEAD"}


def test_head_is_get_without_a_body(client: PageClient) -> None:
    """Whoever watches that the page is up asks so."""
    answer = client.ask("/clusters/prod", method="HEAD")

    assert (answer.status, answer.body) == (200, "")


def test_pages_and_ranges_of_restore_points(client: PageClient) -> None:
    """Fifty-four points on six pages; what makes no sense is answered all the same."""
    first, last = client.ask("/clusters/prod").body, client.ask("/clusters/prod?page=6&range=all").body

    assert "page 1 of 6" in first
    assert "page 6 of 6" in last
    assert "20260805T030000Z-" in last
    for odd in ("?page=99", "?page=-1", "?page=x", "?page=9999999999999", "?range=%3Cscript%3E", "?page=٣"):
        sent = f"/clusters/prod{odd}".encode().decode("latin-1") if odd.isascii() else "/clusters/prod?page=%D9%A3"
        assert client.ask(sent).status == 200


def test_assets_are_kept_for_ever_under_their_own_address(client: PageClient) -> None:
    """A new version has a new address, so nobody sees an old style with a new page."""
    page = client.ask("/").body
    for address in re.findall(r'(?:href|src)="(/static/[^"]+)"', page):
        answer = client.ask(address)
        assert answer.status == 200
        assert "immutable" in answer.headers["cache-control"]
        assert client.ask(address.partition("?")[0]).headers["cache-control"] == "no-cache"


@pytest.mark.parametrize("path", ["/etcd-dr/clusters/prod", "/clusters/prod"])
def test_a_base_path_is_in_every_address(path: str) -> None:
    """Whether the proxy takes it away or not."""
    with served(base_path="/etcd-dr") as client:
        answer = client.ask(path)
    addresses = re.findall(r'(?:href|src|action)="([^"#?][^"]*)"', answer.body)

    assert answer.status == 200
    assert [a for a in addresses if not a.startswith("/etcd-dr/")] == []


def test_an_error_of_ours_is_told_and_ends_with_the_request() -> None:
    """The log has it, the visitor is told what to ask instead, and the next request is answered."""
    board, _ = made_up_board()
    broken = replace(board.of("prod"), report=replace(report_of(healthy(3), "prod"), members=(None,)))  # type: ignore[arg-type]
    with served(StatusBoard([broken])) as client:
        answer = client.ask("/clusters/prod")

        assert answer.status == 500
        assert "etcd-dr readiness" in answer.body
        assert client.events.of("page.failed")
        assert client.ask("/static/page.css").status == 200


@pytest.mark.parametrize(
    ("leadership", "words"),
    [
        (StandingLeadership(), ""),
        (StandingLeadership(LeadershipMode.LEASES, "", (Standing("prod", True, 7, "pod-a"),)), "this replica leads, term 7"),
        (StandingLeadership(LeadershipMode.LEASES, "", (Standing("prod", False, 7, "pod-b"),)), "pod-b leads; this replica watches"),
        (StandingLeadership(LeadershipMode.LEASES), "no replica leads just now"),
        (StandingLeadership(LeadershipMode.SURVIVAL, "the API is silent"), "survival mode: the API is silent; scheduled snapshots go on"),
    ],
)  # fmt: skip
def test_who_leads_is_told(leadership: StandingLeadership, words: str) -> None:
    """Of two replicas either page says which of them works, and what survival mode means."""
    with served(leadership=leadership) as client:
        page, document = client.ask("/clusters/prod").body, json.loads(client.ask("/api/v1/clusters/prod").body)

    assert ("Replicas" in page) is bool(words)
    assert words in page
    assert document["replicas"]["mode"] == leadership.mode.value
