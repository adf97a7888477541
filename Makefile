# make demo   see it work, on every flight that left New York in 2013
# make demo-stream   the same flights as a stream, played at adjustable speed: make demo-stream SPEED=3600 DAYS=7
# make test   what has to pass before a change goes in
# make search the property tests, on examples that nobody has seen
# make bench  the speeds that the README claims, measured on this machine

VENV := .venv
BIN := $(VENV)/bin
SUPPORTED := import sys; sys.exit(sys.version_info < (3, 11))
PYTHON := $(shell for python in python3.11 python3; do \
	$$python -c '$(SUPPORTED)' 2>/dev/null && echo $$python && break; done)
PIP := $(BIN)/python -m pip --disable-pip-version-check --no-input
# One JVM for all of them, which takes long to start.
ON_SPARK := tests/conformance/engines/spark tests/integration/spark
PEERS := polars pandera dlt duckdb singer prefect dagster dbos queues bytewax pathway quix

.DEFAULT_GOAL := help
.PHONY: help demo demo-stream test lint test-on-spark search format bench bench-peers constraints clean

help:
	@sed -n 's/^# make/make/p' Makefile

demo: $(VENV)/demo.installed
	@$(BIN)/python examples/flights/demo.py

demo-stream: $(VENV)/demo.installed
	@$(BIN)/python examples/departures/demo.py $(if $(SPEED),--speed $(SPEED)) $(if $(DAYS),--days $(DAYS))

# Tests on Spark wait for it much of the time, so that the linters run beside them. What Python compiled is kept, whatever the
# environment says: tests start hundreds of processes.
test: export PYTHONDONTWRITEBYTECODE :=
test: export TMPDIR := $(shell .ci/scratch)
test: $(VENV)/dev.installed
	@$(MAKE) --no-print-directory --jobs 2 --output-sync=target lint test-on-spark
	$(BIN)/pytest --numprocesses 2 --dist worksteal $(ON_SPARK:%=--ignore=%) $(PYTEST)

lint: $(VENV)/dev.installed
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

test-on-spark: $(VENV)/dev.installed
	$(BIN)/pytest $(ON_SPARK) $(PYTEST)

search: $(VENV)/dev.installed
	$(BIN)/pytest --hypothesis-profile search -m hypothesis --numprocesses 2 $(PYTEST)

format: $(VENV)/dev.installed
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: $(VENV)/dev.installed bench-peers
	$(BIN)/python bench/run.py

bench-peers: $(PEERS:%=bench/data/venvs/%.installed)

# Every pin at once: what a fresh environment with all extras resolves to today.
constraints:
	rm -rf $(VENV)
	$(MAKE) --no-print-directory $(BIN)/python
	$(PIP) install --quiet --use-pep517 --editable '.[all,demo,dev]'
	$(PIP) freeze --exclude-editable > constraints.txt
	$(PIP) check

clean:
	rm -rf $(VENV) build dist .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis

$(VENV)/%.installed: pyproject.toml constraints.txt | $(BIN)/python
	@echo "Installing Headrace with its '$*' extra into $(VENV) ..."
	@$(PIP) install --quiet --no-compile --use-pep517 --constraint constraints.txt --editable '.[$*]'
	@touch $@

bench/data/venvs/%.installed: bench/requirements-%.txt
	@echo "Installing $* into a room of its own ..."
	@mkdir -p bench/data/venvs
	@$(PYTHON) -m venv --clear bench/data/venvs/$*
	@bench/data/venvs/$*/bin/python -m pip --disable-pip-version-check install --quiet --requirement $<
	@touch $@

$(BIN)/python:
	@test -n "$(PYTHON)" || { echo "Headrace needs Python 3.11 or newer: install it so that 'python3.11' or 'python3' finds it."; exit 1; }
	@$(PYTHON) -m venv $(VENV)
