# Parley's commands. Each does all of its set-up in .venv, once, and again when a lock file changes.
#   PYTHON=python3.12  the interpreter to make .venv from (3.11 or later)
#   ARGS="-k consent"  passed on by run, test, bench, bench-cluster, bench-smpp, faults and lock
PYTHON ?= python3
ARGS ?=
UV_VERSION := 0.13.9

VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help run test check bench bench-cluster bench-smpp corpus faults interop lock clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' Makefile

run: $(VENV)/run.stamp ## Start Parley with the demo
	@$(BIN)/parley up --demo $(ARGS)

test: check ## Run the checks, then the tests (ARGS="-k consent" for some of them)
	@$(BIN)/python -m pytest --numprocesses 2 --dist loadfile $(ARGS)

check: $(VENV)/test.stamp ## Run the linter, the formatter's check, the types and the rooms' import rules
	@$(BIN)/ruff check --quiet .
	@$(BIN)/ruff format --check --quiet .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo

bench: $(VENV)/run.stamp ## Measure, beside ceilings taken in the same run; writes var/bench.json
	@$(BIN)/python -m bench $(ARGS)

bench-cluster: $(VENV)/test.stamp ## The same on Kafka and PostgreSQL, as processes; and with much history
	@$(BIN)/python -m bench.cluster $(ARGS)
	@$(BIN)/python -m bench.history
	@$(BIN)/python -m bench.restore

bench-smpp: $(VENV)/test.stamp ## SMPP against node-smpp's server, at windows 1, 10 and 100
	@$(BIN)/python -m bench.smpp $(ARGS)

corpus: $(VENV)/run.stamp ## Post every text of CORPUS=file as webhooks, under kill -9
	@$(if $(CORPUS),,$(error Name the file of texts: make corpus CORPUS=file))
	@$(BIN)/python -m bench.corpus $(CORPUS) $(ARGS)

faults: $(VENV)/test.stamp ## Kill, freeze and cut the cluster under load: CYCLES=n SEED=s
	@$(BIN)/python -m faults $(if $(CYCLES),--cycles $(CYCLES)) $(if $(SEED),--seed $(SEED)) $(ARGS)

interop: $(VENV)/test.stamp ## Hold whole conversations with every provider's counterparts; print a table
	@$(BIN)/python -m tests.interop

lock: .venv-lock/uv.stamp ## Write requirements/*.txt again (ARGS=--upgrade moves every version up)
	@$(COMPILE) --group build $(ARGS) --output-file requirements/run.txt pyproject.toml
	@$(COMPILE) --group build --group test --group check $(ARGS) --constraint requirements/run.txt \
	  --output-file requirements/test.txt pyproject.toml

clean: ## Remove the environments and caches (not var/, where the data are)
	rm -rf $(VENV) .venv-lock .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis .servers

COMPILE := .venv-lock/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
  --no-header --no-emit-index-url --no-emit-find-links

# --- set-up ---------------------------------------------------------------------------------------------

$(VENV)/run.stamp: requirements/run.txt pyproject.toml | $(VENV)/made.stamp
	@echo "Installing what Parley runs on (once) ..."
	@$(PIP) install --require-hashes -r requirements/run.txt
	@$(PIP) install --no-build-isolation --no-deps --editable .
	@touch $@

$(VENV)/test.stamp: requirements/test.txt $(VENV)/run.stamp
	@echo "Installing the checks and test tools (once) ..."
	@$(PIP) install --require-hashes -r requirements/test.txt
	@touch $@

$(VENV)/made.stamp:
	@$(make-venv) $(VENV)
	@touch $@

.venv-lock/uv.stamp: Makefile
	@$(make-venv) .venv-lock
	@.venv-lock/bin/python -m pip --disable-pip-version-check --quiet install uv==$(UV_VERSION)
	@touch $@

define make-venv
command -v $(PYTHON) >/dev/null || \
  { echo "There is no $(PYTHON). Install Python 3.11 or later, or name one: make PYTHON=/path/to/python3.12"; exit 1; }; \
$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
  { echo "Parley needs Python 3.11 or later; $(PYTHON) is $$($(PYTHON) --version 2>&1). Name another: make PYTHON=python3.12"; exit 1; }; \
$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
  { echo "$(PYTHON) lacks the venv module. On Debian and Ubuntu: apt install python3-venv"; exit 1; }; \
$(PYTHON) -m venv --clear
endef
