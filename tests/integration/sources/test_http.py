"""The source `http`: all records of an API, once each and in order, whatever its way with pages, or a clear word on why not."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest
from tests.integration.rest_server import Asked, Reply, RestServer, pages_of
from tests.integration.sources.reading import Read, read

from headrace.business.fetched import Wanted
from headrace.errors import NonRetryableError, RetryableError
from headrace.infrastructure.connectors.http_source import HttpSource
from headrace.infrastructure.connectors.rest.client import Client
from headrace.infrastructure.connectors.rest.exchange import Request
from headrace.resilience.backoff import RetryPolicy
from headrace.testing import source_conforms

ROWS = [{"id": i, "name": f"n{i}"} for i in range(25)]
QUICK = RetryPolicy(attempts=3, base_delay=0.001, budget_seconds=30.0)


@pytest.fixture
def server() -> Iterator[RestServer]:
    with RestServer().running() as running:
        yield running


def source(server: RestServer, path: str = "/items", **options: Any) -> HttpSource:
    return HttpSource.model_validate({"url": server.url(path), **options})


def fetched(http: HttpSource, folder: Path, retry: RetryPolicy = QUICK, floor: str | None = None) -> list[dict[str, Any]]:
    """The records as they were laid down, in their order."""
    folder.mkdir(exist_ok=True)
    found = http.scan(folder).fetch(folder, Wanted(floor, retry))
    return [json.loads(line) for file in found.scan.files for line in Path(file.path).read_text().splitlines()]


def rows_of(http: HttpSource, folder: Path) -> Read:
    return read(http.scan(folder))


# Pages ---------------------------------------------------------------------------------------------------------------


def by_offset(asked: Asked) -> Reply:
    start, limit = int(asked.query["offset"]), min(int(asked.query["limit"]), 10)
    return Reply({"total": len(ROWS), "rows": ROWS[start : start + limit]}, headers={"X-Total-Count": str(len(ROWS))})


def by_cursor(asked: Asked) -> Reply:
    start = int(asked.query.get("cursor", "0"))
    return Reply({"rows": ROWS[start : start + 10], "meta": {"next": str(start + 10) if start + 10 < len(ROWS) else None}})


def by_cursor_in_body(asked: Asked) -> Reply:
    start = json.loads(asked.body)["variables"].get("after", 0)
    page = {"rows": ROWS[start : start + 10], "end": start + 10, "more": start + 10 < len(ROWS)}
    return Reply({"data": page})


def by_next(asked: Asked) -> Reply:
    start = int(asked.query.get("from", "0"))
    more = {"@next.link": f"?from={start + 10}"} if start + 10 < len(ROWS) else {}
    return Reply({"rows": ROWS[start : start + 10], **more})


def by_link(asked: Asked) -> Reply:
    start = int(asked.query.get("from", "0"))
    link = f'<{asked.path}?from={start + 10}>; title="a, b"; rel="last next", <x>; rel=prev'
    return Reply(ROWS[start : start + 10], headers={"Link": link if start + 10 < len(ROWS) else "<x>; rel=prev"})


WAYS = {
    "number": (pages_of(ROWS, 10), {"records": "data.items", "pages": "number"}),
    "number, total": (pages_of(ROWS, 10), {"records": "data.items", "pages": {"number": {"total": "meta.total"}}}),
    "number, pages": (pages_of(ROWS, 10), {"records": "data.items", "pages": {"number": {"total_pages": "meta.pages"}}}),
    "number, one at a time": (
        pages_of(ROWS, 10),
        {"records": "data.items", "pages": {"number": {"total": "meta.total", "parallel": 1}}},
    ),
    "number, short": (pages_of(ROWS, 10), {"records": "data.items", "pages": {"number": {"ends": "short"}}}),
    "number, fewer than asked for": (
        pages_of(ROWS, 10),
        {"records": "data.items", "pages": {"number": {"size_param": "per_page", "size": 1000}}},
    ),
    "offset": (by_offset, {"records": "$.rows", "pages": "offset"}),
    "offset, total": (by_offset, {"records": "rows", "pages": {"offset": {"limit": 10, "total": "total"}}}),
    "offset, header": (by_offset, {"records": "rows", "pages": {"offset": {"total_header": "x-total-count"}}}),
    "cursor": (by_cursor, {"records": "rows", "pages": {"cursor": {"path": "meta.next"}}}),
    "cursor in body": (
        by_cursor_in_body,
        {
            "method": "POST",
            "body": {"query": "q", "variables": {"x": 1}},
            "records": "data.rows",
            "pages": {"cursor": {"path": "data.end", "more": "data.more", "param": "variables.after", "in": "body"}},
        },
    ),
    "next": (by_next, {"records": "rows", "pages": {"next": "['@next.link']"}}),
    "link": (by_link, {"pages": "link"}),
}


@pytest.mark.parametrize("way", WAYS)
def test_every_way_of_turning_pages_gives_each_record_once_and_in_order(way, server, tmp_path):
    route, options = WAYS[way]
    server.routes["/items"] = route
    assert fetched(source(server, **options), tmp_path / "f") == ROWS


def test_a_page_that_is_not_found_can_be_the_end(server, tmp_path):
    def route(asked: Asked) -> Reply:
        page = int(asked.query["page"])
        return Reply(ROWS[(page - 1) * 10 : page * 10]) if page <= 3 else Reply({"detail": "Invalid page."}, 404)

    server.routes["/items"] = route
    with pytest.raises(NonRetryableError, match="answered 404"):
        fetched(source(server, pages="number"), tmp_path / "f")
    assert fetched(source(server, pages={"number": {"ends": "not_found"}}), tmp_path / "f") == ROWS


def test_pages_are_asked_for_side_by_side_and_no_more_than_there_are(server, tmp_path):
    server.routes["/items"] = pages_of([{"id": i} for i in range(200)], 10)
    way = {"number": {"total": "meta.total", "parallel": 8}}
    found = fetched(source(server, records="data.items", columns=["id"], pages=way), tmp_path / "f")
    assert [row["id"] for row in found] == list(range(200))
    assert sorted(int(asked.query["page"]) for asked in server.asked) == list(range(1, 21))


@pytest.mark.parametrize(
    ("route", "options", "words"),
    [
        (lambda _: Reply({"rows": ROWS}), {"pages": "number"}, "the same as the page before"),
        (lambda _: Reply({"rows": ROWS}), {"pages": "offset"}, "the same as the page before"),
        (lambda _: Reply({"rows": ROWS, "next": "a"}), {"pages": {"cursor": {"path": "next"}}}, "cursor that was there before"),
        (
            lambda asked: Reply({"rows": ROWS, "next": {"a": "b", "b": "c", "c": "a"}[asked.query.get("cursor", "a")]}),
            {"pages": {"cursor": {"path": "next"}}},
            "round in a circle",
        ),
        (lambda _: Reply({"rows": ROWS, "next": "/items?x=1"}), {"pages": {"next": "next"}}, "address that was there before"),
        (
            lambda asked: Reply({"rows": [{"id": int(asked.query["page"])}]}),
            {"pages": {"number": {}, "most": 30}},
            "more than 30 pages",
        ),
        (lambda _: Reply({"rows": ROWS}, headers={"Link": "</items?p=2>; rel=next"}), {}, "there are more pages"),
        (lambda _: Reply({"rows": ROWS}), {"pages": {"cursor": {"path": "mta.next"}}}, "no `mta` with what leads"),
        (lambda _: Reply({"rows": ROWS}), {"pages": {"number": {"total": "meta.total"}}}, "no number where `total` leads"),
    ],
)
def test_pages_without_an_end_or_a_way_on_are_an_error(route, options, words, server, tmp_path):
    server.routes["/items"] = route
    with pytest.raises(NonRetryableError, match=words):
        fetched(source(server, records="rows", columns=["id", "name"], **options), tmp_path / "f")


def test_records_that_went_missing_while_they_were_read_are_noticed(server, tmp_path):
    rows = list(ROWS)

    def route(asked: Asked) -> Reply:
        if asked.query["page"] == "2":
            del rows[0:10]  # what was read is deleted, so the rest moves up
        return pages_of(rows, 10)(Asked("GET", "/items", asked.query, {}, b"")) if rows else Reply({})

    server.routes["/items"] = lambda asked: Reply({**route(asked).body, "meta": {"total": 25}})
    way = {"number": {"total": "meta.total", "parallel": 1}}
    with pytest.raises(RetryableError, match=r"15 records came, and there should be 25"):
        fetched(source(server, records="data.items", columns=["id"], pages=way), tmp_path / "f")


# Answers that are damaged --------------------------------------------------------------------------------------------


GOOD = Reply({"data": {"items": ROWS[20:25]}, "meta": {"total": 25}})
DAMAGED = {
    "cut": (Reply(GOOD.body, cut=40), "bytes"),
    "longer than it is": (Reply(GOOD.body, length=4000), "bytes"),
    "shorter than it is": (Reply(GOOD.body, length=40), "not JSON at character"),
    "gzip cut": (Reply(GOOD.content, zipped=True, cut=50, length=50), "middle of its gzip"),
    "no gzip": (Reply(GOOD.content, headers={"Content-Encoding": "gzip"}), "no gzip"),
    "encoded otherwise": (Reply(GOOD.content, headers={"Content-Encoding": "br"}), "not asked for"),
    "invalid": (Reply(b'{"data": {"items": [{"id": 1,}]}}'), "not JSON at character 30"),
    "empty": (Reply(b""), "its answer is empty"),
    "not text": (Reply(b'{"data": {"items": ["\xff"]}}'), "not text in its character set"),
    "500": (Reply({}, 500), "answered 500"),
    "408": (Reply({}, 408), "answered 408"),
    "503": (Reply({}, 503), "answered 503"),
    "429": (Reply({}, 429), "answered 429"),
}  # fmt: skip


def third(server: RestServer, *replies: Reply) -> HttpSource:
    """A source whose third page is answered so."""
    server.serve("/third", *replies)
    whole = pages_of(ROWS, 10)
    server.routes["/items"] = lambda asked: server.routes["/third"](asked) if asked.query["page"] == "3" else whole(asked)
    return source(server, records="data.items", columns=["id", "name"], pages={"number": {"total": "meta.total"}})


@pytest.mark.parametrize("damage", DAMAGED)
def test_a_damaged_answer_is_asked_for_again_and_no_other(damage, server, tmp_path):
    reply, _ = DAMAGED[damage]
    assert fetched(third(server, reply, reply, GOOD), tmp_path / "f") == ROWS
    assert sorted(asked.query["page"] for asked in server.asked) == ["1", "2", "3", "3", "3"]


@pytest.mark.parametrize("damage", DAMAGED)
def test_an_answer_that_stays_damaged_ends_the_reading_and_is_named(damage, server, tmp_path):
    reply, words = DAMAGED[damage]
    with pytest.raises(RetryableError, match=words) as caught:
        fetched(third(server, reply), tmp_path / "f")
    assert "/items?page=3" in str(caught.value)
    assert [asked.query["page"] for asked in server.asked].count("3") == 3


def test_a_server_that_does_not_answer_in_time_is_asked_again(server, tmp_path):
    server.serve("/items", Reply(ROWS, cut=10, stall=True), Reply(ROWS))
    assert fetched(source(server, columns=["id", "name"], timeout=1), tmp_path / "f") == ROWS


def test_who_waits_for_an_answer_is_woken_when_the_reading_ends(server, tmp_path):
    server.serve("/items", Reply(ROWS, cut=10, stall=True))
    client = Client(source(server), server.url("/items"), tmp_path, RetryPolicy(attempts=1), 1_000_000)
    failed: list[Exception] = []

    def ask() -> None:
        try:
            client.fetch(Request(server.url("/items")), lambda response: response)
        except RetryableError as error:
            failed.append(error)

    asking = threading.Thread(target=ask, daemon=True)
    asking.start()
    while not server.asked:
        asking.join(0.01)
    client.close()
    asking.join(50)
    assert len(failed) == 1, "it did not wait for the sixty seconds that an answer may take"


def test_a_gzip_answer_is_read(server, tmp_path):
    server.serve("/items", Reply(ROWS, zipped=True))
    assert fetched(source(server), tmp_path / "f") == ROWS
    assert server.asked[0].headers["Accept-Encoding"] == "gzip"


@pytest.mark.parametrize("zipped", [False, True])
def test_an_answer_that_is_too_large_is_refused(zipped, server, tmp_path):
    server.serve("/items", Reply([{"a": "x" * 100_000}], zipped=zipped))
    with pytest.raises(NonRetryableError, match="more than is taken at once"):
        fetched(source(server, largest_page=50_000), tmp_path / "f")
    assert len(server.asked) == 1


def test_a_page_for_people_is_no_answer_and_is_asked_for_once(server, tmp_path):
    server.serve("/items", Reply(b"<!doctype html><html>Log in</html>"))
    with pytest.raises(NonRetryableError, match="a page for people"):
        fetched(source(server), tmp_path / "f")
    assert len(server.asked) == 1


def test_a_refusal_is_told_in_the_words_of_the_server(server, tmp_path):
    server.serve("/items", Reply({"error": "no such field: nme"}, 400))
    with pytest.raises(NonRetryableError, match=r"answered 400: .*no such field: nme"):
        fetched(source(server), tmp_path / "f")
    assert len(server.asked) == 1


# Limits --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("status", "form"), [(429, "seconds"), (503, "date")])
def test_a_server_that_asks_for_a_pause_is_given_it(status, form, server, tmp_path):
    at = datetime.now(UTC) + timedelta(seconds=1)
    asked = Reply({}, status, {"Retry-After": "1" if form == "seconds" else format_datetime(at, usegmt=True)})
    once = RetryPolicy(attempts=1, budget_seconds=60.0)
    assert fetched(third(server, asked, asked, GOOD), tmp_path / "f", once) == ROWS


def test_a_pause_that_is_too_long_is_left_to_the_run(server, tmp_path):
    asked = Reply({}, 429, {"Retry-After": "3600"})
    with pytest.raises(RetryableError, match="answered 429") as caught:
        fetched(third(server, asked), tmp_path / "f")
    assert caught.value.retry_after == 3600


# Columns -------------------------------------------------------------------------------------------------------------


def test_no_digit_of_a_value_is_lost(server, tmp_path):
    text = b'[{"a": 0.1000000000000000000000000000000000001, "b": 12345678901234567890123456789012345678, "c": {"x": [1, 2.50]},\n "d": "\\u00e9", "e": null, "f": true}, 5]'
    server.serve("/items", Reply(text))
    found = rows_of(source(server), tmp_path)
    long, many = "0.1000000000000000000000000000000000001", "12345678901234567890123456789012345678"
    assert found.rows == [(long, many, '{"x": [1, 2.50]}', "é", None, "true", 0)]
    assert found.reasons() == ["not_an_object"]


def test_a_key_that_the_first_page_has_not_is_an_error_unless_columns_are_named(server, tmp_path):
    server.routes["/items"] = pages_of([{"id": 1}, {"id": 2}, {"id": 3, "extra": 5}], 2)
    options: dict[str, Any] = {"records": "data.items", "pages": "number"}
    with pytest.raises(NonRetryableError, match="key `extra`") as caught:
        rows_of(source(server, **options), tmp_path)
    assert "columns: [id, extra]" in str(caught.value)
    assert [row[0] for row in rows_of(source(server, columns=["id"], **options), tmp_path).rows] == ["1", "2", "3"]
    assert rows_of(source(server, columns=["extra", "id"], **options), tmp_path).rows[2] == ("5", "3", 0)


@pytest.mark.parametrize(
    ("body", "options", "words"),
    [
        ({"rows": []}, {"records": "rows"}, "columns are unknown"),
        ({"items": ROWS}, {"records": "rows"}, "no records at `rows`"),
        ({"rows": 5}, {"records": "rows"}, "no records at `rows`"),
    ],
)
def test_where_no_records_are_is_said(body, options, words, server, tmp_path):
    server.serve("/items", Reply(body))
    with pytest.raises((NonRetryableError, RetryableError), match=words):
        source(server, **options).scan(tmp_path)


def test_a_single_object_is_a_record(server, tmp_path):
    server.serve("/items", Reply({"status": {"version": "3", "up": True}}))
    assert fetched(source(server, records="status"), tmp_path / "f") == [{"version": "3", "up": True}]


def test_parameters_are_encoded(server, tmp_path):
    server.serve("/items", Reply(ROWS))
    fetched(source(server, params={"q": "a&b=c é", "n": [1, 2], "none": None, "yes": True}, columns=["id"]), tmp_path / "f")
    assert server.asked[0].query == {"q": "a&b=c é", "n": "2", "yes": "true"}


def test_the_source_keeps_the_laws_of_sources(server, tmp_path):
    server.routes["/items"] = pages_of(ROWS, 10)
    source_conforms(source(server, records="data.items", pages="number"), tmp_path)
