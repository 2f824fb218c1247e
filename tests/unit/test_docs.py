"""What the documentation points at exists."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
LINK = re.compile(r"\[[^\]]*\]\(([^)#\s]+)(?:#[^)]*)?\)")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_relative_link_leads_somewhere(page: Path) -> None:
    """A person who follows a runbook at night must not meet a missing page."""
    targets = [target for target in LINK.findall(page.read_text()) if "://" not in target]

    missing = [target for target in targets if not (page.parent / target).exists()]

    assert missing == []


def test_every_alert_and_every_runbook_is_in_the_index() -> None:
    """Whoever comes with the name of an alert finds its page, and no page is an orphan."""
    runbooks = ROOT / "docs" / "runbooks"
    index = (runbooks / "README.md").read_text()
    rules = "".join(path.read_text() for path in (ROOT / "charts").rglob("*.yaml"))
    alerts = re.findall(r"- alert: (\w+)", rules)

    assert alerts
    assert [name for name in alerts if f"`{name}`" not in index] == []
    assert {page.name for page in runbooks.glob("*.md")} - {"README.md"} <= set(LINK.findall(index))
