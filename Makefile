# The only definition of each check: people, pre-commit and CI all call these targets.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
CODE := bridge adapters agent
PROGRAMS := tests benchmarks docs
# Half of the time a test waits, for a socket, a clock or a process that dies.
WORKERS ?= $(shell $(PYTHON) -c 'import os; print((os.cpu_count() or 2) * 2)')

# The demo and the tests start hundreds of processes: without byte code each would compile everything anew.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help demo test conformance lint fix bench bench-delta bench-install gates rehearse sweep survive kill-sweep test-boot infra wheel docs clean

help: ## say what the targets do
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# Two stages of one environment: the demo needs no developer's tools.
$(VENV)/demo.stamp: pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "otabridge needs Python 3.11 or later; name one: make PYTHON=python3.12")'
	$(PYTHON) -m venv $(VENV)
	$(PIP) install --upgrade pip
	$(PIP) install --constraint constraints.txt --editable '.[sim]'
	@touch $@

$(VENV)/dev.stamp: $(VENV)/demo.stamp
	$(PIP) install --constraint constraints.txt --editable '.[dev]'
	@touch $@

demo: $(VENV)/demo.stamp ## the main job: sign, publish, roll out to 20 simulated devices; then a release that fails
	$(BIN)/otabridge demo $(ARGS)

test: $(VENV)/dev.stamp ## all tests but those of infra/, with coverage
	$(BIN)/python -m pytest --ignore tests/infra --numprocesses $(WORKERS) --dist worksteal --cov --cov-report= $(ARGS)
	$(BIN)/python -m coverage report --skip-covered --sort=cover --fail-under=93

conformance: $(VENV)/dev.stamp ## the suite that every cloud passes, as a table
	$(BIN)/python -m tests.conformance --numprocesses auto $(ARGS)

lint: $(VENV)/dev.stamp ## style, types, import contracts
	$(BIN)/ruff check $(CODE) $(PROGRAMS)
	$(BIN)/ruff format --check $(CODE) $(PROGRAMS)
	$(BIN)/mypy
	$(BIN)/lint-imports

fix: $(VENV)/dev.stamp ## let ruff mend what it can
	$(BIN)/ruff check --fix $(CODE) $(PROGRAMS)
	$(BIN)/ruff format $(CODE) $(PROGRAMS)

sweep: $(VENV)/dev.stamp ## cut the power at every write of an installation, let every call fail, plant bugs
	$(BIN)/python -m tests.sweep

test-boot: $(VENV)/dev.stamp ## boot devices in QEMU: good, broken and interrupted updates, U-Boot's decisions, replays
	$(BIN)/python -m tests.boot $(ARGS)

survive: ## all that a device must survive, in one run: sweep, then test-boot; the counts are on the last lines of each
	@$(MAKE) --no-print-directory sweep
	@$(MAKE) --no-print-directory test-boot

kill-sweep: $(VENV)/dev.stamp ## kill controllers at every call that leaves them, on SQLite and PostgreSQL
	$(BIN)/python -m tests.kills $(ARGS)

rehearse: $(VENV)/dev.stamp ## a rollout of a million virtual devices over two clouds
	PYTHONPATH=. $(BIN)/python benchmarks/rehearse.py $(ARGS)

gates: $(VENV)/dev.stamp ## how often the gates err, beside what others do
	PYTHONPATH=. $(BIN)/python benchmarks/gates.py $(ARGS)

bench: $(VENV)/dev.stamp ## memory and speed of an installation of 1 GB
	$(BIN)/python benchmarks/install_memory.py $(ARGS)

# The peers that come as Python packages; the others come from Debian and are left out by name where they are absent.
$(VENV)/bench.stamp: $(VENV)/dev.stamp
	$(PIP) install --constraint constraints.txt --editable '.[bench]'
	@touch $@

bench-delta: $(VENV)/bench.stamp ## deltas of real images beside those of all peers; ARGS="OLD NEW" adds a pair
	$(BIN)/python -m benchmarks.delta $(ARGS)

bench-install: $(VENV)/dev.stamp ## installs beside dd, RAUC, SWUpdate and Mender
	$(BIN)/python -m benchmarks.install $(ARGS)

infra: $(VENV)/dev.stamp ## check the Terraform modules, a line a step: what ran, and what was skipped and why
	$(BIN)/python -m tests.infra $(ARGS)

# A scanner with a hundred packages of its own; `make infra` leaves it out by name where it is absent.
.checkov/stamp:
	$(PYTHON) -m venv .checkov
	.checkov/bin/python -m pip --disable-pip-version-check --quiet install checkov==3.3.30
	@touch $@

wheel: $(VENV)/dev.stamp ## build the wheel, run both commands from it in clean environments
	rm -rf dist
	PIP_CONSTRAINT=constraints.txt $(BIN)/python -m build --wheel --outdir dist . > /dev/null
	$(BIN)/python -m tests.wheel dist

docs: $(VENV)/dev.stamp ## write the reference pages that are made from code
	$(BIN)/python -m docs.generate

clean: ## remove what the targets made
	rm -rf $(VENV) .checkov dist build .coverage* .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis
