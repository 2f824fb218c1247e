"""The status page is off, or on loopback, or behind somebody who asks."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from etcd_dr.config.page_model import PageSection

PROXY = {"trusted_addresses": ["10.0.0.7"]}


def test_it_is_off_and_on_loopback_unless_told_otherwise() -> None:
    """Whoever says nothing opens nothing."""
    page = PageSection()

    assert (page.enabled, page.listen, page.is_on_loopback) == (False, "127.0.0.1:9380", True)


@pytest.mark.parametrize("listen", ["0.0.0.0:9380", "[::]:9380", "10.0.0.5:9380", "node1:9380"])
def test_nobody_is_served_from_elsewhere_without_being_asked(listen: str) -> None:
    """The configuration is refused, so that the mistake is found at the start and not by a stranger."""
    with pytest.raises(ValidationError, match="nobody would be asked"):
        PageSection(enabled=True, listen=listen)

    assert not PageSection(enabled=True, listen=listen, token_file="/run/token").is_on_loopback
    assert PageSection(enabled=True, listen=listen, proxy=PROXY).proxy is not None


@pytest.mark.parametrize("listen", ["127.0.0.1:0", "127.9.9.9:80", "[::1]:9380", "localhost:9380"])
def test_loopback_needs_no_token(listen: str) -> None:
    """Who is on the machine may read what `etcd-dr health` says anyway."""
    assert PageSection(enabled=True, listen=listen).is_on_loopback


@pytest.mark.parametrize(
    "wrong",
    [
        {"proxy": {"trusted_addresses": []}},
        {"proxy": {"trusted_addresses": ["0.0.0.0/0"]}},
        {"proxy": {"trusted_addresses": ["::/0"]}},
        {"proxy": {"trusted_addresses": ["10.0.0.7/8"]}},
        {"proxy": {**PROXY, "user_header": "X User"}},
        {"base_path": "etcd-dr"},
        {"base_path": "/a/../b"},
        {"base_path": '/"><script>'},
        {"listen": "9380"},
        {"tokenfile": "/run/token"},
    ],
)
def test_mistakes_are_refused(wrong: dict[str, Any]) -> None:
    """Everybody is no proxy, and a path is a path."""
    with pytest.raises(ValidationError):
        PageSection(**wrong)
