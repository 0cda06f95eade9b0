# `make help` lists what there is.
PYTHON ?= python3
PORT ?= 8000
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet

.DEFAULT_GOAL := help
.PHONY: help demo demo-redis test install system check js build unit e2e both matrix soak bench bench-compare clean

help: ## show this list
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  %-13s %s\n", $$1, $$2}'

demo: $(VENV)/.demo ## start the example on http://127.0.0.1:8000 (PORT=… for another port)
	@PORT=$(PORT) $(BIN)/python examples/fastapi/run.py

demo-redis: $(VENV)/.demo-redis ## start two workers, FastAPI and Flask, behind nginx over Redis (PORT=…)
	@PORT=$(PORT) $(BIN)/python examples/flask_async/demo_redis.py

# Browsers have a run of their own: Playwright's event loop and the tests' cannot share a thread. Several processes
# share each run, a file at a time, because most tests wait for something; JOBS=0 runs them in one.
JOBS ?= 3
PYTEST = $(BIN)/python -m pytest -n $(JOBS) --dist loadfile
IN_ORDER = --no-loadscope-reorder # the longest files first, as tests/conftest.py and tests/e2e/conftest.py have them

test: install system js check ## install what is needed, then run everything (JOBS=3 processes)
	$(PYTEST) $(IN_ORDER) --ignore tests/e2e
	$(PYTEST) $(IN_ORDER) tests/e2e

install: $(VENV)/.dev ## the Python environment for development

system: ## the browser and the servers that tests start
	@scripts/system

check: install ## style and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

js: js/node_modules/.stamp ## types, unit tests, size and freshness of the extension
	npm --prefix js run --silent types
	npm --prefix js run --silent test
	npm --prefix js run --silent check
	npm --prefix js run --silent size

build: js/node_modules/.stamp ## rebuild htmx_rt/static from js/
	npm --prefix js run --silent build

unit: install ## the tests that need no browser
	$(PYTEST) $(IN_ORDER) --ignore tests/e2e

e2e: install system js/node_modules/.stamp ## the tests in a real browser
	$(PYTEST) $(IN_ORDER) tests/e2e

both: install system js/node_modules/.stamp ## on htmx 2 what `make test` tries on htmx 4 only
	$(PYTEST) $(IN_ORDER) -m both tests/e2e

matrix: install system ## the buses and stores with each version of redis-py that is supported
	$(BIN)/python -m pytest -m matrix

soak: install system js/node_modules/.stamp ## the long random runs; not part of `make test`
	$(BIN)/python -m pytest -m soak -o addopts=

bench: install system ## the benchmarks, with their figures
	$(BIN)/python bench/latency.py
	$(BIN)/python bench/bus.py
	$(BIN)/python bench/receipts.py
	$(BIN)/python bench/presence.py
	$(BIN)/python bench/latency_browser.py
	$(BIN)/python bench/updates_browser.py
	$(BIN)/python bench/rolling.py
	$(BIN)/python bench/uploads.py

bench-compare: install system ## this kit against others on this machine, half an hour; QUICK=--quick for a look
	$(PIP) install --group compare
	$(BIN)/python bench/compare.py $(or $(QUICK),--write)

clean: ## remove environments and what was built in them
	rm -rf $(VENV) js/node_modules .mypy_cache .ruff_cache .pytest_cache

$(VENV)/.pip:
	@$(PYTHON) -c 'import sys; sys.exit("htmx-rt needs Python 3.11 or later; this is " + sys.version.split()[0] + ". Set PYTHON=python3.11." if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv $(VENV)
	$(PIP) install --upgrade "pip>=25.1"
	@touch $@

$(VENV)/.demo: $(VENV)/.pip pyproject.toml
	$(PIP) install --group example --editable .
	@touch $@

$(VENV)/.demo-redis: $(VENV)/.pip pyproject.toml
	$(PIP) install --group example-redis --editable '.[redis,flask]'
	@touch $@ $(VENV)/.demo

$(VENV)/.dev: $(VENV)/.pip pyproject.toml
	$(PIP) install --group dev --editable '.[testing,sqlalchemy,flask,redis]'
	@touch $@ $(VENV)/.demo $(VENV)/.demo-redis

js/node_modules/.stamp: js/package.json js/package-lock.json | system
	npm --prefix js ci --no-audit --no-fund --silent
	@touch $@
