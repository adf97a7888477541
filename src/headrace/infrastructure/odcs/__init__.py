"""The Open Data Contract Standard (ODCS): its documents read as contracts of ours, and ours written as its documents.

Not the loading of pipelines (see `infrastructure.loader`). What becomes of each part is told in `docs/howto/contracts-odcs.md`.
"""
