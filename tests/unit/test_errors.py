"""The error tree: what programs and people may rely on."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from etcd_dr import errors
from etcd_dr.entrypoints.cli.terminal import READER_GONE_STATUS
from etcd_dr.errors import EtcdDrError

SYSEXITS = {1, 64, 65, 66, 69, 70, 73, 74, 75, 77, 78, 130}


def tree(kind: type[EtcdDrError] = EtcdDrError) -> Iterator[type[EtcdDrError]]:
    for child in kind.__subclasses__():
        yield child
        yield from tree(child)


CLASSES = list(tree())


def test_every_error_of_the_module_is_in_the_tree() -> None:
    """One tree: nothing that is raised escapes the door that catches EtcdDrError."""
    defined = {value for _, value in inspect.getmembers(errors, inspect.isclass) if value.__module__ == errors.__name__}

    assert defined == {EtcdDrError, *CLASSES}


def test_drawing_names_every_class() -> None:
    """The drawing in the module is the map; a class that is not on it cannot be found."""
    drawn = set(re.findall(r"\b[A-Z][A-Za-z]+\b", (errors.__doc__ or "").partition("EtcdDrError\n")[2]))

    assert drawn == {kind.__name__ for kind in CLASSES}


def test_codes_are_stable_slugs_and_unique() -> None:
    """Alerts and scripts match on them."""
    codes = [kind.code for kind in CLASSES]

    assert len(set(codes)) == len(codes)
    assert all(re.fullmatch(r"[a-z0-9]+([._][a-z0-9]+)*", code) for code in codes)


@pytest.mark.parametrize("kind", CLASSES)
def test_exit_status_is_one_that_is_documented(kind: type[EtcdDrError]) -> None:
    """Statuses follow sysexits.h, besides 1 for "no" and 130 for "stopped"."""
    assert kind.exit_status in SYSEXITS


@pytest.mark.parametrize("kind", CLASSES)
def test_every_class_says_when_it_is_meant(kind: type[EtcdDrError]) -> None:
    """Its docstring is what docs/exit-statuses.md and the next author go by."""
    assert (kind.__doc__ or "").strip()
    assert kind.__doc__ != EtcdDrError.__doc__


def test_error_reads_as_a_sentence_about_its_subject() -> None:
    """To what, then what happened."""
    assert str(EtcdDrError("cannot be read", subject="/etc/x")) == "/etc/x: cannot be read"
    assert str(EtcdDrError("cannot be read")) == "cannot be read"


def test_context_is_a_copy() -> None:
    """What is changed after the raise does not change the evidence."""
    evidence: dict[str, str | int | float | bool | None] = {"bytes": 1}
    error = EtcdDrError("x", context=evidence)

    evidence["bytes"] = 2

    assert error.context == {"bytes": 1}


PAGE = Path(__file__).resolve().parents[2] / "docs" / "exit-statuses.md"


@pytest.mark.skipif(not PAGE.is_file(), reason="the documentation is not part of this copy")
def test_page_lists_every_code_with_its_status() -> None:
    """docs/exit-statuses.md is what scripts are written against."""
    rows = re.findall(r"^\| `([a-z._0-9]+)` \| (\d+) \| (yes)? ?\| ", PAGE.read_text(encoding="utf-8"), re.MULTILINE)

    assert {(code, int(status), again == "yes") for code, status, again in rows} == {
        (kind.code, kind.exit_status, kind.retryable) for kind in CLASSES
    }


@pytest.mark.skipif(not PAGE.is_file(), reason="the documentation is not part of this copy")
def test_page_explains_every_status() -> None:
    """Those of the classes, and those that no class has."""
    explained = {int(row) for row in re.findall(r"^\| (\d+) \| ", PAGE.read_text(encoding="utf-8"), re.MULTILINE)}

    assert explained == SYSEXITS | {0, EtcdDrError.exit_status, READER_GONE_STATUS}
