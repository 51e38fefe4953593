# The commands of this project. `make` alone lists them.
# Each sets up what it needs first (scripts/setup); that takes a fraction of a second when all is there.

# Words for `postfix-matrix run` (make matrix) or the benchmark, e.g. make matrix ARGS='--dry-run'
ARGS ?=
# Words for pytest, e.g. make unit PYTEST_ARGS='-k offers'
PYTEST_ARGS ?=

BIN := .venv/bin
export PYTHON

.DEFAULT_GOAL := help
.PHONY: help setup matrix test test-nightly unit campaign docker-test nightly-test browser-test lint format types imports lock bench \
        bench-scan prune clean tools

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: ## install what is missing: .venv, a Docker engine, a browser
	@scripts/setup --dev --browser

matrix: ## measure the whole matrix (ARGS: of `postfix-matrix run`)
	@scripts/setup
	@$(BIN)/postfix-matrix run $(ARGS)

test: ## all that CI checks: lint types imports unit Docker browser
	@scripts/setup --dev --browser
	@+MAKE='$(MAKE)' scripts/stages lint types imports unit docker-test browser-test

test-nightly: ## all that `make test` checks, and what is exhaustive
	@scripts/setup --dev --browser
	@+MAKE='$(MAKE)' scripts/stages lint types imports unit campaign nightly-test browser-test

unit: tools ## unit tests: no Docker, no network
	@$(BIN)/pytest tests/unit -n auto --dist loadgroup $(PYTEST_ARGS)

campaign: tools ## unit tests' bad inputs, ten times as many, new each day
	@$(BIN)/python -m tests.campaign.run_campaign --seed $$(date +%Y%m%d) --count 15000

docker-test: ## tests on real containers, without those marked nightly
	@scripts/setup --dev
	@$(BIN)/pytest tests/docker -m "not nightly" --durations=30 --durations-min=5 $(PYTEST_ARGS)

nightly-test: ## all tests against real containers
	@scripts/setup --dev
	@$(BIN)/pytest tests/docker $(PYTEST_ARGS)

browser-test: ## tests of the HTML report in a real browser
	@scripts/setup --dev --no-engine --browser
	@$(BIN)/pytest tests/browser $(PYTEST_ARGS)

lint: tools ## ruff; workflows: actionlint, check-jsonschema, zizmor
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/python scripts/lint_workflows.py

format: tools ## let ruff correct what it can
	@$(BIN)/ruff check --fix-only .
	@$(BIN)/ruff format .

types: tools ## mypy, strict
	@$(BIN)/mypy

imports: tools ## import-linter: data flows one way
	@$(BIN)/lint-imports

lock: ## refresh requirements/*.txt to the newest versions allowed
	@scripts/lock

bench: ## compare the engine with a bare handshake loop
	@scripts/setup
	@$(BIN)/python -m benchmarks $(ARGS)

bench-scan: ## compare the scan with nmap, sslscan and sslyze
	@scripts/setup
	@$(BIN)/python -m benchmarks.scan $(ARGS)

prune: ## remove what killed runs left, and all images of ours
	@scripts/setup
	@$(BIN)/postfix-matrix images prune --all

clean: ## remove .venv and caches; runs/ and Docker's images stay
	@rm -rf .venv .setup .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis build dist
	@find . -name __pycache__ -type d -not -path './.git/*' -prune -exec rm -rf {} +

tools:
	@scripts/setup --dev --no-engine
