"""What the source `odbc` makes of what drivers say, also of those that no test here can start: by their manuals."""

from __future__ import annotations

from datetime import datetime, time

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.errors import NonRetryableError, RetryableError
from headrace.infrastructure.connectors.odbc.connection import OdbcConnection, _parsed
from headrace.infrastructure.connectors.odbc.dialects import dialect_of
from headrace.infrastructure.connectors.odbc.drivers import Answering, Described, Diagnosis
from headrace.infrastructure.connectors.odbc.faults import explained, reader_failed
from headrace.infrastructure.connectors.odbc.reading import _as

SQL_SERVER = Answering("Microsoft SQL Server", "16.0.1000", "libmsodbcsql-18.3.so", '"', "dbo", "shop")
TEXT = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"))


@given(TEXT, TEXT, TEXT)
def test_whatever_a_setting_is_the_driver_reads_it_whole(value, user, password):
    way = OdbcConnection(driver="d", settings={"Database": value}, user=user, password=password).address(
        Fetch=7, database="other"
    )
    found = _parsed(way)
    assert {key: found[key] for key in ("driver", "database", "uid", "pwd", "fetch")} == {
        "driver": "d", "database": value, "uid": user, "pwd": password, "fetch": "7",
    }  # fmt: skip
    assert len(found) == 5


def test_what_the_user_says_stands_before_what_we_would_say():
    way = OdbcConnection(string="Driver=d;usedeclarefetch=0;")
    assert _parsed(way.address(UseDeclareFetch=1)) == {"driver": "d", "usedeclarefetch": "0"}


@pytest.mark.parametrize(
    ("driver", "settings", "shown", "system"),
    [
        ("ODBC Driver 18 for SQL Server", {"Server": "tcp:erp.example.com,1433", "Database": "shop"}, "odbc://tcp:erp.example.com,1433/shop (ODBC Driver 18 for SQL Server)", "odbc://tcp:erp.example.com,1433"),
        ("Oracle", {"DBQ": "erp.example.com:1521/shop"}, "odbc://erp.example.com:1521/shop (Oracle)", "odbc://erp.example.com:1521/shop"),
        ("Db2", {"Hostname": "h", "Port": 50000, "Database": "shop", "Authentication": "geheim"}, "odbc://h:50000/shop (Db2)", "odbc://h:50000"),
    ],
)  # fmt: skip
def test_where_it_leads_is_shown_whatever_the_keywords(driver, settings, shown, system):
    way = OdbcConnection(driver=driver, settings=settings, password="geheim")
    assert (way.shown(), way.system) == (shown, system)


@pytest.mark.parametrize(
    ("state", "number", "said", "kind", "hint"),
    [
        ("28000", 18456, "[Microsoft][ODBC Driver 18 for SQL Server][SQL Server]Login failed for user 'sa'.", NonRetryableError, "user and password"),
        ("42000", 4060, 'Cannot open database "shop" requested by the login. The login failed.', NonRetryableError, "database is spelt right"),
        ("08001", -1, "SSL Provider: [error:0A000086:SSL routines::certificate verify failed:self-signed certificate]", NonRetryableError, "certificates"),
        ("HYT00", 0, "Login timeout expired", RetryableError, "firewall"),
        ("08S01", 10054, "TCP Provider: An existing connection was forcibly closed by the remote host.", RetryableError, "try again"),
        ("40001", 1205, "Transaction (Process ID 52) was deadlocked on lock resources", RetryableError, "try again"),
        ("42S02", 208, "Invalid object name 'dbo.t'.", NonRetryableError, "see that the table is named"),
        ("42S22", 207, "Invalid column name 'idd'.", NonRetryableError, "see that the column is named"),
        ("42000", 229, "The SELECT permission was denied on the object 't'", NonRetryableError, "grant the user the right"),
        ("42000", 102, "Incorrect syntax near 'x'.", NonRetryableError, "see that the query runs"),
        ("22007", 241, "Conversion failed when converting date", NonRetryableError, "mend the rows"),
        ("HY000", 1040, "Too many connections", RetryableError, "try again"),
        ("XX000", 0, "something", NonRetryableError, "mend the cause"),
    ],
)  # fmt: skip
def test_what_a_driver_says_becomes_what_to_do(state, number, said, kind, hint):
    error = explained("odbc (t)", [Diagnosis(state, number, said)], lambda text: text)
    assert type(error) is kind
    assert hint in str(error.hint)
    assert error.message == f"odbc (t): {said.rpartition('][SQL Server]')[2]}"


def test_what_the_reader_says_has_its_state_too():
    said = "External error: ODBC emitted an error calling 'SQLFetch':\nState: 08S01, Native error: 35, Message: it is gone;\nreally"
    error = reader_failed("odbc (t)", said, lambda text: text.replace("gone", "***"), 9)
    assert (type(error), error.message) == (RetryableError, "odbc (t): it is ***; really")


@pytest.mark.parametrize(
    ("described", "kind", "disordered", "noted"),
    [
        (("bit", -7), "boolean", False, False),
        (("tinyint", -6, True), "uint8", False, False),
        (("bigint", -5, False, 19), "int64", False, False),
        (("money", 3, False, 19, 19, 4), "decimal(19, 4)", False, False),
        (("decimal", 3, False, 38, 38, 38), "decimal(38, 38)", False, False),
        (("float", 6), "float64", False, False),
        (("real", 7), "float32", False, False),
        (("datetime", 93, False, 23, 3), "timestamp", False, False),
        (("datetime2", 93, False, 27, 7), "timestamp", False, True),
        (("time", -154, False, 16, 7), "time", False, True),
        (("datetimeoffset", -155, False, 34, 7), "string", True, True),
        (("uniqueidentifier", -11, False, 36), "string", True, True),
        (("xml", -152), "string", True, True),
        (("sql_variant", -150), "string", True, True),
        (("nvarchar", -9, False, 40), "string", False, False),
        (("varchar", 12), "string", False, False),
        (("varbinary", -3), "binary", False, False),
        (("timestamp", -2, False, 8), "binary", False, False),
    ],
)
def test_types_of_sql_server_as_its_manual_describes_them(described, kind, disordered, noted):
    type_name, code, *rest = described
    column = dialect_of(SQL_SERVER).column(Described("v", code, type_name, *rest))
    assert (str(column.type), column.disordered, column.note is not None) == (kind, disordered, noted)


def test_moments_finer_than_ours_are_cut_and_no_others():
    dialect = dialect_of(SQL_SERVER)
    moment = dialect.column(Described("v", 93, "datetime2", length=27, precision=7))
    assert _as(moment, pa.array(["2024-01-01 10:00:00.1234567", "9999-12-31 23:59:59.9999999", None])).to_pylist() == [
        datetime.fromisoformat("2024-01-01 10:00:00.123456"),
        datetime.fromisoformat("9999-12-31 23:59:59.999999"),
        None,
    ]
    clock = dialect.column(Described("v", -154, "time", length=16, precision=7))
    assert _as(clock, pa.array(["23:59:59.9999999"])).to_pylist() == [time(23, 59, 59, 999999)]
    with pytest.raises(pa.ArrowInvalid):
        _as(dialect.column(Described("v", 93, "datetime", length=23, precision=3)), pa.array(["0044-03-15 10:00:00.123 BC"]))


def test_names_are_quoted_as_the_driver_says():
    assert dialect_of(SQL_SERVER).quoted('a"b') == '"a""b"'
    bare = dialect_of(Answering("Some", "1", "some.so", "", "", ""))
    assert bare.quoted("orders_2024") == "orders_2024"
    with pytest.raises(NonRetryableError, match="no quotes for names"):
        bare.quoted("a; DROP TABLE b")


def test_sqlite_is_left_to_its_own_source():
    """Its drivers say of every `INTEGER` that it has 32 bits."""
    with pytest.raises(NonRetryableError, match="drivers of SQLite") as caught:
        dialect_of(Answering("SQLite", "3", "libsqlite3odbc.so", '"', "", ""))
    assert "the source `sqlite`" in str(caught.value)
