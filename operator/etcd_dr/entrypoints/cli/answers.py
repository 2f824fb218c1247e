"""The three forms of an answer: a table for people, JSON and YAML for programs.

Documents are plain values with fixed keys (docs/json-output.md); a table is drawn from the same values, only when it
is asked for.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from enum import StrEnum

from etcd_dr.entrypoints.cli.terminal import Screen

Document = Mapping[str, object]


class Output(StrEnum):
    TABLE = "table"
    JSON = "json"
    YAML = "yaml"


def print_answer(screen: Screen, output: Output, *, document: Document, table: Callable[[], None]) -> None:
    """Print one answer in the form asked for; `table` draws the form for people."""
    if output is Output.TABLE:
        table()
    else:
        screen.write(document_text(output, document))


def document_text(output: Output, document: Document) -> str:
    """Return the document as JSON or YAML, with a newline at its end."""
    if output is Output.JSON:
        return json.dumps(document, indent=2, ensure_ascii=False) + "\n"
    import yaml  # noqa: PLC0415 - only for those who ask for it

    text: str = yaml.safe_dump(dict(document), sort_keys=False, allow_unicode=True, width=1000)
    return text


def stream_text(output: Output, document: Document) -> str:
    """Return one document of many: a line of JSON, or a YAML document that begins with `---`."""
    if output is Output.JSON:
        return json.dumps(document, ensure_ascii=False) + "\n"
    return "---\n" + document_text(output, document)
