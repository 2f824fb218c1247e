"""Who may see the status page, over real HTTP."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from etcd_dr.entrypoints.web.access import SESSION_SECONDS
from etcd_dr.errors import ConfigError
from fakes.page_client import TOKEN, PageClient, served


@pytest.fixture
def token_file(tmp_path: Path) -> Path:
    file = tmp_path / "token"
    file.write_text(f"{TOKEN}\n")
    return file


@pytest.fixture
def guarded(token_file: Path) -> Iterator[PageClient]:
    with served(token_file=token_file) as client:
        yield client


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PageClient]:
    """One guarded site for all who change nothing."""
    file = tmp_path_factory.mktemp("page") / "token"
    file.write_text(TOKEN)
    with served(token_file=file) as client:
        yield client


@pytest.fixture(scope="module")
def open_door() -> Iterator[PageClient]:
    with served() as client:
        yield client


def session_of(client: PageClient, token: str = TOKEN) -> str:
    """Sign in and return the cookie as a browser would send it."""
    answer = client.sign_in(token)
    assert answer.status == 303, answer.body
    return answer.headers["set-cookie"].partition(";")[0]


@pytest.mark.parametrize(
    "path", ["/", "/clusters/prod", "/clusters/nobody", "/api/v1/clusters", "/api/v1/clusters/prod"]
)
def test_a_stranger_sees_nothing(door: PageClient, path: str) -> None:
    """Not even whether a cluster exists."""
    answer = door.ask(path)

    assert answer.status == 401
    assert answer.headers["www-authenticate"] == "Bearer"
    assert "prod" not in answer.body


def test_a_program_is_told_in_json(door: PageClient) -> None:
    """A script that parses JSON gets JSON."""
    answer = door.ask("/api/v1/clusters")

    assert json.loads(answer.body)["error"]["code"] == "page.not_signed_in"


@pytest.mark.parametrize("said", [f"Bearer {TOKEN}", f"bearer  {TOKEN} "])
def test_a_bearer_token_opens_it(door: PageClient, said: str) -> None:
    """For scripts, with the header that curl users know."""
    assert door.ask("/api/v1/clusters", Authorization=said).status == 200


@pytest.mark.parametrize(
    "said", ["Bearer", "Bearer ", f"Bearer {TOKEN}x", f"Bearer {TOKEN[:-1]}", f"Basic {TOKEN}", TOKEN, "Bearer é"]
)
def test_anything_else_does_not(door: PageClient, said: str) -> None:
    """Neither a beginning of it, nor another kind of login."""
    assert door.ask("/api/v1/clusters", Authorization=said).status == 401


@pytest.mark.parametrize("address", [f"/?token={TOKEN}", f"/?access_token={TOKEN}", f"/login?token={TOKEN}"])
def test_a_token_in_an_address_counts_for_nothing(door: PageClient, address: str) -> None:
    """Addresses end in logs and histories."""
    assert door.ask(address).status in (303, 401)
    assert "set-cookie" not in door.ask(address).headers


def test_a_browser_signs_in_and_out(guarded: PageClient) -> None:
    """The cookie is out of reach of scripts and of other sites, and is not the token."""
    answer = guarded.sign_in(TOKEN)

    cookie = answer.headers["set-cookie"]
    assert (answer.status, answer.headers["location"]) == (303, "/")
    assert TOKEN not in cookie
    assert {"httponly", "samesite=strict", "path=/"} <= {part.strip().lower() for part in cookie.split(";")}
    page = guarded.ask("/", Cookie=cookie.partition(";")[0])
    assert page.status == 200
    assert "Sign out" in page.body

    gone = guarded.ask("/logout", method="POST", Cookie=cookie.partition(";")[0])

    assert gone.status == 303
    assert 'etcd-dr-page=""' in gone.headers["set-cookie"]


def test_a_wrong_token_is_told_and_logged(guarded: PageClient) -> None:
    """Who looks at the log sees that somebody tries."""
    answer = guarded.sign_in("wrong-wrong-wrong-wrong")

    assert answer.status == 401
    assert "That is not the token." in answer.body
    assert guarded.events.of("page.login_refused")[0].fields == {"address": "127.0.0.1"}


def test_a_session_ends(guarded: PageClient) -> None:
    """After twelve hours, whatever the browser keeps."""
    cookie = session_of(guarded)

    guarded.clock.advance(SESSION_SECONDS - 1)
    assert guarded.ask("/", Cookie=cookie).status == 200
    guarded.clock.advance(2)
    assert guarded.ask("/", Cookie=cookie).status == 401


def test_a_session_cannot_be_lengthened(guarded: PageClient) -> None:
    """Its end is sealed."""
    name, _, value = session_of(guarded).partition("=")
    ends_at, _, seal = value.partition(".")

    for forged in (
        f"{int(ends_at) + 1}.{seal}",
        f"{ends_at}.{seal[:-1]}0",
        f"{ends_at}.",
        f".{seal}",
        "٣.x",
        "x" * 5000,
    ):
        sent = f"{name}={forged}".encode().decode("latin-1")
        assert guarded.ask("/", Cookie=sent).status == 401


def test_a_new_token_counts_at_once(guarded: PageClient, token_file: Path) -> None:
    """Without a restart, and whoever signed in with the old one is out."""
    cookie = session_of(guarded)

    token_file.write_text("another-token-of-good-length")

    assert guarded.ask("/", Cookie=cookie).status == 401
    assert guarded.ask("/", Authorization=f"Bearer {TOKEN}").status == 401
    assert guarded.ask("/", Authorization="Bearer another-token-of-good-length").status == 200


@pytest.mark.parametrize("content", ["", "short", "two\nlines that are long enough"])
def test_a_token_that_is_lost_opens_nothing(guarded: PageClient, token_file: Path, content: str) -> None:
    """An empty file must not mean that the empty token is right."""
    token_file.write_text(content)

    assert guarded.ask("/", Authorization=f"Bearer {content.strip()}".replace("\n", " ")).status == 401
    assert guarded.sign_in(content).status == 401


def test_a_token_that_is_lost_is_told_once_until_it_is_back(guarded: PageClient, token_file: Path) -> None:
    """Whoever is refused with the right token finds out why in the log, and it is not flooded."""
    for _ in range(2):
        token_file.unlink()
        assert [guarded.ask("/", Authorization=f"Bearer {TOKEN}").status for _ in range(3)] == [401] * 3
        token_file.write_text(TOKEN)
        assert guarded.ask("/", Authorization=f"Bearer {TOKEN}").status == 200

    told = guarded.events.of("page.token_lost")
    assert [line.level for line in told] == ["error", "error"]
    assert str(token_file) in str(told[0].fields["error"])


def test_sessions_hold_at_every_replica(guarded: PageClient, token_file: Path) -> None:
    """Two processes with one token and no memory in common."""
    cookie = session_of(guarded)

    with served(token_file=token_file) as other:
        assert other.ask("/", Cookie=cookie).status == 200


@pytest.mark.parametrize("content", [None, "", "fifteen-letters", "é" * 20])
def test_an_unusable_token_is_told_at_the_start(tmp_path: Path, content: str | None) -> None:
    """Not when the first person cannot sign in."""
    file = tmp_path / "token"
    if content is not None:
        file.write_text(content)

    with pytest.raises(ConfigError) as caught, served(token_file=file):
        pass

    assert "openssl rand" in caught.value.next_step


PROXY = {"trusted_addresses": ["127.0.0.1"], "user_header": "X-Forwarded-User"}


def test_a_trusted_proxy_vouches() -> None:
    """It says who it is, and the page says it back."""
    with served(proxy=PROXY) as client:
        answer = client.ask("/", X_Forwarded_User="<ann@example.net>")

        assert answer.status == 200
        assert "seen by &lt;ann@example.net&gt;" in answer.body
        assert client.ask("/").status == 401
        assert client.ask("/", X_Forwarded_User=" ").status == 401


def test_the_header_of_anybody_else_counts_for_nothing() -> None:
    """Whoever reaches the page past the proxy can write headers, too."""
    with served(proxy={"trusted_addresses": ["10.0.0.7"]}) as client:
        assert client.ask("/", X_Forwarded_User="ann").status == 401
        assert client.ask("/", X_Forwarded_User="ann", X_Forwarded_For="10.0.0.7").status == 401
        assert client.ask("/", X_Forwarded_User="ann", Forwarded="for=10.0.0.7").status == 401


def test_a_cookie_is_kept_to_tls_where_there_is_tls(guarded: PageClient) -> None:
    """As whatever ends TLS in front of the page says; without it the browser would not send it back."""
    assert "secure" in guarded.sign_in(TOKEN, X_Forwarded_Proto="https").headers["set-cookie"].lower()
    assert "secure" not in guarded.sign_in(TOKEN).headers["set-cookie"].lower()


def test_a_session_holds_below_the_base_path(token_file: Path) -> None:
    """And is sent to no other application of the same host."""
    with served(token_file=token_file, base_path="/etcd-dr") as client:
        answer = client.sign_in(TOKEN)

    assert answer.headers["location"] == "/etcd-dr/"
    assert "path=/etcd-dr;" in answer.headers["set-cookie"].lower()


@pytest.mark.parametrize("host", ["127.0.0.1:9380", "localhost", "localhost:1", "[::1]:9380", "127.1.2.3"])
def test_an_open_page_answers_to_names_of_this_machine(open_door: PageClient, host: str) -> None:
    """As it is on loopback, and `kubectl port-forward` leads to it."""
    assert open_door.ask("/", Host=host).status == 200


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example:9380", "10.0.0.1", "localhost.evil.example"])
@pytest.mark.parametrize("path", ["/", "/api/v1/clusters", "/static/page.js"])
def test_an_open_page_answers_to_no_other_name(open_door: PageClient, host: str, path: str) -> None:
    """A foreign web page whose name points to 127.0.0.1 would read it (DNS rebinding)."""
    answer = open_door.ask(path, Host=host)

    assert answer.status == 421
    assert "prod" not in answer.body


def test_a_large_form_is_refused(guarded: PageClient) -> None:
    """Nobody fills the memory through the one thing that can be posted."""
    assert guarded.sign_in("x" * 100_000).status == 413
