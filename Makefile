# Two commands for everyone:   make up    make test
# For people who work on it:   make check   make bench   make faults   make screen-vendor   make lock
SHELL := /bin/bash
VENV := .venv
PY := $(VENV)/bin/python
WORKERS ?= 2
FAULTS := tests/ingest/test_kill9.py tests/ingest/test_live_crash.py tests/ingest/test_history_local.py \
	tests/ingest/test_forward.py tests/edge/test_outbox_file.py tests/edge/test_gateway.py tests/e2e/test_kill.py

.PHONY: help up test check bench faults screen-vendor lock clean

help:
	@echo "make up             install what is needed and run the demo park at http://127.0.0.1:8000"
	@echo "make test           install what the tests need and run them all"
	@echo "make check          ruff, mypy --strict, import-linter, tsc"
	@echo "make bench          measure against the speeds in docs/architecture.md"
	@echo "make faults         kill -9 of every process and damaged files, at full length"
	@echo "make screen-vendor  fetch the screen's libraries again and check their sums"
	@echo "make lock           resolve the dependencies anew"

$(VENV)/.runtime: requirements.lock pyproject.toml deploy/bootstrap.sh
	@deploy/bootstrap.sh $(VENV) requirements.lock
	@touch $@

$(VENV)/.dev: requirements.lock requirements-dev.lock pyproject.toml deploy/bootstrap.sh
	@deploy/bootstrap.sh $(VENV) requirements-dev.lock
	@touch $@ $(VENV)/.runtime

up: $(VENV)/.runtime
	@$(VENV)/bin/parktwin up

test: $(VENV)/.dev
	@tests/system-packages.sh
	$(PY) -m pytest -q -n $(WORKERS) -m "not serial"
	$(PY) -m pytest -q -m serial

check: $(VENV)/.dev
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports --no-logo
	cd dashboards/screen && npm ci --silent --no-audit --no-fund && npx --no-install tsc -p .

bench: $(VENV)/.dev
	$(VENV)/bin/parktwin bench all

faults: $(VENV)/.dev
	@tests/system-packages.sh
	$(PY) -m pytest -q --long $(FAULTS)

screen-vendor: $(VENV)/.dev
	$(PY) -m dashboards.vendor

lock:
	$(VENV)/bin/uv pip compile pyproject.toml --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --upgrade -q -o requirements.lock
	$(VENV)/bin/uv pip compile pyproject.toml --extra dev -c requirements.lock --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --upgrade -q -o requirements-dev.lock
	echo 'hatchling>=1.27' | $(VENV)/bin/uv pip compile - --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --upgrade -q -o deploy/build.lock

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis build
