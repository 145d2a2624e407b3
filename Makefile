# One command for each thing that a person wants. Every target works on a fresh clone: the setup comes first by itself.
SHELL := /bin/sh
BIN := .venv/bin
PYTEST := $(BIN)/python -m pytest
# Two workers: the tests share nothing, and the end-to-end ones mostly wait for audio.
JOBS ?= 2
ARGS ?=
NAME ?=

.DEFAULT_GOAL := help
.PHONY: help setup demo example test check static format lint types layers documents lockfile bench docs lock clean

help: ## say what can be made
	@grep -E '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## (.*)/  make \1\t\2/' | expand -t 16

setup: ## make .venv from the lock file
	@sh scripts/setup.sh

demo: ## start the switch, two agents and six callers; show the queue, the log and the report
	@sh scripts/setup.sh --demo
	@$(BIN)/cc demo $(ARGS)

example: ## run one of the centres in examples/: make example NAME=bank
	@sh scripts/setup.sh --demo
	@$(BIN)/python examples/run.py $(NAME)

test: ## run every test, warnings as errors: units, and end to end with SIPp, baresip and pjsua2
	@sh scripts/setup.sh --test
	@$(PYTEST) -n $(JOBS) --dist loadgroup $(ARGS)

check: static ## format, lint, types, import layers, generated documents and the fast tests
	@$(PYTEST) -n $(JOBS) -m 'not e2e' $(ARGS)

static: format lint types layers documents lockfile

format: setup
	$(BIN)/ruff format --check .

lint: setup
	$(BIN)/ruff check .

types: setup
	$(BIN)/mypy

layers: setup
	$(BIN)/lint-imports --no-logo

documents: setup
	@set -e; for tool in scripts/gen_*.py; do \
	  if [ -e "$$tool" ]; then echo "$$tool --check"; $(BIN)/python "$$tool" --check; fi; done

lockfile: setup
	@$(BIN)/uv lock --check --quiet --offline 2>/dev/null || $(BIN)/uv lock --check

bench: ## measure against the peers; writes benchmarks/results.json and benchmarks/RESULTS.md
	@sh scripts/setup.sh --bench
	@$(BIN)/python -m benchmarks $(ARGS)

docs: ## write the generated documents anew
	@sh scripts/setup.sh
	@set -e; for tool in scripts/gen_*.py; do \
	  if [ -e "$$tool" ]; then echo "$$tool"; $(BIN)/python "$$tool"; fi; done

lock: ## resolve the dependencies anew, after a change in pyproject.toml
	@sh scripts/setup.sh --tools
	@$(BIN)/uv lock --default-index https://pypi.org/simple
	@$(BIN)/uv export --frozen --quiet --no-header --only-group bootstrap -o scripts/bootstrap.txt

clean: ## remove what was made, the installed environment included
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache build dist var
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
