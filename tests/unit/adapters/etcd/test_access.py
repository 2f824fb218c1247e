"""Endpoints: what is one, what is not, and what never gets into an error."""

from __future__ import annotations

import pytest

from etcd_dr.adapters.etcd.access import parse_endpoint
from etcd_dr.errors import ConfigError


@pytest.mark.parametrize(
    ("url", "address", "uses_tls"),
    [
        ("https://10.0.0.1:2379", "10.0.0.1:2379", True),
        ("http://127.0.0.1:2379", "127.0.0.1:2379", False),
        ("https://etcd-0.etcd.svc:2379", "etcd-0.etcd.svc:2379", True),
        ("https://etcd-0.etcd.svc:2379/", "etcd-0.etcd.svc:2379", True),
        ("https://[2001:db8::7]:2379", "[2001:db8::7]:2379", True),
    ],
)
def test_client_urls_are_taken_apart(url: str, address: str, *, uses_tls: bool) -> None:
    """Names and addresses of both kinds; an IPv6 address keeps its brackets where a port follows."""
    endpoint = parse_endpoint(url)

    assert (endpoint.url, endpoint.address, endpoint.uses_tls) == (url, address, uses_tls)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "10.0.0.1:2379",
        "etcd-0",
        "https://10.0.0.1",
        "https://:2379",
        "https://10.0.0.1:99999",
        "https://10.0.0.1:port",
        "https://[::1:2379",
        "unix:///run/etcd.sock",
        "https://10.0.0.1:2379/metrics",
    ],
)
def test_anything_else_is_a_configuration_error(url: str) -> None:
    """The error names what was written and how it should be."""
    with pytest.raises(ConfigError) as caught:
        parse_endpoint(url)

    assert caught.value.subject == url
    assert "https://host:port" in caught.value.next_step


def test_password_in_a_url_is_refused_and_not_repeated() -> None:
    """A secret in the wrong place does not travel on into logs."""
    with pytest.raises(ConfigError) as caught:
        parse_endpoint("https://root:hunter2@10.0.0.1:2379")

    assert "hunter2" not in f"{caught.value} {caught.value.next_step} {caught.value.context}"
