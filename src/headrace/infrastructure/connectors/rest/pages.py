"""The ways in which APIs hand out records by pages, as options. Not how pages are turned (see `turning`)."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import Field, StrictInt, model_validator

from headrace.business.model.part import Model
from headrace.business.model.shorthand import Shorthand
from headrace.infrastructure.formats.json_path import JsonPath

WHERE = "Where parameters go: into the query, or into the JSON of the `body`, where their names are paths"

Place = Literal["query", "body"]


class Counted(Model):
    """Pages that are counted, so that their number can be known before they are asked for."""

    total: JsonPath | None = Field(None, description="Where the answer says how many records there are in all")
    total_header: str | None = Field(None, description="The header that says so", examples=["X-Total-Count"])
    ends: Literal["empty", "short", "not_found"] = Field(
        "empty",
        description="How the end shows when there is no total: by an empty page; by one that is shorter than the first, which saves "
        "a request; by a page that is not found (404)",
    )
    parallel: Annotated[StrictInt, Field(ge=1, le=32)] = Field(
        4, description="How many pages to ask for at the same time, where it is known how many there are"
    )
    in_: Place = Field("query", alias="in", description=WHERE)


class ByNumber(Counted):
    """Pages with numbers: `?page=2&per_page=100`."""

    param: str = Field("page", description="The parameter for the number")
    first: Annotated[StrictInt, Field(ge=0)] = Field(1, description="The number of the first page")
    size_param: str | None = Field(None, description="The parameter for how many records a page has")
    size: Annotated[StrictInt, Field(ge=1)] | None = Field(None, description="How many records to ask for at once")
    total_pages: JsonPath | None = Field(None, description="Where the answer says how many pages there are")

    @model_validator(mode="after")
    def _size(self) -> Self:
        if (self.size is None) != (self.size_param is None):
            raise ValueError("`size` and `size_param` belong together")
        return self


class ByOffset(Counted):
    """Records from an offset on: `?offset=200&limit=100`."""

    param: str = Field("offset", description="The parameter for how many records to pass over")
    limit_param: str = Field("limit", description="The parameter for how many records to give")
    limit: Annotated[StrictInt, Field(ge=1)] = Field(100, description="How many records to ask for at once")


class ByCursor(Model):
    """A cursor in each answer, which the next request gives back."""

    param: str = Field("cursor", description="The parameter for the cursor")
    path: JsonPath = Field(description="Where the answer has the next cursor; none, null or an empty text at the end")
    more: JsonPath | None = Field(None, description="Where the answer says by true or false whether there is more")
    in_: Place = Field("query", alias="in", description=WHERE)


class ByNext(Model):
    """The address of the next page in each answer."""

    path: JsonPath = Field(description="Where the answer has it; none, null or an empty text at the end")


class ByLink(Model):
    """The address of the next page in the header `Link` (RFC 8288), with `rel=\"next\"`."""


def pages_options(written: Any) -> Any:
    """`pages: link` is `pages: {link: {}}`."""
    return {written: {}} if isinstance(written, str) else written


class Pages(Model):
    """How pages are turned: one of these ways."""

    number: ByNumber | None = Field(None, description="Pages have numbers")
    offset: ByOffset | None = Field(None, description="Records are counted")
    cursor: ByCursor | None = Field(None, description="Each answer has a cursor for the next")
    next: Annotated[ByNext, Shorthand(lambda w: {"path": w} if isinstance(w, str) else w, of="path")] | None = Field(
        None, description="Each answer has the address of the next page; a bare value is the path to it"
    )
    link: ByLink | None = Field(None, description="The header `Link` has that address")
    most: Annotated[StrictInt, Field(ge=1)] = Field(
        100_000, description="More pages than this are an error: somebody goes round in a circle"
    )

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        ways = ("number", "offset", "cursor", "next", "link")
        given = [name for name in ways if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError("give one of " + ", ".join(f"`{w}`" for w in ways) + (f", not {len(given)}" if given else ""))
        return self
