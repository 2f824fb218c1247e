"""How values become words, and which pieces of a sentence are commands."""

from __future__ import annotations

from datetime import timedelta

import pytest

from etcd_dr.entrypoints.web.rendering import commands, length, number


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Take one now: etcd-dr snapshot save; then see: etcd-dr snapshot list", ["etcd-dr snapshot save --cluster prod", "etcd-dr snapshot list --cluster prod"]),
        ("Where the key is kept: etcd-dr snapshot verify --identity KEYFILE", ["etcd-dr snapshot verify --cluster prod --identity KEYFILE"]),
        ("See why it stopped: journalctl -u etcd --since -15min (kubeadm: crictl ps -a --name etcd; crictl logs ID)", ["journalctl -u etcd --since -15min", "crictl ps -a --name etcd", "crictl logs ID"]),
        ("Ask it: etcdctl endpoint status --cluster -w table. Then wait.", ["etcdctl endpoint status --cluster -w table"]),
        ("Wait; etcd-dr says more in its log.", []),
        ("etcdctl's own words are the same", []),
        ("", []),
    ],
)  # fmt: skip
def test_commands_stand_apart_and_are_complete(text: str, found: list[str]) -> None:
    """Each can be copied by itself; nothing of the sentence is lost."""
    pieces = commands(text, "prod")

    assert [piece for piece, kind in pieces if kind] == found
    assert all(kind == ("command" if piece.startswith("etcd-dr") else "stock") for piece, kind in pieces if kind)
    assert "".join(piece for piece, _ in pieces).replace(" --cluster prod", "").strip() == text


def test_what_is_not_known_is_a_dash() -> None:
    """An empty cell would look like a mistake."""
    assert (length(None), number(None)) == ("\N{EN DASH}", "\N{EN DASH}")
    assert (length(timedelta(seconds=90)), length(90.0), number(0)) == ("1m 30s", "1m 30s", "0")
