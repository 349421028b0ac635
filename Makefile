# make demo   train the example network, measure its learning coefficient, make its page
# make test   the fast tests;   make test-slow   the statistical and end-to-end ones
# make lint   style, docstrings, types, import directions
# make docs   the documentation as a site, build/site/index.html;   make notebooks   run those of examples/
#
# Each target first sets up .venv, and again only when pyproject.toml or constraints.txt has changed.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
DEV_STAMP := $(VENV)/.installed-dev
OUT ?= runs/demo
# Processes that the fast tests are spread over, with a thread each, or they wait for each other. The slow
# ones run one after another: some stop a command midway, and want it to run as it does alone.
WORKERS ?= 2

.DEFAULT_GOAL := help
.PHONY: help setup demo test test-slow lint docs notebooks format clean

help:
	@sed -n 's/^# \{0,1\}//p' Makefile | head -n 4

setup: $(DEV_STAMP)

$(STAMP): pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable .
	@touch $@

# What tests, documentation and notebooks need besides: not to be waited for by who wants the demo.
$(DEV_STAMP): $(STAMP)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable ".[dev]"
	@touch $@

demo: $(STAMP)
	$(BIN)/lambdascope demo --out $(OUT)

test: $(DEV_STAMP)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q -n $(WORKERS) -m "not slow"

test-slow: $(DEV_STAMP)
	$(BIN)/python -m pytest -q -m slow

lint: $(DEV_STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy src
	$(BIN)/lint-imports

docs: $(DEV_STAMP)
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --quiet

# Run anew, as they stand; their outputs stay as they are.
notebooks: $(DEV_STAMP)
	$(BIN)/python -m pytest -q --nbmake --nbmake-timeout=300 examples/notebooks

format: $(DEV_STAMP)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf .mypy_cache .pytest_cache .ruff_cache .import_linter_cache build dist
