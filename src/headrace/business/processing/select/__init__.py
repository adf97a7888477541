"""The `sql` step's language: one SELECT over named datasets becomes a tree of relations. Not SQL for an engine.

A text goes through `statement` (is it one SELECT?), `query` and `selection` (which clauses are there, and in which order do
they act), and a file for each clause. The expressions inside are bound by `expressions.bind`, to the names of `scope`.
"""

from __future__ import annotations

from headrace.business.processing.select.statement import bind_select

__all__ = ["bind_select"]
