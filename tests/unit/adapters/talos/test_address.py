"""Addresses of nodes as talosconfig and people write them."""

from __future__ import annotations

import pytest

from etcd_dr.adapters.talos.address import parse_address
from etcd_dr.errors import ConfigError


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("10.0.0.2", "10.0.0.2", 50000),
        ("10.0.0.2:50001", "10.0.0.2", 50001),
        ("cp-1.example.org", "cp-1.example.org", 50000),
        ("https://talos.example.org", "talos.example.org", 443),
        ("https://talos.example.org:8443", "talos.example.org", 8443),
        ("talos://10.0.0.2:50000", "10.0.0.2", 50000),
        ("talos://10.0.0.2", "10.0.0.2", 50000),
        ("2001:db8::2", "2001:db8::2", 50000),
        ("[2001:db8::2]:50001", "2001:db8::2", 50001),
        ("https://10.0.0.3:2379", "10.0.0.3", 50000),
    ],
)
def test_forms(text: str, host: str, port: int) -> None:
    """The last one is a client URL of etcd: the node's API is beside it."""
    found = parse_address(text)

    assert (found.host, found.port) == (host, port)


@pytest.mark.parametrize("text", ["", "://", "10.0.0.2:port", "user@10.0.0.2", "10.0.0.2/path", "[::1"])
def test_what_is_none(text: str) -> None:
    """Said with an example of what is."""
    with pytest.raises(ConfigError):
        parse_address(text)


def test_shown_as_it_can_be_typed() -> None:
    """IPv6 in brackets."""
    assert str(parse_address("2001:db8::2")) == "[2001:db8::2]:50000"
