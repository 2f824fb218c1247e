"""The one rule for names, and what it means for whoever joins a key to a path."""

from __future__ import annotations

from pathlib import PurePosixPath

from hypothesis import given
from hypothesis import strategies as st

from etcd_dr.adapters.stores.keys import MAX_KEY_BYTES, MAX_SEGMENT_BYTES, is_key, is_segment
from etcd_dr.domain.snapshot import ClusterLayout, SnapshotId

_NASTY = st.text(alphabet="./\\~ a\0\n\u202e\udc80é", max_size=12)


@given(st.one_of(st.text(max_size=40), _NASTY))
def test_no_key_can_leave_its_root_or_disturb_a_terminal(text: str) -> None:
    """Whatever passes is a plain relative path of visible, printable segments that encodes as UTF-8."""
    if is_key(text):
        path = PurePosixPath(text)
        assert not path.is_absolute()
        assert str(path) == text
        assert not any(part.startswith(".") for part in path.parts)
        assert text.isprintable()
        assert len(text.encode()) <= MAX_KEY_BYTES


@given(st.one_of(st.text(max_size=40), _NASTY))
def test_every_segment_of_a_key_is_a_segment(text: str) -> None:
    """A key is its segments and slashes, and nothing else is."""
    assert is_key(text) is (all(map(is_segment, text.split("/"))) and len(text.encode(errors="replace")) <= 1024)


def test_limits_count_bytes() -> None:
    """Two bytes a letter: half as many of them fit."""
    assert is_key("é" * (MAX_SEGMENT_BYTES // 2))
    assert not is_key("é" * (MAX_SEGMENT_BYTES // 2) + "x")
    assert is_key("/".join(["x" * 127] * 8))
    assert not is_key("/".join(["x" * 128] * 8))


def test_all_names_of_a_cluster_are_keys() -> None:
    """The longest cluster name below a deep prefix fits."""
    layout = ClusterLayout(prefix="backups/of/everything", cluster="c" * 63)
    snapshot_id = SnapshotId.parse("20260820T030000Z-9f2c41d07b6a")

    for key in (layout.marker, layout.data(snapshot_id), layout.manifest(snapshot_id), layout.pin(snapshot_id)):
        assert is_key(key)
