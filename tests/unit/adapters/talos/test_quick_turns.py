"""Short turns last as long as the streams that want them, and no longer."""

from __future__ import annotations

import sys

from etcd_dr.adapters.talos.quick_turns import quick_turns


def test_turns_are_short_until_the_last_stream_ends() -> None:
    """Streams end in any order; what was set before is back afterwards."""
    before = sys.getswitchinterval()
    first, second = quick_turns(), quick_turns()

    first.__enter__()
    second.__enter__()
    with_two = sys.getswitchinterval()
    first.__exit__(None, None, None)
    with_one = sys.getswitchinterval()
    second.__exit__(None, None, None)

    assert with_two == with_one < 0.001
    assert sys.getswitchinterval() == before
