# make run    start the gateway and a private spamd on 127.0.0.1:2525, state in var/
# make test   install what the tests need, then check, and run every test
SHELL  := /bin/sh
VENV   := .venv
PYTHON := $(VENV)/bin/python
PYTEST := $(PYTHON) -m pytest
BASE_PYTHON ?= $(firstword $(foreach p,python3.11 python3.12 python3.13 python3,$(if $(shell command -v $(p)),$(p))))

.PHONY: run test check format conformance hostile bench bench-peers clean

run: $(VENV)/run
	@exec $(VENV)/bin/mailward try --state var

test: check $(VENV)/test
	$(PYTEST)

check: $(VENV)/test
	$(VENV)/bin/ruff format --check gateway tests
	$(VENV)/bin/ruff check gateway tests
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports --no-cache
	$(VENV)/bin/mailward rules check
	$(VENV)/bin/mailward rules test

format: $(VENV)/test
	$(VENV)/bin/ruff format gateway tests
	$(VENV)/bin/ruff check --fix gateway tests

conformance: $(VENV)/test
	$(PYTEST) tests/conformance

hostile: $(VENV)/test
	$(PYTEST) tests/hostile

# BENCH="dkim spf" runs these alone, BENCH=--quick a tenth of all
bench: $(VENV)/test
	$(PYTHON) -m tests.bench $(BENCH)

# beside Haraka, Postfix, rspamd and milters from their packages; as root. PEERS="--rounds 5 --seconds 4"
bench-peers: $(VENV)/test
	$(PYTHON) -m tests.bench.peers $(PEERS)

clean:
	rm -rf $(VENV) var dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

$(VENV)/run: pyproject.toml deploy/install-needs.sh
	BASE_PYTHON=$(BASE_PYTHON) deploy/install-needs.sh run $(VENV)
	@touch $@

$(VENV)/test: pyproject.toml deploy/install-needs.sh
	BASE_PYTHON=$(BASE_PYTHON) deploy/install-needs.sh test $(VENV)
	@touch $@
