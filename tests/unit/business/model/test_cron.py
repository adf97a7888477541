"""Cron expressions are read as Vixie's cron reads them, and what it could not mean is refused with what is allowed."""

# ruff: noqa: DTZ001, DTZ901 - readings of a clock have no zone

from datetime import date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.business.model.cron import parse_cron
from headrace.business.model.wording import Misworded


def hits(text: str, first: str, days: int = 1) -> list[str]:
    begin = datetime.fromisoformat(first)
    return [r.strftime("%d %H:%M") for r in parse_cron(text).readings(begin, begin + timedelta(days=days))]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0 6 * * *", ["01 06:00"]),
        ("*/20 6,7 * * *", ["01 06:00", "01 06:20", "01 06:40", "01 07:00", "01 07:20", "01 07:40"]),
        ("5-15/5 6 * * *", ["01 06:05", "01 06:10", "01 06:15"]),
        ("0 0-23/12 * * *", ["01 00:00", "01 12:00"]),
        ("0,30 23 * * *", ["01 23:00", "01 23:30"]),
        ("0 6 * * mon-fri", ["01 06:00"]),
        ("0 6 * * MON", ["01 06:00"]),
        ("0 6 * Jan *", ["01 06:00"]),
        ("0 6 * feb *", []),
        ("0 6 2 * *", []),
        ("@daily", ["01 00:00"]),
        ("@Yearly", ["01 00:00"]),
        ("  0\t6  * * * ", ["01 06:00"]),
    ],
)
def test_fields_say_which_readings_are_meant(text, expected):
    assert hits(text, "2024-01-01") == expected  # a Monday


@pytest.mark.parametrize("sunday", ["0", "7", "sun", "Sun", "sun-sun"])
def test_sunday_has_several_names(sunday):
    assert hits(f"0 0 * * {sunday}", "2024-01-01", 14) == ["07 00:00", "14 00:00"]


def test_the_week_may_end_with_sunday():
    assert parse_cron("0 0 * * fri-sun").weekdays == parse_cron("0 0 * * 5-7").weekdays == {5, 6, 0}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0 0 10 * mon", ["01", "08", "10", "15", "22", "29"]),
        ("0 0 * * mon", ["01", "08", "15", "22", "29"]),
        ("0 0 10 * *", ["10"]),
        ("0 0 */2 * mon", ["01", "15", "29"]),
        ("0 0 1-31/2 * mon", [f"{d:02}" for d in range(1, 32) if d % 2 or d in (8, 22)]),
    ],
)
def test_two_days_mean_either_unless_one_begins_with_a_star(text, expected):
    assert [hit[:2] for hit in hits(text, "2024-01-01", 31)] == expected


def test_ends_of_months():
    ends = list(parse_cron("0 0 31 * *").readings(datetime(2024, 1, 1), datetime(2025, 1, 1)))
    assert [r.month for r in ends] == [1, 3, 5, 7, 8, 10, 12]
    leaps = list(parse_cron("0 0 29 2 *").readings(datetime(2090, 1, 1), datetime(2110, 1, 1)))
    assert [r.year for r in leaps] == [2092, 2096, 2104, 2108]


def test_the_calendar_has_an_end():
    assert list(parse_cron("0 0 31 12 *").readings(datetime(9998, 12, 1), datetime.max)) == [
        datetime(9998, 12, 31),
        datetime(9999, 12, 31),
    ]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "has none"),
        ("*", "has one"),
        ("0 6 * *", "five fields, and `0 6 * *` has 4"),
        ("0 0 6 * * *", "`every: 30 seconds`"),
        ("60 * * * *", "there is no minute 60; allowed: 0 to 59"),
        ("* 24 * * *", "there is no hour 24"),
        ("* * 0 * *", "there is no day of the month 0; allowed: 1 to 31"),
        ("* * * 13 *", "or jan to dec"),
        ("* * * * 8", "allowed: 0 to 7, or sun to sat"),
        ("* * * * monday", "did you mean `mon`?"),
        ("* * * * mno", "did you mean `mon`?"),
        ("* * * march *", "did you mean `mar`?"),
        ("-5 * * * *", "a minute is missing"),
        ("1, * * * *", "a minute is missing"),
        ("*/0 * * * *", "from 1 on"),
        ("*/x * * * *", "from 1 on"),
        ("*/90 * * * *", "write `every: 90 minutes`"),
        ("5/10 * * * *", "write `5-59/10` or `*/10`"),
        ("* 22-2 * * *", "write `22-23,0-2`"),
        ("* * * * fri-mon", "write `fri-6,0-mon`"),
        ("* * ? * *", "write `*`"),
        ("* * L * *", "`L` is no part"),
        ("* * 15W * *", "`15W` is no part"),
        ("* * * * 1#2", "`1#2` is no part"),
        ("H * * * *", "`H` is no part"),
        ("0 0 31 2 *", "never comes"),
        ("0 0 31 4,6,9,11 *", "no such month has a day 31"),
        ("0 0 30 2 *", "28-31"),
        ("@dayly", "did you mean `@daily`?"),
        ("@reboot", "no cron word"),
        ("@every 5m", "write `every: 15 minutes`"),
        ("٣ * * * *", "not a minute"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_what_is_allowed(text, says):
    with pytest.raises(Misworded) as caught:
        parse_cron(text)
    assert says in f"{caught.value}; {caught.value.hint}"


@pytest.mark.parametrize("text", ["0 0 31 2 mon", "0 0 30,1 2 *", "0 0 31 2,3 *"])
def test_what_comes_at_some_time_is_taken(text):
    assert next(parse_cron(text).readings(datetime(2024, 1, 1), datetime(2026, 1, 1)))


@st.composite
def fields(draw: st.DrawFn, first: int, last: int) -> tuple[str, set[int]]:
    """A field, and what it means by a second way of reading it."""
    low, high = sorted((draw(st.integers(first, last)), draw(st.integers(first, last))))
    step = draw(st.integers(1, high - low + 1))
    return draw(
        st.sampled_from(
            [
                ("*", set(range(first, last + 1))),
                (f"{low}", {low}),
                (f"{low}-{high}", set(range(low, high + 1))),
                (f"{low}-{high}/{step}", {n for n in range(low, high + 1) if (n - low) % step == 0}),
                (f"*/{step}", {n for n in range(first, last + 1) if (n - first) % step == 0}),
                (f"{low},{high}", {low, high}),
            ]
        )
    )


@given(
    fields(0, 59),
    fields(0, 23),
    fields(1, 28),
    fields(1, 12),
    fields(0, 6),
    st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1)),
)
def test_a_reading_is_meant_if_its_fields_are(minute, hour, day, month, weekday, at):
    cron = parse_cron(" ".join(field for field, _ in (minute, hour, day, month, weekday)))
    at = at.replace(second=0, microsecond=0)
    days = [
        at.day in (day[1] | ({29, 30, 31} if day[0] == "*" else set(range(29, 32)) & cron.days)),
        at.isoweekday() % 7 in weekday[1],
    ]
    either = "*" not in (day[0][0], weekday[0][0])
    expected = at.minute in minute[1] and at.hour in hour[1] and at.month in month[1] and (any(days) if either else all(days))
    assert cron.matches(at) == expected
    assert (at in list(cron.readings(at, at + timedelta(minutes=1)))) == expected


@given(st.dates(date(1, 1, 1), date(9999, 12, 30)))
def test_every_day_is_one_day(day):
    begin = datetime.combine(day, datetime.min.time())
    assert len(list(parse_cron("0 * * * *").readings(begin, begin + timedelta(days=1)))) == 24
