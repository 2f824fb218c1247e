"""The pages of the documentation, as they came with the program: what can be read when nothing else answers.

A wheel carries them beside the packages; a checkout has them in `docs/`. A page is named as its file is, without
`docs/` and `.md`; the index of a folder has the folder's name.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import etcd_dr
from etcd_dr.errors import FileUnreadable, UsageError

_INDEX = "README"
_RUNBOOKS = "runbooks"
_RECORDS = "adr/"
_ALERT = re.compile(r"^\| `(?P<alert>\w+)` \| \[[^\]]*\]\((?P<page>[\w-]+)\.md\)", re.MULTILINE)
_MOST_NAMED = 5


@dataclass(frozen=True, slots=True)
class Page:
    """One page. `text` is Markdown, with the title as its first heading."""

    name: str
    text: str

    @property
    def title(self) -> str:
        return self.text.partition("\n")[0].lstrip("# ")


class Manual:
    """The pages below a directory: what people read first, then the runbooks, then the records of decisions."""

    def __init__(self, directory: Path) -> None:
        files = sorted(directory.rglob("*.md"))
        pages = [Page(_name(file.relative_to(directory)), file.read_text("utf-8")) for file in files]
        self.pages: Sequence[Page] = sorted(pages, key=lambda page: (page.name.startswith(_RECORDS), "/" in page.name))

    @classmethod
    def installed(cls, package: Path = Path(etcd_dr.__file__).parent) -> Manual:
        """Return the pages that belong to a package, this one. Raises FileUnreadable where whoever packed it left them out."""
        packed = package / "manual"
        manual = cls(packed if packed.is_dir() else package.parents[1] / "docs")
        if not manual.pages:
            raise FileUnreadable(
                "the pages of the documentation were not installed with this program",
                subject=str(packed),
                next_step="Install it from its wheel or its image, or read docs/ in its repository.",
            )
        return manual

    def page(self, word: str) -> Page:
        """Return the page of that name or of that last part of a name, or the runbook of that alert. Raises UsageError."""
        wanted = word.removeprefix("docs/").removesuffix(".md").removesuffix(f"/{_INDEX}")
        wanted = self._runbooks().get(wanted, wanted)
        whole = [page for page in self.pages if page.name == wanted]
        last_part = [page for page in self.pages if page.name.rpartition("/")[2] == wanted]
        if not whole + last_part:
            raise UsageError("there is no page of this name", subject=word, next_step=self._where(wanted))
        return (whole + last_part)[0]

    def _runbooks(self) -> dict[str, str]:
        """Return the page of each alert, as the index of the runbooks has it."""
        index = next((page.text for page in self.pages if page.name == _RUNBOOKS), "")
        return {row["alert"]: f"{_RUNBOOKS}/{row['page']}" for row in _ALERT.finditer(index)}

    def _where(self, word: str) -> str:
        speaking = [page.name for page in self.pages if word in page.text]
        if not word or not speaking:
            return "See which there are: etcd-dr docs"
        more = f" and {len(speaking) - _MOST_NAMED} more" if len(speaking) > _MOST_NAMED else ""
        return f"See which there are: etcd-dr docs. Pages that speak of it: {', '.join(speaking[:_MOST_NAMED])}{more}"


def _name(file: Path) -> str:
    plain = file.with_suffix("")
    return (plain.parent if plain.name == _INDEX else plain).as_posix()
