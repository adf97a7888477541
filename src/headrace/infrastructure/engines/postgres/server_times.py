"""Functions of the session on dates and times, of the years 1 to 9999."""

from __future__ import annotations

from headrace.infrastructure.engines.postgres.server_definitions import expression, procedure

_LEAP = "(y % 4 = 0 AND (y % 100 <> 0 OR y % 400 = 0))"
_DAYS = f"(CASE WHEN m = 2 THEN 28 + {_LEAP}::integer ELSE 30 + (m + m / 8) % 2 END)"
_NUMBERS = {"Y": "year", "m": "month", "d": "day", "j": "day_of_year", "H": "hour", "I": "hour", "M": "minute", "S": "second"}
_READ = "\n".join(f"            WHEN '{letter}' THEN {name} := part::integer;" for letter, name in _NUMBERS.items())

TIMES = (
    expression("date_of(y bigint, m bigint, d bigint)", "date", f"""CASE WHEN y BETWEEN 1 AND 9999 AND m BETWEEN 1 AND 12 AND d BETWEEN 1 AND 31
        AND (d <= 28 OR d <= {_DAYS}) THEN make_date(y::integer, m::integer, d::integer) END"""),
    expression("timestamp_of(y bigint, m bigint, d bigint, h bigint, mi bigint, s float8)", "timestamp", """
        CASE WHEN h BETWEEN 0 AND 23 AND mi BETWEEN 0 AND 59 AND s >= 0 AND s < 60
        THEN pg_temp.date_of(y, m, d) + (h * 3600 + mi * 60) * interval '1 second' + round(s * 1000000) * interval '1 microsecond' END"""),
    expression("months_of(x timestamp)", "bigint", "CAST(extract(year FROM x) * 12 + extract(month FROM x) AS bigint)"),
    procedure("whole_months(start timestamp, stop timestamp)", "bigint", """
        IF start > stop THEN RETURN - pg_temp.whole_months(stop, start); END IF;
        last_of_month := extract(day FROM date_trunc('month', stop) + interval '1 month' - interval '1 day');
        first_day := extract(day FROM start);
        IF extract(day FROM stop) = last_of_month THEN first_day := least(first_day, last_of_month); END IF;
        whole := pg_temp.months_of(stop) - pg_temp.months_of(start);
        IF (first_day, start::time) > (extract(day FROM stop)::integer, stop::time) THEN whole := whole - 1; END IF;
        RETURN whole;""", "last_of_month integer; first_day integer; whole bigint;"),
    procedure("moment_in(x text, pattern text, letters text)", "timestamp", f"""
        parts := regexp_match(x, pattern);
        IF parts IS NULL THEN RETURN NULL; END IF;
        FOR i IN 1 .. length(letters) LOOP
            part := parts[i];
            CASE substr(letters, i, 1)
{_READ}
            WHEN 'y' THEN year := part::integer + CASE WHEN part::integer >= 69 THEN 1900 ELSE 2000 END;
            WHEN 'b' THEN month := (position(lower(part) IN 'janfebmaraprmayjunjulaugsepoctnovdec') + 2) / 3;
            WHEN 'B' THEN month := (position(lower(left(part, 3)) IN 'janfebmaraprmayjunjulaugsepoctnovdec') + 2) / 3;
            WHEN 'f' THEN micros := rpad(part, 6, '0')::integer;
            WHEN 'p' THEN half := lower(part);
            WHEN 'z' THEN
                behind := make_interval(hours => substr(part, 2, 2)::integer,
                    mins => coalesce(substring(part from '^...:?(..)')::integer, 0), secs => coalesce(substring(part from '^...:..:(..)')::integer, 0));
                IF left(part, 1) = '-' THEN behind := - behind; END IF;
            ELSE NULL;
            END CASE;
        END LOOP;
        IF letters ~ 'I' AND hour NOT BETWEEN 1 AND 12 THEN RETURN NULL; END IF;
        IF half IS NOT NULL THEN
            IF hour > 12 THEN RETURN NULL; END IF;
            hour := hour % 12 + CASE WHEN half = 'pm' THEN 12 ELSE 0 END;
        END IF;
        IF hour > 23 OR minute > 59 OR second > 59 OR day_of_year NOT BETWEEN 1 AND 366 THEN RETURN NULL; END IF;
        found := pg_temp.date_of(year, month, day);
        IF letters ~ 'j' AND letters !~ '[mbBd]' THEN found := found + (day_of_year - 1); END IF;
        found := found + make_interval(hours => hour, mins => minute, secs => second) + micros * interval '1 microsecond' - behind;
        IF letters ~ 'Y' AND found < timestamp '1000-01-01' THEN RETURN NULL; END IF;
        RETURN found;""", """parts text[]; part text; year integer := 1900; month integer := 1; day integer := 1; day_of_year integer := 1;
        hour integer := 0; minute integer := 0; second integer := 0; micros integer := 0; half text; behind interval := '0'; found timestamp;""",
        "STABLE"),
)  # fmt: skip
