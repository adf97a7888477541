"""Every error speaks to a stranger: its class says when it is raised, and whoever raises it says what happened."""

from __future__ import annotations

import ast
import inspect

import headrace.errors as errors
from headrace.errors import HeadraceError

KINDS = [c for _, c in inspect.getmembers(errors, inspect.isclass) if issubclass(c, HeadraceError)]

#: Where anything may go wrong that is not ours, and what becomes of it.
BOUNDARIES = {
    "headrace/application/streams/ahead.py",  # a thread whose errors are raised by whoever takes what it reads
    "headrace/application/orchestrator/audit.py",  # a check's code: the outcome is `error`, never bad data
    "headrace/application/orchestrator/notifying.py",  # a message: an event says that it was not sent, and the next is sent
    "headrace/application/orchestrator/carrying.py",  # a whole run: the event log is told why it ended, then the error goes on
    "headrace/application/orchestrator/serving.py",  # a duty of a serving process: it is told, and the other duties go on
    "headrace/infrastructure/duckdb_connection.py",  # what a thread does for another: the error is raised where it is waited for
    "headrace/infrastructure/connectors/odbc/waiting.py",  # the same
    "headrace/infrastructure/connectors/postgres_delivery.py",  # the same: raised where the rows are to count
    "headrace/infrastructure/connectors/dlt_resource.py",  # a dlt resource: an error that names it, and tells whether it may pass
    "headrace/infrastructure/engines/spark/functions.py",  # a user's function on an executor: an error that names it, and the step
    "headrace/infrastructure/connectors/python_source.py",  # a user's generator: an error that names the function
    "headrace/infrastructure/storage/delivering.py",  # a subscription's handler: the event is tried again, then put aside
    "headrace/infrastructure/engines/duckdb/functions.py",  # a user's function: an error that names the step and the function
    "headrace/resilience/circuit_breaker.py",  # a call to another system: whether the error counts is noted, then it goes on
}


def test_every_kind_of_error_says_more_than_its_name():
    silent = [kind.__name__ for kind in KINDS if len((kind.__doc__ or "").split()) < 5]
    assert silent == []


def test_every_kind_of_error_ends_the_process_with_a_documented_code():
    assert {kind.exit_code for kind in KINDS} <= {1, 2}


def test_whoever_raises_says_what_happened(rooms):
    names = {kind.__name__ for kind in KINDS}
    silent = []
    for room in rooms:
        for node in ast.walk(room.tree):
            if not isinstance(node, ast.Raise) or node.exc is None:
                continue
            call = node.exc if isinstance(node.exc, ast.Call) else None
            name = call.func if call else node.exc
            if isinstance(name, ast.Name) and name.id in names and (call is None or not call.args):
                silent.append(f"{room.name}:{node.lineno}")
    assert silent == []


def test_only_boundaries_catch_everything(rooms):
    broad = {
        room.name
        for room in rooms
        for node in ast.walk(room.tree)
        if isinstance(node, ast.ExceptHandler) and _catches_everything(node.type)
    }
    assert broad == BOUNDARIES


def _catches_everything(caught: ast.expr | None) -> bool:
    names = caught.elts if isinstance(caught, ast.Tuple) else [caught]
    return any(n is None or (isinstance(n, ast.Name) and n.id in ("Exception", "BaseException")) for n in names)
