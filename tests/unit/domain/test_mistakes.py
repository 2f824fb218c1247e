"""What does not fit a model, in our words."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

import pytest
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from etcd_dr.domain.mistakes import mistakes


class Inner(BaseModel):
    size: int = 1


class Record(BaseModel):
    model_config = ConfigDict(extra="forbid")

    name: str = "x"
    number: Annotated[int, Field(ge=1, le=9)] = 1
    share: Annotated[float, Field(gt=0, lt=1)] = 0.5
    is_on: bool = True
    entries: Annotated[tuple[str, ...], Field(min_length=1, max_length=2)] = ("a",)
    by_name: dict[str, str] = {}
    form: Literal["table", "json"] = "table"
    slug: Annotated[str, Field(pattern="^[a-z]+$", min_length=1)] = "a"
    at: AwareDatetime | None = None
    moment: datetime | None = None
    inner: Inner = Inner()


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("name", 1, "must be text"),
        ("number", "many", "must be a whole number"),
        ("number", 1.5, "must be a whole number"),
        ("number", 0, "must be at least 1"),
        ("number", 10, "must be at most 9"),
        ("share", "half", "must be a number"),
        ("share", 0, "must be more than 0.0"),
        ("share", 1, "must be less than 1.0"),
        ("is_on", "perhaps", "must be true or false"),
        ("entries", (), "needs at least 1 entry"),
        ("entries", ("a", "b", "c"), "takes at most 2 entries"),
        ("entries", "a", "must be a list"),
        ("by_name", [], "must be a mapping"),
        ("form", "xml", "must be 'table' or 'json'"),
        ("slug", "A", "is not written as it must be (^[a-z]+$)"),
        ("slug", "", "needs at least 1 character"),
        ("at", "2026-08-20T03:00:00", "needs a time zone, such as Z"),
        ("moment", "soon", "must be a time such as 2026-08-20T03:00:00Z"),
        ("inner", 7, "must be a mapping"),
        ("unknown", 7, "is not a known key"),
    ],
)
def test_mistake_is_told_without_the_librarys_words(field: str, value: object, said: str) -> None:
    """Whoever wrote a configuration file at night knows nothing of tuples and validation."""
    with pytest.raises(ValidationError) as caught:
        Record.model_validate({field: value})

    assert list(mistakes(caught.value)) == [(field, said)]


def test_list_whose_entries_are_wrong_is_not_called_empty_as_well() -> None:
    """Who is told that a list needs an entry looks for another mistake than the one in the entry."""
    with pytest.raises(ValidationError) as caught:
        Record.model_validate({"entries": (1,)})

    assert list(mistakes(caught.value)) == [("entries.0", "must be text")]
