"""Asks ODBC itself what no reader of Arrow tells: which drivers there are, who answers, and how a result's columns are described.

The library that loads the drivers is called directly, by the functions of ODBC 3 that take UTF-16. Rows are not read here.
"""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache

from headrace.errors import NonRetryableError
from headrace.records import record

_LIBRARY = {"win32": "odbc32.dll", "darwin": "libodbc.2.dylib"}.get(sys.platform, "libodbc.so.2")

_ENVIRONMENT, _CONNECTION, _STATEMENT = 1, 2, 3
_SUCCEEDED = (0, 1)
_NO_DATA = 100
#: Attributes of an environment and a connection, by their numbers in sql.h and sqlext.h.
_ODBC_VERSION, _ODBC_3, _LOGIN_TIMEOUT = 200, 3, 103
#: What a connection can be asked.
_DRIVER_NAME, _DATABASE_NAME, _DBMS_NAME, _DBMS_VERSION, _QUOTE, _USER_NAME = 6, 16, 17, 18, 29, 47
#: What a column of a result can be asked.
_TYPE, _UNSIGNED, _TYPE_NAME, _LENGTH, _PRECISION, _SCALE, _LABEL = 2, 8, 14, 1003, 1005, 1006, 18
_CHARACTERS = 1024
_UTF16_TEXT = -8
_NAMES_OF_TABLE = (1, 2, 3)  # what catalogues of tables say first: catalogue, schema and name
_SYSTEM = ("information_schema", "pg_catalog", "performance_schema", "mysql", "sys")
_MOST_TABLES = 2_000


@record
class Diagnosis:
    """One thing that a driver says of what failed: its SQLSTATE, the number that the database itself gives it, and the words."""

    state: str
    number: int
    said: str


class OdbcError(Exception):
    """What a call of ODBC came to. Words for people make `faults` of it."""

    def __init__(self, diagnoses: Sequence[Diagnosis]) -> None:
        super().__init__("; ".join(d.said for d in diagnoses))
        self.diagnoses = tuple(diagnoses) or (Diagnosis("HY000", 0, "it failed, and the driver does not say why"),)


@record
class Answering:
    """Who answers at the other end of a connection."""

    database: str
    """What it calls itself: `PostgreSQL`, `MariaDB`, `Microsoft SQL Server`."""
    version: str
    driver: str
    """The file name of the driver, such as `psqlodbcw.so`."""
    quote: str
    """What stands around an identifier; nothing where there is no such thing."""
    user: str
    catalog: str
    """The database that one is in."""


@record
class Described:
    """A column of a result, as the driver describes it."""

    name: str
    code: int
    """The concise type of ODBC."""
    type_name: str
    """What the database calls its type."""
    unsigned: bool = False
    length: int = 0
    """Characters, bytes or digits; not above 0 where the driver knows no bound."""
    precision: int = 0
    scale: int = 0


@cache
def library() -> ctypes.CDLL:
    """What loads the drivers. Raises `NonRetryableError` where it is not installed."""
    try:
        return ctypes.CDLL(_LIBRARY)
    except OSError as error:
        hint = "install unixODBC (Debian: `apt-get install unixodbc`, macOS: `brew install unixodbc`), and the driver of the database"
        raise NonRetryableError(f"ODBC needs its driver manager, {_LIBRARY}, which is not here", hint=hint) from error


def installed_drivers() -> Sequence[str]:
    """The names of the drivers that are registered on this machine."""
    with _handle(_ENVIRONMENT) as environment:
        _as_odbc_3(environment)
        found: list[str] = []
        first = 2
        name, length = ctypes.create_string_buffer(2 * _CHARACTERS), ctypes.c_short()
        while library().SQLDriversW(environment, first, name, _CHARACTERS, ctypes.byref(length), None, 0, None) in _SUCCEEDED:
            found.append(_text(name, 2 * length.value))
            first = 1
        return found


class Link:
    """A connection that is open."""

    def __init__(self, handle: ctypes.c_void_p) -> None:
        self._handle = handle

    def answering(self) -> Answering:
        asked = (_DBMS_NAME, _DBMS_VERSION, _DRIVER_NAME, _QUOTE, _USER_NAME, _DATABASE_NAME)
        database, version, *others = (self._info(number).strip() for number in asked)
        return Answering(database, ".".join(part.lstrip("0") or "0" for part in version.split(".")), *others)

    def describe(self, query: str) -> Sequence[Described]:
        """The columns of a query, which is prepared and not carried out. None where it has no result. Raises `OdbcError`."""
        with self._statement() as statement:
            written, length = _utf16(query)
            _demand(library().SQLPrepareW(statement, written, length), _STATEMENT, statement)
            return [_described(statement, number + 1) for number in range(_columns(statement))]

    def first(self, query: str) -> Sequence[str]:
        """The first row of a query, as texts; nothing when there is none. Raises `OdbcError`."""
        with self._statement() as statement:
            written, length = _utf16(query)
            _demand(library().SQLExecDirectW(statement, written, length), _STATEMENT, statement)
            if not _fetched(statement):
                return []
            return [_cell(statement, number + 1) for number in range(_columns(statement))]

    def tables(self) -> Sequence[str]:
        """The tables and views that can be seen, with their schemas where those have names."""
        with self._statement() as statement:
            result = library().SQLTablesW(statement, None, 0, None, 0, None, 0, None, 0)
            _demand(result, _STATEMENT, statement)
            found: list[str] = []
            while len(found) < _MOST_TABLES and _fetched(statement):
                catalog, schema, name = (_cell(statement, number) for number in _NAMES_OF_TABLE)
                place = schema or catalog
                found += [] if place.lower() in _SYSTEM else [name, f"{place}.{name}"] if place else [name]
            return found

    def _info(self, number: int) -> str:
        buffer, length = ctypes.create_string_buffer(2 * _CHARACTERS), ctypes.c_short()
        result = library().SQLGetInfoW(self._handle, number, buffer, 2 * _CHARACTERS, ctypes.byref(length))
        return _text(buffer, length.value) if result in _SUCCEEDED else ""

    @contextmanager
    def _statement(self) -> Iterator[ctypes.c_void_p]:
        with _handle(_STATEMENT, self._handle) as statement:
            yield statement


@contextmanager
def linked(address: str, seconds: int) -> Iterator[Link]:
    """A connection by a connection string. Raises `OdbcError`."""
    with _handle(_ENVIRONMENT) as environment:
        _as_odbc_3(environment)
        with _handle(_CONNECTION, environment) as connection:
            library().SQLSetConnectAttrW(connection, _LOGIN_TIMEOUT, ctypes.c_void_p(seconds), 0)
            written, length = _utf16(address)
            result = library().SQLDriverConnectW(connection, None, written, ctypes.c_short(length), None, 0, None, 0)
            _demand(result, _CONNECTION, connection)
            try:
                yield Link(connection)
            finally:
                library().SQLDisconnect(connection)


# How --------------------------------------------------------------------------------------------------------------------


@contextmanager
def _handle(kind: int, parent: ctypes.c_void_p | None = None) -> Iterator[ctypes.c_void_p]:
    handle = ctypes.c_void_p()
    if library().SQLAllocHandle(kind, parent, ctypes.byref(handle)) not in _SUCCEEDED:
        raise OdbcError([Diagnosis("HY001", 0, "the driver manager gives no handle")])
    try:
        yield handle
    finally:
        library().SQLFreeHandle(kind, handle)


def _as_odbc_3(environment: ctypes.c_void_p) -> None:
    library().SQLSetEnvAttr(environment, _ODBC_VERSION, ctypes.c_void_p(_ODBC_3), 0)


def _demand(result: int, kind: int, handle: ctypes.c_void_p) -> None:
    if ctypes.c_short(result).value not in _SUCCEEDED:
        raise OdbcError(list(_diagnoses(kind, handle)))


def _diagnoses(kind: int, handle: ctypes.c_void_p) -> Iterator[Diagnosis]:
    state, said = ctypes.create_string_buffer(12), ctypes.create_string_buffer(2 * _CHARACTERS)
    number, length = ctypes.c_int(), ctypes.c_short()
    for place in range(1, 10):
        found = library().SQLGetDiagRecW(
            kind, handle, place, state, ctypes.byref(number), said, _CHARACTERS, ctypes.byref(length)
        )
        if found not in _SUCCEEDED:
            return
        yield Diagnosis(_text(state, 10), number.value, _text(said, 2 * min(length.value, _CHARACTERS - 1)))


def _columns(statement: ctypes.c_void_p) -> int:
    count = ctypes.c_short()
    _demand(library().SQLNumResultCols(statement, ctypes.byref(count)), _STATEMENT, statement)
    return count.value


def _described(statement: ctypes.c_void_p, place: int) -> Described:
    def asked(attribute: int) -> tuple[str, int]:
        text, length, number = ctypes.create_string_buffer(2 * _CHARACTERS), ctypes.c_short(), ctypes.c_ssize_t()
        result = library().SQLColAttributeW(
            statement, place, attribute, text, 2 * _CHARACTERS, ctypes.byref(length), ctypes.byref(number)
        )
        _demand(result, _STATEMENT, statement)
        return _text(text, length.value), number.value

    numbers = [asked(attribute)[1] for attribute in (_UNSIGNED, _LENGTH, _PRECISION, _SCALE)]
    unsigned, length, precision, scale = numbers
    return Described(asked(_LABEL)[0], asked(_TYPE)[1], asked(_TYPE_NAME)[0], bool(unsigned), length, precision, scale)


def _fetched(statement: ctypes.c_void_p) -> bool:
    """Whether there is one more row."""
    result = ctypes.c_short(library().SQLFetch(statement)).value
    if result == _NO_DATA:
        return False
    _demand(result, _STATEMENT, statement)
    return True


def _cell(statement: ctypes.c_void_p, place: int) -> str:
    """A value of the row that was fetched, as text; empty when it is null."""
    buffer, length = ctypes.create_string_buffer(2 * _CHARACTERS), ctypes.c_ssize_t()
    result = library().SQLGetData(
        statement, place, _UTF16_TEXT, buffer, ctypes.c_ssize_t(2 * _CHARACTERS), ctypes.byref(length)
    )
    _demand(result, _STATEMENT, statement)
    return _text(buffer, min(length.value, 2 * _CHARACTERS - 2)) if length.value > 0 else ""


def _utf16(text: str) -> tuple[bytes, int]:
    written = text.encode("utf-16-le")
    return written + b"\0\0", len(written) // 2


def _text(buffer: ctypes.Array[ctypes.c_char], size: int) -> str:
    return buffer.raw[:size].decode("utf-16-le", "replace")
