"""Pages of the documentation are found by what a person has at hand: a name, a path, an alert."""

from __future__ import annotations

from pathlib import Path

import pytest

from etcd_dr.adapters.manual import Manual
from etcd_dr.errors import FileUnreadable, UsageError

INDEX = """# Runbooks

| alert | page |
| --- | --- |
| `EtcdDRQuorumLost` | [Quorum is lost](quorum.md) |
"""


@pytest.fixture
def manual(tmp_path: Path) -> Manual:
    pages = {
        "recovery.md": "# How a recovery runs\n\nLearners are promoted.\n",
        "runbooks/README.md": INDEX,
        "runbooks/quorum.md": "# Quorum is lost\n",
        "adr/0001-own-stubs.md": "# 0001: Stubs\n",
        "images/page.png": "",
    }
    for name, text in pages.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    return Manual(tmp_path)


def test_pages_stand_in_the_order_in_which_they_are_wanted(manual: Manual) -> None:
    """Pages, runbooks, records of decisions; with their titles."""
    assert [(page.name, page.title) for page in manual.pages] == [
        ("recovery", "How a recovery runs"),
        ("runbooks", "Runbooks"),
        ("runbooks/quorum", "Quorum is lost"),
        ("adr/0001-own-stubs", "0001: Stubs"),
    ]


@pytest.mark.parametrize(
    ("word", "name"),
    [
        ("recovery", "recovery"),
        ("docs/recovery.md", "recovery"),
        ("quorum", "runbooks/quorum"),
        ("runbooks/quorum.md", "runbooks/quorum"),
        ("docs/runbooks/README.md", "runbooks"),
        ("EtcdDRQuorumLost", "runbooks/quorum"),
    ],
)
def test_page_is_found_by_what_is_at_hand(manual: Manual, word: str, name: str) -> None:
    """Names, parts of names, paths, alerts."""
    assert manual.page(word).name == name


@pytest.mark.parametrize(
    ("word", "told"), [("Learners", "speak of it: recovery"), ("nothing-like-it", "etcd-dr docs"), ("", "etcd-dr docs")]
)
def test_unknown_page_leads_to_those_that_speak_of_it(manual: Manual, word: str, told: str) -> None:
    """Whoever asks with another word is led on."""
    with pytest.raises(UsageError) as raised:
        manual.page(word)

    assert raised.value.next_step.endswith(told)


def test_program_that_was_packed_without_its_pages_says_so(tmp_path: Path) -> None:
    """An empty list would look like an answer."""
    with pytest.raises(FileUnreadable) as raised:
        Manual.installed(tmp_path / "lib" / "etcd_dr")

    assert "not installed" in raised.value.message
    assert "wheel" in raised.value.next_step


def test_every_alert_has_its_page() -> None:
    """The pages of this checkout, by the names that wake people."""
    manual = Manual.installed()
    rules = (Path(__file__).parents[3] / "charts" / "etcd-dr" / "files" / "alerts.yaml").read_text()
    alerts = [line.rpartition(" ")[2] for line in rules.splitlines() if line.strip().startswith("- alert: ")]

    assert len(alerts) > 30
    assert {manual.page(alert).name.partition("/")[0] for alert in alerts} == {"runbooks"}
