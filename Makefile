# Everything lives below .state/; only Python >= 3.11 (with venv), make and git must be there already.
.DEFAULT_GOAL := help
PYTHON := .state/venv/bin/python
BIN := .state/venv/bin
# Further arguments for test, test-faults, logs, demo and bench: make test ARGS="tests/alerting -x"
ARGS ?=

.PHONY: help setup up down status logs demo demo-check test test-faults bench screenshots check lock clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' Makefile

setup: ## Install everything into .state/venv (at once when nothing changed)
	@dev/setup.sh

demo: setup ## The whole system with the example shop, live in this terminal; Ctrl-C stops it
	@$(PYTHON) -m dev.demo $(ARGS)

demo-check: setup ## The same unattended: asserts each stage, exits 0 or 1
	@$(PYTHON) -m dev.demo --check $(ARGS)

up: setup ## Start Kafka, HDFS, PostgreSQL and Airflow and leave them running
	@$(PYTHON) -m dev up

down: setup ## Stop what up or the demo started
	@$(PYTHON) -m dev down

status: setup ## What runs
	@$(PYTHON) -m dev status

logs: setup ## Follow the servers' logs (ARGS="kafka" for one)
	@$(PYTHON) -m dev logs $(ARGS)

test: setup ## Run all tests on real servers (ARGS="tests/dev -x" for some)
	@dev/chromium.sh
	@$(PYTHON) -m pytest -m "not matrix" $(ARGS)

test-faults: setup ## The tests that kill, stop or suspend something, slow matrices too
	@$(PYTHON) -m pytest -m "faults or matrix" $(ARGS)

bench: setup ## Measure append and count rates
	@$(PYTHON) -m benchmarks $(ARGS)

screenshots: setup ## Take the pictures in docs/ anew
	@dev/chromium.sh
	@$(PYTHON) -m dev.screenshots

check: setup ## Lint, format, types, import contracts, spelling
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/codespell

lock: setup ## Write requirements.txt anew from pyproject.toml
	@$(BIN)/uv pip compile --quiet --upgrade --universal --python-version 3.11 --extra dev pyproject.toml \
		-o requirements.txt --no-emit-package faultline --custom-compile-command "make lock"

clean: ## Stop the local servers and delete all state, the virtual environment too
	@if [ -x $(PYTHON) ]; then $(PYTHON) -m dev down; fi
	@rm -rf .state
