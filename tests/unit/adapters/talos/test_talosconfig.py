"""talosconfig in all its forms, and what is said of one that cannot be used."""

from __future__ import annotations

import base64
import pwd
from pathlib import Path
from typing import Any

import pytest
import yaml

from etcd_dr.adapters.talos.talosconfig import (
    IN_CLUSTER_FILE,
    find_talosconfig,
    parse_talosconfig,
    read_talosconfig,
)
from etcd_dr.errors import ConfigError

KEY = "-----BEGIN ED25519 PRIVATE KEY-----\nAAAA\n-----END ED25519 PRIVATE KEY-----\n"


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def context(**more: Any) -> dict[str, Any]:
    pem = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
    return {"endpoints": ["10.0.0.2"], "ca": encoded(pem), "crt": encoded(pem), "key": encoded(KEY), **more}


def talosconfig(**contexts: Any) -> str:
    current = next(iter(contexts), "")
    return yaml.safe_dump({"context": current, "contexts": contexts})


def test_key_is_written_as_openssl_reads_it() -> None:
    """Talos writes a header of its own around PKCS#8."""
    found = parse_talosconfig(talosconfig(prod=context()), origin="x")

    assert found.key_pem.startswith("-----BEGIN PRIVATE KEY-----")
    assert found.key_pem.rstrip().endswith("-----END PRIVATE KEY-----")


def test_named_context_comes_before_the_current_one() -> None:
    """--context wins."""
    text = talosconfig(prod=context(), test=context(nodes=["10.1.0.2"]))

    assert parse_talosconfig(text, origin="x").name == "prod"
    assert parse_talosconfig(text, origin="x", context="test").nodes == ("10.1.0.2",)


def test_only_context_needs_no_name() -> None:
    """As in files that were put together by hand."""
    text = yaml.safe_dump({"contexts": {"prod": context(endpoints=[], target="10.0.0.9")}})

    found = parse_talosconfig(text, origin="x")

    assert (found.name, found.endpoints) == ("prod", ("10.0.0.9",))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{", "is not YAML"),
        ("a: 1", "has no contexts"),
        (talosconfig(prod=context(auth={"siderov1": {"identity": "me@example.org"}})), "belongs to Omni"),
        (talosconfig(prod=context(auth={"basic": {"username": "u", "password": "p"}})), "password"),
        (talosconfig(prod=context(**{"proxy-url": "socks5://x"})), "proxy-url"),
        (talosconfig(prod=context(key="")), "has no key"),
        (talosconfig(prod=context(crt="!!!")), "crt of context 'prod' is not base64 of PEM"),
        (yaml.safe_dump({"context": "gone", "contexts": {"prod": context()}}), "has no context 'gone'"),
        (yaml.safe_dump({"contexts": {"a": context(), "b": context()}}), "names no current context"),
    ],
)
def test_unusable_file_says_why_and_shows_no_key(text: str, says: str) -> None:
    """And what to do about it."""
    with pytest.raises(ConfigError) as raised:
        parse_talosconfig(text, origin="x")

    assert says in raised.value.message
    assert raised.value.next_step
    assert encoded(KEY) not in str(raised.value) + raised.value.next_step


def test_places_are_those_of_talosctl(tmp_path: Path) -> None:
    """TALOSCONFIG alone, then TALOS_HOME or the home directory; a named one before all."""
    home = tmp_path / "home" / ".talos" / "config"
    other = tmp_path / "other"
    for file in (home, other):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("x")

    assert find_talosconfig({}, home=tmp_path / "home") == home
    assert find_talosconfig({"TALOSCONFIG": str(other)}, home=tmp_path / "home") == other
    assert find_talosconfig({"TALOSCONFIG": str(home)}, named=other) == other
    assert find_talosconfig({"TALOS_HOME": str(home.parent)}) == home


def test_user_without_a_home_directory_has_what_is_mounted(monkeypatch: pytest.MonkeyPatch) -> None:
    """A pod may run as any number, and nobody says what its home is."""

    def unknown(number: int) -> object:
        raise KeyError(f"getpwuid(): uid not found: {number}")

    monkeypatch.delenv("HOME", raising=False)
    monkeypatch.setattr(pwd, "getpwuid", unknown)

    with pytest.raises(ConfigError) as raised:
        find_talosconfig({})

    assert raised.value.message.endswith(f"looked for {IN_CLUSTER_FILE}")


def test_none_at_all_names_the_places(tmp_path: Path) -> None:
    """And makes no directory, which Go clients do and fail over."""
    with pytest.raises(ConfigError) as raised:
        find_talosconfig({"TALOSCONFIG": str(tmp_path / "none")})

    assert str(tmp_path / "none") in raised.value.message
    assert list(tmp_path.iterdir()) == []


def test_file_that_cannot_be_read_is_a_config_error(tmp_path: Path) -> None:
    """A directory in its place, say."""
    with pytest.raises(ConfigError):
        read_talosconfig(tmp_path)
