"""What each act promises: the demo ends with an error where one is not kept."""

from __future__ import annotations

from etcd_dr.errors import ProofFailed


def promise(is_kept: bool, text: str) -> None:
    """Raise ProofFailed unless the promise is kept."""
    if not is_kept:
        raise ProofFailed(
            f"it did not happen as promised: {text}",
            subject="demo",
            next_step="Run it again; if it stays so, report it with what is above.",
        )
