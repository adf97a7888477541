"""The source `http`: the records that an API hands out by pages. Not how it is asked (see `rest`)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, StrictInt, model_validator

from headrace.business.connections import Profile
from headrace.business.fetched import Fetched, FetchedScan, Wanted
from headrace.business.model.schema import Column, Schema
from headrace.business.model.shorthand import Shorthand
from headrace.business.model.types import String
from headrace.business.ports import Batch, Position
from headrace.errors import NonRetryableError
from headrace.infrastructure.connectors.json_spool import as_planned, keys_of
from headrace.infrastructure.connectors.rest.asking import Asking
from headrace.infrastructure.connectors.rest.fetching import Reading
from headrace.infrastructure.connectors.rest.pages import Pages, pages_options
from headrace.infrastructure.connectors.rest.reaching import Address, ReachOptions
from headrace.infrastructure.connectors.rest.since import Since, asking_since
from headrace.infrastructure.connectors.rest.text_batches import text_batches
from headrace.infrastructure.connectors.rest.turning import Turned
from headrace.infrastructure.connectors.stores.http_connection import HttpConnection
from headrace.infrastructure.connectors.web.urls import origin_of
from headrace.infrastructure.formats.arrow_union import needs_pyarrow
from headrace.infrastructure.formats.delimited_head import unique_names
from headrace.infrastructure.formats.json_path import JsonPath, parts_of
from headrace.resilience.backoff import RetryPolicy

#: Whoever looks at a source tries again by itself.
_ONCE = RetryPolicy(attempts=1)
_OF_CONNECTION = ("auth", "rate", "ca", "plain_http", "timeout")


class HttpSource(ReachOptions):
    """Records from an API over HTTP: each record a row, each of its keys a column, nested values as JSON.

    ```yaml
    sources:
      orders:
        http:
          url: https://api.example.com/v2/orders
          auth: {bearer: "${secret:env/API_TOKEN}"}
          records: data.items
          pages: {cursor: {path: meta.next_cursor}}
    ```
    """

    kind: ClassVar[str] = "http"
    bounded: ClassVar[bool] = True
    shorthand: ClassVar[str | None] = "url"

    url: Address | None = Field(None, description="What is asked; or give `connection` and `path`")
    connection: Profile[HttpConnection] | None = Field(
        None, description="The name of a connection of kind `http` in headrace.toml"
    )
    path: str = Field("", description="What is asked of the connection: a path behind its `base_url`")
    method: Literal["GET", "POST"] = Field("GET", description="POST for what is asked by a `body`")
    params: Mapping[str, Any] = Field(default_factory=dict, description="Parameters of the query; a list is given as several")
    body: Any = Field(None, description="What is posted, as JSON")
    records: JsonPath = Field("$", description="Where the answer has its records; `$` when it is nothing but records")
    pages: Annotated[
        Pages | None, Shorthand(pages_options, also=(("type", "string"), ("enum", ["number", "offset", "link"])))
    ] = Field(None, description="How pages are turned; when left out, there is one page")
    since: Since | None = Field(
        None, description="The parameter that has the server leave out what earlier runs read, for a source with `incremental`"
    )
    columns: tuple[str, ...] = Field(
        (), description="The keys that are wanted; when left out, those on the first page, and any other is an error"
    )
    largest_page: Annotated[StrictInt, Field(ge=1)] = Field(
        64_000_000, description="How many bytes an answer may have, compressed or not"
    )

    @model_validator(mode="after")
    def _fitting(self) -> Self:
        if (self.url is None) == (self.connection is None):
            raise ValueError("give either `connection` or `url`" + ("" if self.url is None else ", not both"))
        if self.connection is not None and self.connection.connection.base_url is None:
            raise ValueError(f"the connection `{self.connection.name}` has no `base_url`")
        if self.connection is None and self.path:
            raise ValueError("`path` is meant from the `base_url` of a `connection`: write the whole address as `url`")
        if self.connection is not None and (own := [name for name in _OF_CONNECTION if name in self.model_fields_set]):
            raise ValueError(f"`{own[0]}` stands in the connection `{self.connection.name}`: take it out here")
        if self.method == "GET" and self.body is not None:
            raise ValueError("a GET has no `body`: say `method: POST`, or give `params`")
        if self.method == "GET" and (what := self._into_body()):
            raise ValueError(f"`{what}` goes into a `body`, which a GET has not: say `method: POST`, or `in: query`")
        self._reached(Path())[0].demand_private(self.address)
        return self

    def _into_body(self) -> str | None:
        ways = (self.pages.number, self.pages.offset, self.pages.cursor) if self.pages else ()
        if any(way is not None and way.in_ == "body" for way in ways):
            return "pages"
        return "since" if self.since is not None and self.since.in_ == "body" else None

    @property
    def address(self) -> str:
        if self.url is not None:
            return self.url
        base = (self.connection.connection.base_url if self.connection else None) or ""
        return f"{base.rstrip('/')}/{self.path.lstrip('/')}" if self.path else base

    @property
    def origin(self) -> str:
        return self.address.partition("?")[0]

    @property
    def system(self) -> str:
        scheme, host, port = origin_of(urlsplit(self.address))
        return f"{scheme}://{host}:{port}"

    def scan(self, project: Path) -> FetchedScan:
        """Asks for the first page when the columns are not named."""
        first = [] if self.columns else self._first(project)
        keys = self.columns or _keys(self.origin, first)
        names, notes = unique_names(keys)

        def fetch(folder: Path, wanted: Wanted, *, sample: bool = False) -> Fetched:
            turned = self._reading(project, wanted).turned(wanted)
            pages = iter(first) if sample and first else islice(turned, 1) if sample else turned
            return as_planned(scan, keys, pages, folder, open_ended=not self.columns)

        scan = FetchedScan(
            Schema(tuple(Column(name, String()) for name in names)), fetch=fetch, origin=self.origin, notes=notes
        )
        return scan

    def schema_of(self, project: Path) -> Schema:
        return self.scan(project).schema

    def partitions(self, project: Path) -> Sequence[str]:  # noqa: ARG002 - pages follow one another
        return ("all",)

    def read(self, project: Path, partition: str, after: Position | None) -> Iterator[Batch]:  # noqa: ARG002
        """The position is the number of records read so far; it means the same records as long as nobody changes them."""
        needs_pyarrow("records as batches")
        keys = self.columns or _keys(self.origin, self._first(project))
        yield from text_batches(self._reading(project, Wanted()).turned(Wanted()), keys, unique_names(keys)[0], int(after or 0))

    def _reading(self, project: Path, wanted: Wanted) -> Reading:
        asking = asking_since(Asking(self.address, self.method, self.params, self.body), self.since, wanted.floor)
        options, home = self._reached(project)
        return Reading(options, home, asking, parts_of(self.records), self.records, self.pages, self.largest_page)

    def _first(self, project: Path) -> list[Turned]:
        """The first page, as a run that has read nothing yet would get it."""
        wanted = Wanted(retry=_ONCE)
        return list(islice(self._reading(project, wanted).turned(wanted), 1))

    def _reached(self, project: Path) -> tuple[ReachOptions, Path]:
        """The options that hold, and the folder that their files are meant from."""
        if self.connection is None:
            return self, project
        options = self.connection.connection
        return options.model_copy(update={"headers": {**options.headers, **self.headers}}), self.connection.home


def _keys(origin: str, first: list[Turned]) -> tuple[str, ...]:
    """The keys of the records on the first page."""
    if keys := keys_of(first):
        return keys
    raise NonRetryableError(
        f"{origin} gave no records, so its columns are unknown", hint="name them: `columns: [id, name, updated_at]`"
    )
