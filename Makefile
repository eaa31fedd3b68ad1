# On a fresh machine: `make setup`, then `make test`. Needs Python 3.11 or newer as $(PYTHON).
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
JOBS ?= 2
SECONDS ?= 60
TARGETS ?=
READY := $(VENV)/.ready

.DEFAULT_GOAL := help
.PHONY: help setup test lint style types layers format demo fixtures bench fuzz clean

help: ## list the targets
	@grep -E '^[a-z]+:.*## ' Makefile | sed 's/:.*## /\t/' | expand -t 12

setup: $(READY) ## make $(VENV) with ckptkit, its extras and the tools

$(READY): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet -c constraints.txt torch
	$(BIN)/python -m pip install --quiet -c constraints.txt -e '.[test]'
	-sh tests/fetch_sarif_schema.sh $(VENV)/share
	touch $@

test: $(READY) ## run every test
	$(BIN)/python -m pytest -n $(JOBS) $(ARGS)

lint: style types layers ## style, formatting, types, layers

style: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(READY)
	$(BIN)/mypy

layers: $(READY)
	$(BIN)/lint-imports

format: $(READY) ## let ruff mend what it can
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

demo: $(READY) ## look into, convert and check a checkpoint that its library no longer opens
	PATH="$(abspath $(BIN)):$$PATH" sh docs/demo.sh

bench: $(READY) ## measure against what people use today, and recovery against the truth
	$(BIN)/python -m pip install --quiet -c constraints.txt -e '.[bench]'
	$(BIN)/python -m benchmarks.comparison -o docs/benchmarks.md $(ARGS)
	$(BIN)/python -m benchmarks.bench_load
	$(BIN)/python -m benchmarks.recovery --failures

fixtures: $(READY) ## write every fixture anew
	for each in fixtures/make_*.py; do $(BIN)/python "$$each" || exit 1; done

fuzz: $(READY) ## fuzz every reader for SECONDS each, or TARGETS alone (atheris is installed first; see fuzz/README.md)
	$(BIN)/python -m pip install --quiet -c constraints.txt -e '.[fuzz]'
	$(BIN)/python -m fuzz.run --seconds $(SECONDS) $(TARGETS)

clean: ## remove what was made here
	rm -rf $(VENV) out build dist .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis
