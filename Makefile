SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

# The first Python that runs, is new enough, and can make a virtual environment.
PYTHON ?= $(shell for python in python3.13 python3.12 python3.11 python3 python; do \
	$$python -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
	&& { command -v $$python; break; }; done)
BIN := .venv/bin
# Many of the slow tests wait for timers or for other processes, so more at once than there are cores.
JOBS ?= $(shell echo $$((2 * $$(getconf _NPROCESSORS_ONLN))))
# e.g. make test ARGS='-k trace', make demo ARGS='--orders 10000'
ARGS ?=
SOURCES = $(wildcard actors bridges system examples benchmarks tests)

.PHONY: help
help: ## List these targets
	@grep -E '^[a-z.-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

.PHONY: .venv
.venv: $(BIN)/.developing ## Set up the virtual environment, with everything a developer needs

$(BIN)/python:
	@test -n "$(PYTHON)" || { echo "No Python 3.11 or newer with the venv module was found (on Debian" \
		"and Ubuntu: apt install python3-venv). Name one: make PYTHON=/path/to/python3.11" >&2; exit 1; }
	$(PYTHON) -m venv .venv

# Running needs less than developing: a first `make demo` shall not wait for linters and servers.
$(BIN)/.running: setup.cfg pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e .
	@touch $@

$(BIN)/.developing: setup.cfg pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev]'
	@touch $@ $(BIN)/.running

.PHONY: demo
demo: $(BIN)/.running ## Run a thousand orders and watch them
	@$(BIN)/order-sagas demo $(ARGS)

# Tests that start brokers and databases come apart, and fewer at once: they starve one another.
SERVERS = $(addprefix tests/integration/,docs kafka store support system)

.PHONY: test
test: $(BIN)/.developing ## Run the tests
ifeq ($(strip $(ARGS)),)
	@$(BIN)/python -m pytest -n $(JOBS) --dist loadgroup $(addprefix --ignore=,tests/conformance $(SERVERS))
	@$(BIN)/python -m pytest -n 2 --dist loadgroup tests/conformance $(SERVERS)
else
	@$(BIN)/python -m pytest -n $(JOBS) --dist loadgroup $(ARGS)
endif

.PHONY: bench
bench: $(BIN)/.developing ## Measure, and print the table
	@$(BIN)/python -m benchmarks $(ARGS)

.PHONY: lint
lint: $(BIN)/.developing ## Check style, format and types
	$(BIN)/ruff check $(SOURCES)
	$(BIN)/ruff format --check $(SOURCES)
	$(BIN)/mypy $(SOURCES)

.PHONY: format
format: $(BIN)/.developing ## Put style and format right, as far as that can be automatic
	$(BIN)/ruff check --fix $(SOURCES)
	$(BIN)/ruff format $(SOURCES)

.PHONY: kafka
kafka: $(BIN)/.developing ## Run a Kafka broker on this machine until Ctrl-C, for trying and testing
	@$(BIN)/python -m tests.support.kafka_broker run

.PHONY: kafka-stop
kafka-stop: $(BIN)/.developing ## Stop that broker from another terminal
	@$(BIN)/python -m tests.support.kafka_broker stop

.PHONY: clean
clean: ## Remove everything that was built; your data stays
	rm -rf .venv build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
