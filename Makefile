SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

# The first Python that runs, is new enough, and can make a virtual environment.
PYTHON ?= $(shell for python in python3.13 python3.12 python3.11 python3 python; do \
	$$python -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
	&& { command -v $$python; break; }; done)
BIN := .venv/bin
# A file that is as old as the last installation; one for each way to install.
DEVELOPING = $(BIN)/$(if $(LOCKED),.developing-locked,.developing)
# Many of the slow tests wait for timers or for other processes, so more at once than there are cores.
JOBS ?= $(shell echo $$((2 * $$(getconf _NPROCESSORS_ONLN))))
# LOCKED=1 installs the versions of requirements-dev.lock, each checked by its hash, as CI does.
# Without it, pip chooses versions within the bounds of setup.cfg, so that any Python 3.11+ does.
LOCKED ?=
# The Pythons that `make test-pythons` looks for.
PYTHONS ?= 3.11 3.12 3.13 3.14
SKIP ?=
# e.g. make test ARGS='-k trace', make demo ARGS='--orders 10000'
ARGS ?=
COVERAGE ?=
SOURCES = $(wildcard actors bridges system src typings examples benchmarks tests)

.PHONY: help
help: ## List these targets
	@grep -E '^[a-z.-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-13s %s\n", $$1, $$2}'

.PHONY: .venv
.venv: $(DEVELOPING) ## Set up the virtual environment, with everything a developer needs

$(BIN)/python:
	@test -n "$(PYTHON)" || { echo "No Python 3.11 or newer with the venv module was found (on Debian" \
		"and Ubuntu: apt install python3-venv). Name one: make PYTHON=/path/to/python3.11" >&2; exit 1; }
	$(PYTHON) -m venv .venv

# The first `make demo` does not install the linters and test servers, which only developers need.
$(BIN)/.running: setup.cfg pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e .
	@touch $@

$(BIN)/.developing: setup.cfg pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev]'
	@touch $@ $(BIN)/.running

# In two steps, since pip takes no hash for the project itself; the build backend is locked too.
$(BIN)/.developing-locked: setup.cfg pyproject.toml requirements-dev.lock | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check \
		--require-hashes -r requirements-dev.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check \
		--no-deps --no-build-isolation -e .
	@touch $@ $(BIN)/.running

.PHONY: demo
demo: $(BIN)/.running ## Run a thousand orders and watch them
	@$(BIN)/order-sagas demo $(ARGS)

# Tests that start brokers and databases run separately, and fewer at once: each needs much CPU.
SERVERS = tests/packaging tests/interop $(addprefix tests/integration/,docs kafka store support system)

.PHONY: test
test: $(DEVELOPING) ## Run the tests; COVERAGE=1 lists the lines that unit and scenario tests miss
ifneq ($(strip $(ARGS)),)
	@$(BIN)/python -m pytest -n $(JOBS) --dist loadgroup $(ARGS)
else
ifneq ($(strip $(COVERAGE)),)
	@$(MAKE) --no-print-directory coverage
endif
	@$(BIN)/python -m pytest -n $(JOBS) --dist loadgroup \
		$(addprefix --ignore=,tests/conformance $(SERVERS) $(if $(COVERAGE),$(COVERED)))
	@$(BIN)/python -m pytest -n 2 --dist loadgroup tests/conformance $(SERVERS)
endif

COVERED = tests/unit tests/scenarios
# Only these tests are measured: the others kill processes, or cover no further lines.
.PHONY: coverage
coverage: $(DEVELOPING) ## Run unit and scenario tests, and list the files with the most lines not run
	@$(BIN)/coverage erase
	@$(BIN)/coverage run -m pytest -q -n $(JOBS) --dist loadgroup $(COVERED)
	@$(BIN)/coverage combine --quiet
	@$(BIN)/coverage report | awk 'NR <= 22 || /^TOTAL|skipped/'

.PHONY: test-pythons
test-pythons: ## Run the unit tests on each Python here (NEWEST=1: one); COVERAGE=1 measures on it
	@.ci/test-pythons $(if $(NEWEST),--newest) $(if $(COVERAGE),--coverage) $(filter-out $(SKIP),$(PYTHONS))

.PHONY: pythons
pythons: ## Make the environments of `test-pythons`
	@.ci/test-pythons $(if $(NEWEST),--newest) --install $(filter-out $(SKIP),$(PYTHONS))

# Checks that the newest versions of libraries still have the private attributes that are used here.
.PHONY: canary
canary: ## Test against the newest kafka-python and uvicorn, in an environment of its own
	rm -rf .canary
	$(PYTHON) -m venv .canary
	.canary/bin/python -m pip install --quiet --disable-pip-version-check -e '.[dev]'
	.canary/bin/python -m pip install --quiet --disable-pip-version-check \
		--upgrade kafka-python uvicorn
	.canary/bin/python -m pip list --disable-pip-version-check | grep -E '^(kafka-python|uvicorn) '
	.canary/bin/python -m pytest -q tests/unit/test_private_interfaces.py tests/unit/kafka $(ARGS)

.PHONY: docs
docs: $(DEVELOPING) ## Build the documentation site from the Markdown files
	@$(BIN)/sphinx-build -q -W --keep-going -c docs/site . build/docs
	@echo "build/docs/docs/site/index.html"

.PHONY: lock
lock: $(BIN)/python ## Choose the newest versions that setup.cfg allows, for requirements-dev.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	$(BIN)/uv pip compile setup.cfg --extra dev --universal --python-version 3.11 --upgrade \
		--generate-hashes --no-emit-index-url --no-emit-find-links \
		--custom-compile-command 'make lock' --quiet --output-file requirements-dev.lock

.PHONY: hooks
hooks: $(DEVELOPING) ## Have git check style, format and types before each commit
	$(BIN)/pre-commit install

.PHONY: bench
bench: $(DEVELOPING) ## Measure, and print the table
	@$(BIN)/python -m benchmarks $(ARGS)

.PHONY: lint
lint: $(DEVELOPING) ## Check style, format and types
	$(BIN)/ruff check $(SOURCES)
	$(BIN)/ruff format --check $(SOURCES)
	@$(MAKE) --no-print-directory -j 2 --output-sync mypy pyright

# Each of them uses one core.
.PHONY: mypy pyright
mypy pyright: $(DEVELOPING)
	$(BIN)/$@

.PHONY: format
format: $(DEVELOPING) ## Correct style and format, as far as tools can
	$(BIN)/ruff check --fix $(SOURCES)
	$(BIN)/ruff format $(SOURCES)

.PHONY: kafka
kafka: $(DEVELOPING) ## Run a Kafka broker on this machine until Ctrl-C, for trying and testing
	@$(BIN)/python -m tests.support.kafka_broker run

.PHONY: kafka-stop
kafka-stop: $(DEVELOPING) ## Stop that broker from another terminal
	@$(BIN)/python -m tests.support.kafka_broker stop

.PHONY: clean
clean: ## Remove everything that was built; your data stays
	rm -rf .venv .venvs .canary build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache
	rm -rf .hypothesis .coverage .coverage.*
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
