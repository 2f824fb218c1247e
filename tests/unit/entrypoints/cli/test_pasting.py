"""Commands in next steps, completed with the options of this run."""

from __future__ import annotations

from pathlib import Path

import pytest

from etcd_dr.entrypoints.cli.global_options import GlobalOptions
from etcd_dr.entrypoints.cli.pasting import Paste

PASTE = Paste(
    GlobalOptions(
        config=Path("/etc/my file.yaml"),
        cluster="prod",
        user="root:secret",
        store="/backups",
        recipient=["age1x"],
        identity=[Path("key")],
        no_encryption=True,
    )
)
PLACE = "--config '/etc/my file.yaml' --cluster prod --user root --store /backups"


@pytest.mark.parametrize(
    ("text", "completed"),
    [
        ("Look: etcd-dr snapshot list", f"Look: etcd-dr snapshot list {PLACE}"),
        ("a (etcd-dr snapshot list) b", f"a (etcd-dr snapshot list {PLACE}) b"),
        (
            "See why: etcd-dr snapshot list; then etcd-dr health",
            f"See why: etcd-dr snapshot list {PLACE}; then etcd-dr health {PLACE}",
        ),
        ("etcd-dr snapshot save", f"etcd-dr snapshot save {PLACE} --recipient age1x --no-encryption"),
        ("etcd-dr snapshot verify x", f"etcd-dr snapshot verify {PLACE} --identity key x"),
        ("etcd-dr operator", "etcd-dr operator --config '/etc/my file.yaml'"),
        ("etcd-dr version", "etcd-dr version"),
        ("this etcd-dr reads version 1", "this etcd-dr reads version 1"),
        ("etcd-dr snapshot fetch --help", "etcd-dr snapshot fetch --help"),
    ],
)
def test_commands_are_ready_to_be_pasted(text: str, completed: str) -> None:
    """The options that lead to the same cluster and store, quoted, before the command; a password never."""
    assert PASTE.completed(text) == completed


def test_option_that_the_text_has_already_is_not_repeated() -> None:
    """What the next step names itself is more exact than what was typed."""
    completed = PASTE.completed("etcd-dr snapshot list --cluster lab")

    assert completed == f"etcd-dr snapshot list {PLACE.replace(' --cluster prod', '')} --cluster lab"


def test_way_to_talos_is_kept() -> None:
    """Whoever named a talosconfig would be asked for it again, and look at another cluster by mistake."""
    paste = Paste(GlobalOptions(talosconfig=Path("/t/config"), context="prod", nodes="10.0.0.2,10.0.0.3"))

    completed = paste.completed("See: etcd-dr doctor")

    assert completed == "See: etcd-dr doctor --talosconfig /t/config --context prod --nodes 10.0.0.2,10.0.0.3"


def test_without_options_nothing_changes() -> None:
    """Whoever has a configuration file in its usual place reads what is written in the documentation."""
    assert Paste(GlobalOptions()).completed("Run: etcd-dr snapshot list") == "Run: etcd-dr snapshot list"
