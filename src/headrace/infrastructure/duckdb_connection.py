"""A connection with DuckDB on which whoever waits for a statement goes on hearing signals. Not what may be said on it.

DuckDB looks at signals only in a thread that works on the statement itself; one that waits for DuckDB's other threads hears
nothing until they are done. So statements work in a thread of the connection, and the caller waits in Python.
"""

from __future__ import annotations

import threading
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from queue import Empty, SimpleQueue
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar, cast

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

T = TypeVar("T")

#: How often a waiting caller asks how far a statement is, and how often one that must end is told so again.
_PROGRESS_EVERY, _INTERRUPT_EVERY = 0.2, 0.02


def connect(database: str = ":memory:", **settings: str | bool | int) -> Connection:
    """Open a database with these settings. DuckDB's bar of progress is off: standard output belongs to the command."""
    import duckdb

    warnings.filterwarnings("ignore", "Arrow output on a DB-API result", UserWarning)  # see `prepared_table`
    con = duckdb.connect(database, config=dict(settings))
    con.execute("SET enable_progress_bar_print = false")
    return Connection(con)


class Connection:
    """As DuckDB's own, of which it has the methods that are used here; for one statement at a time.

    When the caller is interrupted, the statement is ended before the exception goes on: the connection is free again.
    """

    def __init__(self, con: duckdb.DuckDBPyConnection) -> None:
        self._con = con
        self._line: SimpleQueue[_Errand | None] | None = None
        self._under_way: _Errand | None = None

    def execute(
        self,
        statement: str,
        parameters: Mapping[str, Any] | Sequence[Any] | None = None,
        progress: Callable[[float], object] | None = None,
    ) -> Self:
        """Carry out a statement. `progress` is told now and then how far it is, in percent; negative while that is not known."""
        asked = (lambda: progress(self._con.query_progress())) if progress else None
        self._send(lambda: self._con.execute(statement, parameters), asked)
        return self

    def fetchall(self) -> list[tuple[Any, ...]]:
        return self._send(self._con.fetchall)

    def fetchone(self) -> tuple[Any, ...] | None:
        return self._send(self._con.fetchone)

    def fetchmany(self, rows: int) -> list[tuple[Any, ...]]:
        return self._send(lambda: self._con.fetchmany(rows))

    def executemany(self, statement: str, rows: Sequence[Sequence[Any]]) -> None:
        self._send(lambda: self._con.executemany(statement, rows))

    @property
    def description(self) -> Sequence[Any]:
        """Of the columns of the result that is being fetched: name, type and so on, as PEP 249 has it."""
        return self._con.description

    def extract_statements(self, text: str) -> Sequence[duckdb.Statement]:
        return self._con.extract_statements(text)

    def arrow_table(self, query: str) -> pa.Table:
        def fetched() -> pa.Table:
            self._con.complete()  # A result that was not fetched to its end stands in the way.
            return self._con.sql(query).to_arrow_table()

        return self._send(fetched)

    def prepared_table(self, execute: str) -> pa.Table:
        """What a prepared statement gives. A relation would plan it twice, which takes longer than to carry it out for some rows."""

        def fetched() -> pa.Table:
            self._con.complete()
            self._con.execute(execute)
            return self._con.to_arrow_table()

        return self._send(fetched)

    def arrow_batches(self, query: str, rows: int) -> tuple[pa.Schema, Iterator[pa.RecordBatch]]:
        """The rows of a query as they are asked for, at most `rows` in a batch."""
        reader = self._send(lambda: self._con.sql(query).to_arrow_reader(rows))

        def batches() -> Iterator[pa.RecordBatch]:
            with reader:
                while (batch := self._send(lambda: next(reader, None))) is not None:
                    yield batch

        return reader.schema, batches()

    def register(self, name: str, rows: pa.Table | pa.RecordBatchReader) -> None:
        def registered() -> None:
            self._con.complete()  # A result that was not fetched to its end stands in the way.
            self._con.register(name, rows)

        self._send(registered)

    def create_function(self, name: str, call: Callable[..., Any], takes: Sequence[str], gives: str) -> None:
        """A function that statements may call: it is given Arrow arrays, nulls as well, and gives one. DuckDB calls it from threads of
        its own."""
        con: Any = self._con
        self._send(lambda: con.create_function(name, call, list(takes), gives, type="arrow", null_handling="special"))

    def unregister(self, name: str) -> None:
        self._send(lambda: self._con.unregister(name))

    def by_the_caller(self, made: Iterator[Any]) -> Iterator[Any]:
        """What a statement reads, made one by one in the thread that waits for the statement, whichever thread of DuckDB asks for it.

        So the code of users runs where they called from, and can be interrupted there.
        """
        nothing = object()
        while (item := self._ask(lambda: next(made, nothing))) is not nothing:
            yield item

    def cursor(self) -> Connection:
        return Connection(self._con.cursor())

    def interrupt(self) -> None:
        """End the statement that is under way, from another thread; it raises DuckDB's error of that name."""
        self._con.interrupt()

    def close(self) -> None:
        """End what is under way, if something still is, and close the database."""
        self._end(SimpleQueue())
        last = _Errand(self._con.close, SimpleQueue())
        try:
            self._put(last)
            last.wait(None)
        finally:
            self._dismiss()
        last.result()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def __del__(self) -> None:
        self._dismiss()

    # The thread of the connection ------------------------------------------------------------------------------------

    def _send(self, work: Callable[[], T], progress: Callable[[], object] | None = None) -> T:
        errand = _Errand(work, SimpleQueue())
        before, self._under_way = self._under_way, errand
        try:
            self._put(errand)
            errand.wait(progress)
        except BaseException:
            errand.given_up = True
            self._end(errand.desk)
            raise
        finally:
            self._under_way = before
        return cast("T", errand.result())

    def _end(self, desk: SimpleQueue[_Question | _Errand]) -> None:
        """Interrupt until nothing is under way. Again and again, because DuckDB forgets it when a statement only begins."""
        nothing = _Errand(lambda: None, desk)
        self._put(nothing)
        while not nothing.over:
            if not nothing.attend(_INTERRUPT_EVERY, refusing=True):
                self._con.interrupt()

    def _put(self, errand: _Errand) -> None:
        if self._line is None:
            self._line = SimpleQueue()
            threading.Thread(target=_serve, args=(self._line,), name="headrace-duckdb", daemon=True).start()
        self._line.put(errand)

    def _dismiss(self) -> None:
        line, self._line = self._line, None
        if line is not None:
            line.put(None)

    def _ask(self, work: Callable[[], Any]) -> Any:
        errand = self._under_way
        if errand is None:
            return work()
        question = _Question(work)
        errand.desk.put(question)
        return question.answer()


class _Errand:
    """Something to be done in the thread of the connection. Who waits for it sits at the `desk`, where questions come in meanwhile."""

    def __init__(self, work: Callable[[], Any], desk: SimpleQueue[_Question | _Errand]) -> None:
        self.work, self.desk = work, desk
        self.over = self.given_up = False
        self._result: Any = None
        self._error: BaseException | None = None

    def carry_out(self) -> None:
        try:
            if not self.given_up:
                self._result = self.work()
        except BaseException as error:  # noqa: BLE001 - raised again where the result is wanted
            self._error = error
        self.desk.put(self)

    def wait(self, progress: Callable[[], object] | None) -> None:
        while not self.over:
            # Not without end: the system may give a signal to a thread of DuckDB's, and then it does not wake this one.
            if not self.attend(_PROGRESS_EVERY) and progress:
                progress()

    def attend(self, seconds: float | None, *, refusing: bool = False) -> bool:
        """Deal with one thing that comes in. Whether anything came."""
        try:
            found = self.desk.get(timeout=seconds)
        except Empty:
            return False
        if isinstance(found, _Question):
            found.put(refusing=refusing)
        elif found is self:
            self.over = True
        return True

    def result(self) -> Any:
        if self._error is not None:
            raise self._error
        return self._result


class _Question:
    """Something that the statement needs from the caller."""

    def __init__(self, work: Callable[[], Any]) -> None:
        self.work = work
        self._answer: SimpleQueue[tuple[Any, Exception | None]] = SimpleQueue()

    def put(self, *, refusing: bool) -> None:
        """Answer it; whatever comes of it, whoever asked is let go."""
        found: tuple[Any, Exception | None] = (None, InterruptedError("the statement is being ended"))
        try:
            if not refusing:
                found = (self.work(), None)
        except Exception as error:  # noqa: BLE001 - raised again where it was asked
            found = (None, error)
        finally:
            self._answer.put(found)

    def answer(self) -> Any:
        value, error = self._answer.get()
        if error is not None:
            raise error
        return value


def _serve(line: SimpleQueue[_Errand | None]) -> None:
    while (errand := line.get()) is not None:
        errand.carry_out()
        del errand  # It holds on to the connection, which would outlive its last user.
