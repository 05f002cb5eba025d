# Waymark. `make` lists the targets; every one sets up what it needs by itself.
.DEFAULT_GOAL := help
SHELL := /bin/sh
PYTHON ?= python3
PORT ?= 8000
# More than there are cores: many tests wait for processes that they start.
WORKERS ?= 3
VENV := .venv
BIN := $(VENV)/bin
# A file of tests stays with one worker, so that what its tests share is made once; tests/conftest.py orders the files.
PYTEST := $(BIN)/python -m pytest -q -n $(WORKERS) --dist loadfile --no-loadscope-reorder
READY := $(VENV)/.ready
DEV_READY := $(VENV)/.dev-ready
UI_READY := $(VENV)/.ui-ready
NPM := $(VENV)/npm
NPM_READY := $(NPM)/.ready
export PIP_DISABLE_PIP_VERSION_CHECK := 1
# Compiled modules are kept, whatever the caller's environment says: imports are three times as fast with them.
unexport PYTHONDONTWRITEBYTECODE

# Rounds and seconds of `make bench`; WRITE=1 puts its figures into the documentation. DATA_DIR=folder measures rankings on
# a data folder with a live release too; nothing may run on it.
ROUNDS ?= 3
SECONDS ?= 1

# Where `make ui` looks for features, unless DATA_DIR says otherwise, and the port that it serves on.
UI_PORT ?= 8888

.PHONY: help run ui test contract bench check format lint types imports docs coverage lock clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: $(READY) ## Set up everything and serve on 127.0.0.1:8000 (PORT=9000 to change)
	@$(BIN)/waymark up --port $(PORT)

ui: $(UI_READY) ## Browse the features of .waymark in Feast's own pages (DATA_DIR=folder, UI_PORT=8888)
	@$(BIN)/feast -c $(or $(DATA_DIR),.waymark)/features ui --host 127.0.0.1 --port $(UI_PORT)

test: $(DEV_READY) $(NPM_READY) ## Run the tests
	@$(PYTEST)

contract: $(DEV_READY) ## Run the tests of what clients rely on
	@WAYMARK_CONTRACT_TOOLS=required ./requirements/npm.sh $(VENV)
	@WAYMARK_CONTRACT_TOOLS=required $(PYTEST) tests/contract

bench: $(DEV_READY) ## Compare with other servers (ROUNDS=9 SECONDS=2 WRITE=1 for docs/performance.md)
	@./requirements/npm.sh $(VENV) load
	@$(BIN)/python -m tests.load.bench --rounds $(ROUNDS) --seconds $(SECONDS) \
		$$(test -e $(VENV)/npm-load/.ready && echo --node $(VENV)/npm-load) \
		$(if $(WRITE),--write docs/performance.md)
	@$(BIN)/python -m tests.load.ranking $(if $(DATA_DIR),--data-dir $(DATA_DIR)) $(if $(WRITE),--write docs/performance.md)

check: $(DEV_READY) lint types imports coverage ## Everything that CI runs

format: $(DEV_READY) ## Format the code
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

lint: $(DEV_READY) ## Check format and lint
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .

types: $(DEV_READY) ## Check types strictly
	@$(BIN)/python -m mypy

imports: $(DEV_READY) ## Check who imports whom
	@$(BIN)/lint-imports --no-cache

coverage: $(DEV_READY) $(NPM_READY) ## Run the tests and demand 90% branch coverage
	@$(PYTEST) --cov --cov-report=term --cov-fail-under=90

lock: $(DEV_READY) ## Renew the locked requirements
	@for target in run dev ui bootstrap; do ./requirements/lock.sh $$target; done

clean: ## Remove the environment and caches; data in .waymark stays
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .coverage build *.egg-info

# The environment: uv where it works, and pip, which honors more ways of being told about mirrors, where not.
$(VENV)/bin/python:
	@echo "Making the environment ..."
	@$(PYTHON) -m venv $(VENV)

# What contract tests of clients' tools need; where npm's registry cannot be reached the tests go on without.
$(NPM_READY): tests/contract/npm/package.json tests/contract/npm/package-lock.json | $(DEV_READY)
	@./requirements/npm.sh $(VENV)

$(READY): requirements/run.txt pyproject.toml features/kernels.c | $(VENV)/bin/python
	@./requirements/install.sh $(BIN) requirements/run.txt
	@touch $@

$(DEV_READY): requirements/dev.txt pyproject.toml features/kernels.c | $(VENV)/bin/python
	@./requirements/install.sh $(BIN) requirements/dev.txt
	@touch $(READY) $@

# What Feast's pages need besides, which nothing else does.
$(UI_READY): requirements/ui.txt | $(READY)
	@./requirements/install.sh $(BIN) requirements/ui.txt
	@touch $@
