# Every command a person types. `make` alone lists them: the text after ## beside each target.

PYTHON := .venv/bin/python
ARGS ?=
COMPILE := uv pip compile pyproject.toml --quiet --no-header --generate-hashes --python-version 3.11

.DEFAULT_GOAL := help
.PHONY: help setup run fresh import test check format unit contract e2e federation protos protos-publish schema lock bench-points bench-members bench-forecast bench-insight bench-report clean

help:
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  make %-15s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# ---- to use it

run: ## set up and run the platform with its demo chain; Ctrl-C stops it
	@infra/local/setup.sh run
	@exec $(PYTHON) -m infra.local.up

fresh: ## the same from the start: forgets the demo chain and all its data
	@infra/local/setup.sh run
	@exec $(PYTHON) -m infra.local.up --fresh

# The demo chain's key, unless HUITOU_KEY has that of another.
DEMO_KEY = $(PYTHON) -c 'import json; print(json.load(open(".state/run/demo.json"))["keys"]["staff"])' 2>/dev/null

import: ## bring members and purchases in: SOURCE=folder MAPPING=file; HUITOU_KEY=key of a chain other than the demo
	@infra/local/setup.sh run
	@export HUITOU_URL="$${HUITOU_URL:-http://127.0.0.1:$${HUITOU_GATEWAY_PORT:-8000}/graphql}"; \
	export HUITOU_KEY="$${HUITOU_KEY:-$$($(DEMO_KEY))}"; \
	exec $(PYTHON) -m infra.cli import $(if $(MAPPING),--mapping '$(MAPPING)') $(if $(SOURCE),'$(SOURCE)') $(ARGS)

# ---- to change it

setup: ## install what developing needs; safe to repeat
	@infra/local/setup.sh dev

test: setup ## every check and every test, as CI does it
	@failed=; \
	$(MAKE) --no-print-directory check || failed=1; \
	if command -v node >/dev/null; then $(MAKE) --no-print-directory federation || failed=1; fi; \
	$(PYTHON) -m pytest -n 2 --dist loadfile tests/unit tests/contract tests/e2e $(ARGS) || failed=1; \
	test -z "$$failed"

check: setup ## style, types, rooms, contracts and what is generated
	@$(PYTHON) -m infra.checks

format: setup ## mend the style where a program can
	@.venv/bin/ruff check --fix --quiet . || true
	@.venv/bin/ruff format .

unit: setup ## the pure tests; ARGS='-k tier' as pytest takes them
	@$(PYTHON) -m pytest tests/unit $(ARGS)

contract: setup ## stores, rpc and consumers against real servers; ARGS as in unit
	@$(PYTHON) -m pytest tests/contract $(ARGS)

e2e: setup ## the whole platform through GraphQL; ARGS as in unit
	@$(PYTHON) -m pytest tests/e2e $(ARGS)

federation: setup ## compose the four subgraphs with the npm tool and compare with the merged graph (needs node)
	@command -v node >/dev/null || { echo "make federation needs node and npm on the PATH"; exit 1; }
	@$(PYTHON) -m tests.federation.prove

protos: setup ## write the code generated from protos/
	@$(PYTHON) -m infra.checks.protos write

protos-publish: setup ## declare the contracts of protos/ as published: from then on they may only grow
	@.venv/bin/buf build --exclude-source-info -o protos/published.binpb

schema: setup ## write schema.graphql of the merged graph and of each subgraph
	@$(PYTHON) -m gateway.schema write

lock: ## write infra/locks from pyproject.toml (needs uv; ARGS=--upgrade for newer ones)
	@command -v uv >/dev/null || { echo "make lock needs uv on the PATH"; exit 1; }
	@$(COMPILE) --group local -o infra/locks/run.txt $(ARGS)
	@$(COMPILE) --group local --group dev -o infra/locks/dev.txt $(ARGS)

# ---- to measure it; SCALE=100 is a million members, SECONDS what each side of each round gets

bench-points: setup ## how fast points is, against what, at what cost: SCALE=1 SECONDS=3 ONLY=rates|growth|peer|expiry
	@$(PYTHON) -m tests.bench.points $(if $(SCALE),--scale $(SCALE)) $(if $(SECONDS),--seconds $(SECONDS)) $(if $(ONLY),--only $(ONLY))

bench-members: setup ## how fast members is, against what: SCALE=1 SECONDS=3 ONLY=events|resolve|import (SCALE=100: a million rows)
	@$(PYTHON) -m tests.bench.members $(if $(SCALE),--scale $(SCALE)) $(if $(SECONDS),--seconds $(SECONDS)) $(if $(ONLY),--only $(ONLY))

bench-forecast: setup ## how far off the forecast is beside "same day last week": DATA=../shared/data WEEKS=16
	@$(PYTHON) -m tests.bench.forecast $(if $(DATA),--data '$(DATA)') $(if $(WEEKS),--weeks $(WEEKS))

bench-insight: setup ## how long the purchase model takes: MEMBERS=100000
	@$(PYTHON) -m tests.bench.insight $(if $(MEMBERS),--members $(MEMBERS))

bench-report: setup ## write docs/performance.md from what the benchmarks left in build/bench
	@$(PYTHON) -m tests.bench.report

# ---- to be rid of it

clean: ## remove all that set-up, runs and tools made here, the demo chain's data included
	@[ ! -e .state/run/lock ] || flock -n .state/run/lock true || { echo "make run is running: stop it first"; exit 1; }
	@rm -rf .venv .state build node_modules .*_cache .hypothesis *.egg-info
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
