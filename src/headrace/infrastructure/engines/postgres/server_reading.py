"""Functions of the session that read text strictly: what does not say a value of the type is null, and never an error."""

from __future__ import annotations

from headrace.infrastructure.engines.postgres.server_definitions import expression, procedure

_SPACE = r"[ \t\n\v\f\r]*"
_YEAR = "(?:[0-9]{3}[1-9]|[0-9]{2}[1-9][0-9]|[0-9][1-9][0-9]{2}|[1-9][0-9]{3})"
_DATE = f"{_YEAR}-[0-9]{{2}}-[0-9]{{2}}"
_MINUTES = "(?:[01][0-9]|2[0-3]):[0-5][0-9]"
_CLOCK = rf"{_MINUTES}(?::[0-5][0-9](?:\.[0-9]{{1,6}}0*)?)?"
_OFFSET = "(?:Z|[+-](?:0[0-9]|1[0-5])(?::?[0-5][0-9])?)"
_NUMBER = r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)"
_WORD = "[+-]?(?:[nN][aA][nN]|[iI][nN][fF](?:[iI][nN][iI][tT][yY])?)"
#: Halfway between the greatest float and what would come next; and half of the least one.
_LIMITS = {"float8": (2**1024 - 2**970, 1075), "real": (2**128 - 2**103, 150)}
#: Since this version PostgreSQL can say whether a text is JSON, without an error.
_KNOWS_JSON = 16


def _like(pattern: str) -> str:
    return f"x COLLATE \"C\" ~ '^{_SPACE}{pattern}{_SPACE}$'"


def _float_reader(name: str, kind: str) -> str:
    """The number without its zeros and its point, and where the point was, tell whether it is too large or nearly nothing."""
    most, bits = _LIMITS[kind]
    return procedure(f"{name}(x text)", kind, rf"""
        IF {_like(_WORD)} THEN
            RETURN CASE WHEN shown ~* 'nan' THEN '{kind} NaN' WHEN shown LIKE '-%' THEN '-Infinity' ELSE 'Infinity' END::{kind};
        END IF;
        IF NOT {_like(f"(?:{_NUMBER})(?:[eE][+-]?[0-9]+)?")} THEN RETURN NULL; END IF;
        parts := regexp_match(shown, '^([+-]?)([0-9]*)\.?([0-9]*)(?:[eE]([+-]?)0*([0-9]*))?$');
        digits := ltrim(parts[2] || parts[3], '0');
        zero := CASE WHEN parts[1] = '-' THEN '-0' ELSE '0' END;
        IF digits = '' THEN RETURN zero; END IF;
        size := CASE WHEN length(coalesce(parts[5], '')) > 7 THEN 9999999 ELSE coalesce(nullif(parts[5], ''), '0')::integer END;
        size := CASE WHEN parts[4] = '-' THEN - size ELSE size END + length(digits) - length(parts[3]);
        IF size > 400 THEN RETURN NULL; ELSIF size < -400 THEN RETURN zero; END IF;
        exact := ('0.' || left(digits, 1200) || 'e' || size)::numeric;
        IF exact >= {most} THEN RETURN NULL; END IF;
        IF exact * 2::numeric ^ {bits} <= 1 THEN RETURN zero; END IF;
        RETURN parts[1] || '0.' || left(digits, 1200) || 'e' || size;""",
        "shown text := pg_temp.trimmed(x); parts text[]; digits text; zero text; size integer; exact numeric;").replace(f"'{kind} NaN'", "'NaN'")  # fmt: skip


#: What PostgreSQL takes for JSON and cannot take out of it: a NUL, and half of a pair that stands for one character.
_UNHELD = r"""
        IF x ~ '\\u(0000|[dD][89a-fA-F])' THEN
            shown := replace(x, '\\', '');
            IF shown ~ '\\u0000' OR regexp_replace(shown, '\\u[dD][89abAB]..\\u[dD][c-fC-F]..', '', 'g') ~ '\\u[dD][89a-fA-F]' THEN RETURN NULL; END IF;
        END IF;"""


def _json(version: int) -> str:
    """(In one expression with its test, the cast of a constant would be tried in advance.)"""
    if version >= _KNOWS_JSON:
        return procedure(
            "read_json(x text)",
            "json",
            f"{_UNHELD}\n        IF x IS JSON THEN RETURN x::json; END IF;\n        RETURN NULL;",
            "shown text;",
        )
    body = f"{_UNHELD}\n        RETURN x::json;\n    EXCEPTION WHEN data_exception THEN RETURN NULL;"
    return procedure("read_json(x text)", "json", body, "shown text;").replace(" PARALLEL SAFE", " PARALLEL UNSAFE")


def reading(version: int) -> tuple[str, ...]:
    return (*_READERS, _json(version))


_READERS = (
    expression("read_whole(x text, low numeric, high numeric)", "numeric", f"""CASE WHEN {_like("[+-]?0*[0-9]{1,39}")}
        THEN CASE WHEN pg_temp.trimmed(x)::numeric BETWEEN low AND high THEN pg_temp.trimmed(x)::numeric END END"""),

    expression("read_integer(x text, low bigint, high bigint)", "bigint", """
        CASE WHEN octet_length(x) BETWEEN 1 AND 18 AND x COLLATE "C" !~ '[^0-9]' THEN CASE WHEN x::bigint BETWEEN low AND high THEN x::bigint END
        ELSE pg_temp.read_whole(x, low, high)::bigint END"""),
    procedure("long_decimal(x text)", "numeric", """
        IF position('.' IN shown) > 0 THEN shown := rtrim(shown, '0'); END IF;
        shown := ltrim(shown, '0');
        RETURN CASE WHEN length(shown) > 100 THEN NULL WHEN shown IN ('', '.') THEN 0 ELSE (sign || shown)::numeric END;""",
        "shown text := ltrim(pg_temp.trimmed(x), '+-'); sign text := CASE WHEN pg_temp.trimmed(x) LIKE '-%' THEN '-' ELSE '' END;"),
    procedure("read_decimal(x text, bound numeric, scale integer)", "numeric", f"""
        IF NOT {_like(_NUMBER)} THEN RETURN NULL; END IF;
        number := CASE WHEN octet_length(x) < 100 THEN pg_temp.trimmed(x)::numeric ELSE pg_temp.long_decimal(x) END;
        RETURN CASE WHEN number = round(number, scale) AND abs(number) < bound THEN number END;""", "number numeric;"),
    _float_reader("read_odd_float", "float8"),
    _float_reader("read_real", "real"),
    expression("read_float(x text)", "float8", r"""CASE WHEN octet_length(x) < 40 AND x COLLATE "C" ~ '^[+-]?[0-9]+(?:\.[0-9]*)?$' THEN x::float8
        ELSE pg_temp.read_odd_float(x) END"""),
    expression("read_binary(x text)", "bytea", f"CASE WHEN {_like('(?:[0-9A-Fa-f]{2})*')} THEN decode(pg_temp.trimmed(x), 'hex') END"),
    procedure("day_in(x text)", "date", """
        y := substr(x, 1, 4); m := substr(x, 6, 2); d := substr(x, 9, 2);
        IF m NOT BETWEEN 1 AND 12 OR d NOT BETWEEN 1 AND 31 THEN RETURN NULL; END IF;
        IF d > 28 THEN RETURN pg_temp.date_of(y, m, d); END IF;
        RETURN make_date(y, m, d);""", "y integer; m integer; d integer;"),
    procedure("read_date(x text)", "date", f"IF {_like(_DATE)} THEN RETURN pg_temp.day_in(pg_temp.trimmed(x)); END IF; RETURN NULL;"),
    procedure("read_time(x text)", "time", f"IF {_like(_CLOCK)} THEN RETURN pg_temp.trimmed(x)::time; END IF; RETURN NULL;", changes="STABLE"),
    procedure("read_timestamp(x text)", "timestamp", f"""
        IF NOT {_like(f"{_DATE}[T ]{_CLOCK}")} THEN RETURN NULL; END IF;
        shown := pg_temp.trimmed(x);
        RETURN pg_temp.day_in(shown) + substr(shown, 12)::time;""", "shown text;", "STABLE"),
    procedure("read_instant(x text)", "timestamptz", f"""
        IF NOT {_like(f"{_DATE}[T ]{_CLOCK}{_OFFSET}")} THEN RETURN NULL; END IF;
        shown := pg_temp.trimmed(x);
        offset_text := substring(shown from 12);
        parts := regexp_match(offset_text, '^([0-9:.]+)(?:Z|([+-])([0-9]{{2}}):?([0-9]{{2}})?)$');
        found := pg_temp.day_in(shown) + parts[1]::time;
        IF parts[2] IS NOT NULL THEN
            found := found - (parts[2] || '1')::integer * make_interval(hours => parts[3]::integer, mins => coalesce(parts[4], '0')::integer);
        END IF;
        RETURN CASE WHEN found BETWEEN '0001-01-01' AND '9999-12-31 23:59:59.999999' THEN found AT TIME ZONE 'UTC' END;""",
        "shown text; offset_text text; parts text[]; found timestamp;", "STABLE"),
    procedure("misfit(why text, kind anyelement)", "anyelement", "RAISE data_exception USING MESSAGE = why;", changes="VOLATILE", strict=False),
)  # fmt: skip
