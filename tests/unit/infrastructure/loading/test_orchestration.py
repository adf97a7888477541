"""Schedules, triggers and notifications in definitions: how they are read, and what is said about those that cannot be meant."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from tests.definitions.reading import HEAD, problems, read, told

from headrace.business.model.definition import Definition
from headrace.business.model.notifications import Command, Email, Webhook
from headrace.business.model.orchestration import Partition, Schedule, Trigger
from headrace.business.processing.plan import fingerprint
from headrace.infrastructure.catalog import Catalog
from headrace.infrastructure.loader import load_text, to_yaml
from headrace.security.secrets import Secret

DAY = "params: {day: {type: date, required: true}}\n"
AT_SIX = 'cron: "0 6 * * *"'


def defined(text: str, params: str = "") -> Definition:
    return read(HEAD + params + text, params={"day": "2024-01-01"} if params else {}).definition


def hints(text: str, params: str = "") -> list[tuple[str, str | None]]:
    found = problems(HEAD + params + text, params={"day": "2024-01-01"} if params else {})
    return [(p.message, p.hint) for p in found]


def test_a_bare_text_is_a_cron_expression():
    assert (
        defined('schedule: "0 6 * * *"').schedule == defined(f"schedule: {{{AT_SIX}}}").schedule == Schedule(cron="0 6 * * *")
    )


def test_a_schedule_with_everything():
    text = "timezone: America/New_York, catch_up: all, start: 2024-01-01, end: 2024-12-31, expect_within: 1h, partition: day"
    assert defined(f"schedule: {{{AT_SIX}, {text}}}", DAY).schedule == Schedule(
        cron="0 6 * * *",
        timezone="America/New_York",
        catch_up="all",
        start=date(2024, 1, 1),
        end=date(2024, 12, 31),
        expect_within=timedelta(hours=1),
        partition=Partition(param="day"),
    )
    ago = defined("schedule: {every: 15 minutes, partition: {param: day, ago: 1 day}}", DAY).schedule
    assert (ago.every, ago.partition.ago) == (timedelta(minutes=15), timedelta(days=1))


def test_what_else_starts_a_pipeline():
    assert defined('triggers: [{file: "incoming/*.csv"}, {pipeline: orders}]').triggers == (
        Trigger(file="incoming/*.csv"),
        Trigger(pipeline="orders"),
    )


def test_three_ways_to_be_told():
    text = """\
    notify:
      - {on: [failed, recovered], webhook: "${secret:env/ALERT_URL}"}
      - on: failed
        email: {to: a@example.com, from: b@example.com, server: "mail:25", user: u, password: "${secret:env/PW}"}
      - {on: quarantined, command: [./page.sh, "${params.level}", 1], min_quarantined: 10, after: 2}
      - {name: chat, on: recovered, webhook: {url: "https://example.com", headers: {X: "${secret:env/X}"}}}
    params: {level: high}
    """
    chat = {"X": Secret("${secret:env/X}")}
    first, second, third, fourth = read("pipeline: p\nsources: {a: {file: a.csv}}\n" + _flush(text)).definition.notify
    assert (first.webhook, first.name, first.way) == (Webhook(url=Secret("${secret:env/ALERT_URL}")), "webhook", "webhook")
    assert first.occasions == {"failed"}
    assert second.email == Email(
        **{
            "to": ["a@example.com"],
            "from": "b@example.com",
            "server": "mail:25",
            "user": "u",
            "password": Secret("${secret:env/PW}"),
        }
    )
    assert (third.command, third.after, third.min_quarantined) == (Command(run=["./page.sh", "high", "1"]), 2, 10)
    assert (fourth.name, fourth.webhook.headers, fourth.occasions) == (
        "chat", chat, {"failed", "late", "quarantined", "check_failed"},
    )  # fmt: skip


def _flush(text: str) -> str:
    return "\n".join(line.removeprefix("    ") for line in text.splitlines()) + "\n"


def test_notifications_of_the_same_way_are_numbered():
    made = defined("notify: [{on: failed, webhook: x}, {on: failed, webhook: y}, {on: failed, command: [z]}]").notify
    assert [n.name for n in made] == ["webhook", "webhook_2", "command"]


def test_how_runs_stand_in_line():
    made = defined("priority: 5\nslots: {warehouse: 2}\nconcurrency: 3\n")
    assert (made.priority, made.slots, made.concurrency) == (5, {"warehouse": 2}, 3)
    assert (defined("").priority, defined("").slots, defined("").concurrency) == (0, {}, 1)


def test_a_url_is_shown_nowhere():
    made = defined("notify: [{on: failed, webhook: 'https://example.com/hook/token'}]")
    assert "token" not in repr(made)
    assert "token" not in made.model_dump_json()


def test_when_it_runs_does_not_change_what_it_does():
    """What targets already hold is not published again because somebody else is told."""
    plain = defined("")
    busy = defined(
        f"schedule: {{{AT_SIX}}}\nnotify: [{{on: failed, webhook: x}}]\ntriggers: [{{file: x}}]\npriority: 3\nslots: {{a: 1}}"
    )
    assert fingerprint(plain, {}) == fingerprint(busy, {})


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("schedule: 0 6 * *", "3:11: a cron expression has five fields, and `0 6 * *` has 4"),
        ('schedule: {cron: "0 6 31 2 *"}', "3:18: `0 6 31 2 *` never comes: no such month has a day 31"),
        ("schedule: {timezone: UTC}", "3:11: a schedule needs a rhythm"),
        (f"schedule: {{{AT_SIX}, every: 1 hour}}", "3:11: two rhythms: `cron` and `every`"),
        ("schedule: {every: 15}", "3:19: a duration needs a unit"),
        ("schedule: {every: 1 month}", "3:19: a month has no fixed length"),
        ("schedule: {every: 5 ms}", "3:11: a schedule cannot tick more than once a second"),
        (f"schedule: {{{AT_SIX}, start: 2024-02-30}}", "3:38: `2024-02-30` is not a date"),
        (f"schedule: {{{AT_SIX}, start: 20240101}}", "3:38: a date is needed here"),
        (
            f"schedule: {{{AT_SIX}, start: 2024-02-03, end: 2024-02-01}}",
            "3:11: the schedule ends on 2024-02-01 and begins on 2024-02-03",
        ),
        (
            'schedule: {cron: "0 0 29 2 *", start: 2025-01-01, end: 2027-12-31}',
            "3:56: this schedule never ticks between 2025-01-01 and 2027-12-31",
        ),
        ("schedule: {every: 1 week, start: 2024-01-01, params: {x: 1}}", "3:55: there is no parameter `x`"),
        ("schedule: {every: 1 week, partition: day}", "3:38: there is no parameter `day`"),
        ("schedule: [1]", "3:11: `schedule` must be a mapping (`key: value`), not a list"),
        ("triggers: {file: x}", "3:11: `triggers` must be a list, not a mapping"),
        ("triggers: [{}]", "3:12: this trigger waits for nothing"),
        ("triggers: [{file: x, pipeline: y}]", "3:12: two triggers in one: `file` and `pipeline`"),
        ("triggers: [{pipeline: p}]", "3:23: a pipeline cannot wait for itself"),
        ("notify: [{webhook: x}]", "3:10: `on` is missing here"),
        ("notify: [{on: failed}]", "3:10: this notification says not how"),
        ("notify: [{on: [], webhook: x}]", "3:15: a notification of nothing"),
        ("notify: [{on: [failed, failed], webhook: x}]", "3:15: `failed` stands twice"),
        ("notify: [{on: failed, webhook: x, command: [y]}]", "3:10: two ways in one notification: `webhook` and `command`"),
        ("notify: [{on: failed, command: []}]", "3:32: a command needs a program"),
        ("notify: [{on: failed, command: ['${secret:env/X}']}]", "3:33: a secret cannot stand in item 1 of `command`"),
        ("notify: [{on: failed, webhook: '${secret:evn/X}'}]", "3:33: there is no secret provider `evn`"),
        ("notify: [{on: failed, webhook: x, after: 0}]", "3:42: `after` must be at least 1, not `0`"),
        ("notify: [{on: failed, webhook: x, min_quarantined: 5}]", "3:10: `min_quarantined` without `quarantined`"),
        ("notify: [{on: failed, webhook: x, name: a b}]", "3:41: `a b` is not a name"),
        ("notify: [{on: failed, webhook: x, name: a}, {on: failed, webhook: y, name: a}]", "3:76: the name `a` is used twice"),
        ("notify: [{on: late, webhook: x}]", "3:15: nothing says when this pipeline is late"),
        (f"schedule: {{{AT_SIX}}}\nnotify: [{{on: [late], webhook: x}}]", "4:15: nothing says when this pipeline is late"),
        ("priority: high", "3:11: `priority` must be a whole number, not `high`"),
        ("slots: [a]", "3:8: `slots` must be a mapping (`key: value`), not a list"),
        ("slots: {a: 0}", "3:12: `a` must be at least 1, not `0`"),
        ("concurrency: 0", "3:14: `concurrency` must be at least 1, not `0`"),
    ],
)
def test_what_cannot_be_meant_is_said_once_and_in_its_place(text, said):
    assert told(HEAD + text) == [said]


@pytest.mark.parametrize(
    ("email", "said"),
    [
        ("to: a, from: b@x, server: m", "`a` is not an e-mail address"),
        ("to: [], from: b@x, server: m", "`to` must be a list of at least 1 items, not a list"),
        ("to: a@x, from: 'B <b@x>', server: m", "`B <b@x>` is not an e-mail address"),
        ("to: a@x, from: b@x, server: 'smtp://m'", "`smtp://m` is not a mail server"),
        ("to: a@x, from: b@x", "`server` is missing here"),
        ("to: a@x, from: b@x, server: m, user: u", "`user` without `password`"),
        ("to: a@x, from: b@x, server: m, password: u", "`password` without `user`"),
        (
            "to: a@x, from: b@x, server: m, user: u, password: p, security: none",
            "the password would go over the network in plain text",
        ),
        ("to: a@x, from: b@x, server: m, security: ssl", "`security` must be one of `starttls`, `tls`, `none`, not `ssl`"),
    ],
)
def test_a_message_that_cannot_be_sent(email, said):
    assert [message for message, _ in hints(f"notify: [{{on: failed, email: {{{email}}}}}]")] == [said]


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ('schedul: "0 6 * * *"', "did you mean `schedule`?"),
        ('schedule: {crn: "0 6 * * *"}', "did you mean `cron`?"),
        (f"schedule: {{{AT_SIX}, tz: UTC}}", "did you mean `timezone`?"),
        (f"schedule: {{{AT_SIX}, catchup: all}}", "did you mean `catch_up`?"),
        (f"schedule: {{{AT_SIX}, timezone: Europe/Berlni}}", "did you mean `Europe/Berlin`?"),
        (f"schedule: {{{AT_SIX}, timezone: localtime}}", None),
        (f"schedule: {{{AT_SIX}, sla: 1h}}", "did you mean `expect_within`?"),
        (f"schedule: {{{AT_SIX}, notify: []}}", "`notify` belongs at the top level, not indented"),
        (AT_SIX, "`cron` belongs under `schedule:`"),
        ("webhook: x", "`webhook` belongs in an item of `notify:`"),
        ("notify: [{on: faild, webhook: x}]", "did you mean `failed`?"),
        ("notify: [{on: failed, webhok: x}]", "did you mean `webhook`?"),
        ("notify: [{on: failed, webhook: x, cron: y}]", "`cron` belongs under `schedule:`"),
        ("notify: [{on: failed, email: {to: a@x, from: b@x, servr: m}}]", "did you mean `server`?"),
        ("triggers: [{fiel: x}]", "did you mean `file`?"),
        ("alerts: []", "did you mean `notify`?"),
        ("max_active_runs: 3", "did you mean `concurrency`?"),
    ],
)
def test_hints_say_what_was_meant(text, hint):
    found = hints(text)
    assert len(found) == 1
    assert hint is None or found[0][1] == hint


def test_a_schedule_gives_every_required_parameter_a_value():
    message = "parameter `day` is required, and this schedule gives it no value"
    assert hints(f"schedule: {{{AT_SIX}}}", DAY) == [
        (message, "add `params: {day: ...}`, or `partition: day` for the tick's date")
    ]
    assert hints(f"schedule: {{{AT_SIX}, params: {{day: 2024-01-01}}}}", DAY) == []
    assert hints(f"schedule: {{{AT_SIX}, partition: day}}", DAY) == []
    assert hints(f"schedule: {{{AT_SIX}, partition: dya}}", DAY) == [("there is no parameter `dya`", "did you mean `day`?")]
    assert [m for m, _ in hints(f"schedule: {{{AT_SIX}, params: {{day: soon}}}}", DAY)] == [
        "parameter `day` must be a date such as 2013-01-31, not `soon`"
    ]
    assert [m for m, _ in hints(f"schedule: {{{AT_SIX}, partition: day, params: {{day: 2024-01-01}}}}", DAY)] == [
        "`day` is given twice: by `partition` and by `params`"
    ]
    assert [m for m, _ in hints(f"schedule: {{{AT_SIX}, params: {{day: }}}}", DAY)] == [message]
    assert [m for m, _ in hints(f"schedule: {{{AT_SIX}, params: {{day: '${{secret:env/X}}'}}}}", DAY)] == [
        "a secret cannot stand in `day`"
    ]
    assert [m for m, _ in hints("triggers: [{file: x}]", DAY)] == [
        "parameter `day` is required, and this trigger gives it no value"
    ]
    assert [m for m, _ in hints(f"params: {{n: 1}}\nschedule: {{{AT_SIX}, partition: n}}")] == [
        "a tick has a date, and parameter `n` is of type `int`"
    ]


def test_nobody_is_blamed_for_what_is_missing_with_a_misspelt_section():
    assert [m for m, _ in hints(f"schedul: {{{AT_SIX}, expect_within: 1h}}\nnotify: [{{on: late, webhook: x}}]")] == [
        "unknown key `schedul`"
    ]
    assert [m for m, _ in hints(f"parms: {{day: {{type: date}}}}\nschedule: {{{AT_SIX}, partition: day}}")] == [
        "unknown key `parms`"
    ]


WHOLE = """\
version: 1
pipeline: flights
description: Departures from New York, checked, joined and loaded
engine: duckdb

sources:
  flights:
    file: {path: data/flights.csv}
    contract:
      columns:
        year:    {type: int32, required: true}
        carrier: {type: string, required: true, in: [9E, AA, AS, B6, DL, EV, F9, FL, HA, MQ, OO, UA, US, VX, WN, YV]}
        dep_delay: {type: float64, nulls: ["NA", ""], between: [-120, 2000]}
        tailnum: {type: string, nulls: ["NA"], matches: '^N[0-9A-Z]+$', classification: pii}
      key: [year, month, day, carrier, flight, origin, sched_dep_time]
      rules:
        arrives_somewhere: origin <> dest
        known_airport: {references: airports.faa, column: origin}
      on_violation: quarantine
  airlines: {file: {path: data/airlines.csv}}
  airports: {file: {path: data/airports.csv}}

steps:
  - clean: {trim: [carrier], dedupe: {key: [carrier, flight, time_hour], keep: last, order_by: time_hour}}
  - derive: {speed_mph: distance / (air_time / 60.0)}
  - sql: select f.*, a.name as airline from flights f join airlines a using (carrier)

checks:
  - row_count: {min: 300_000}
  - null_share: {column: dep_delay, max: 0.03}
  - row_count_anomaly: {history: 8 weeks, on_fail: warn}

sinks:
  - file: {path: out/flights/, format: parquet, partition_by: [month]}
  - postgres: {url: "${secret:env/PG}", table: analytics.flights, mode: merge, key: [flight_id], indexes: [[carrier, origin]]}

schedule: {cron: "0 6 * * *", timezone: America/New_York, catch_up: last}
notify: [{on: [failed, quarantined], webhook: ${secret:env/ALERT_URL}}]
tests:
  - name: negative distance is held back
    rows: {flights: [{distance: -3}]}
    expect: {quarantined: [{reasons: [distance.between]}]}
"""


def test_a_whole_definition_with_everything_in_it():
    definition = load_text(WHOLE, catalog=Catalog(), env={}).definition
    assert definition.schedule == Schedule(cron="0 6 * * *", timezone="America/New_York", catch_up="last")
    (notification,) = definition.notify
    assert (notification.on, str(notification.webhook.url)) == (("failed", "quarantined"), "${secret:env/ALERT_URL}")
    assert load_text(to_yaml(definition), catalog=Catalog(), env={}).definition == definition


def test_a_cron_expression_that_needs_quotes():
    assert hints("schedule: */15 * * * *") == [
        ("a value that begins with `*` or `&` needs quotes", "put the value in quotes: a `'` on both sides")
    ]
