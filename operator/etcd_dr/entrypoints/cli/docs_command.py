"""`etcd-dr docs`: the documentation, the runbook of each alert among it, where no browser and no network are."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.markdown import Markdown

from etcd_dr.adapters.manual import Manual, Page
from etcd_dr.entrypoints.cli.run import Run
from etcd_dr.entrypoints.cli.tables import draw, table


def command(
    run: Run,
    *,
    page: Annotated[
        str | None, typer.Argument(metavar="PAGE", help="A page, such as recovery, or an alert.", show_default=False)
    ] = None,
) -> None:
    """Read the documentation: a page, or the runbook of an alert; without a name, which pages there are.

    It came with the program, so it needs no network. A pipe gets the Markdown: etcd-dr docs recovery | less
    """
    manual = Manual.installed()
    if page is None:
        _list(run, manual)
    else:
        _show(run, manual.page(page))


def _list(run: Run, manual: Manual) -> None:
    rows = [(page.name, page.title) for page in manual.pages]
    document = {"pages": [{"name": name, "title": title} for name, title in rows]}
    run.answer(document, table=lambda: draw(run.screen, table(["PAGE", "TITLE"], rows)))


def _show(run: Run, page: Page) -> None:
    def text() -> None:
        if run.screen.is_terminal:
            draw(run.screen, Markdown(page.text, hyperlinks=False))
        else:
            run.screen.write(page.text)

    run.answer({"name": page.name, "title": page.title, "text": page.text}, table=text)
