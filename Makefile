# SPDX-License-Identifier: Apache-2.0
# What people run is what CI runs. `make` alone lists it. The thinking lives in scripts/.

SHELL := /bin/bash
.DEFAULT_GOAL := help
BIN := .venv/bin
ARGS ?=
export YES
export PYTHON

.PHONY: help setup check check-format check-lint check-types check-floors check-house format test test-platform test-pythons drill faults chaos bench sim docs lock clean

help: ## list what can be made
	@printf 'Blackstart\n\n'
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@printf '\n  make drill ARGS="--inject list"    ARGS goes to `blackstart drill`; YES=1 answers the installation question\n'

setup: ## make .venv from the pinned requirements (at once when up to date)
	@scripts/setup.sh

check: setup ## format, lint, types, floors, house rules; all of them, even when one fails
	@$(MAKE) --no-print-directory --keep-going check-format check-lint check-types check-floors check-house

check-format: ; @$(BIN)/ruff format --check .
check-lint: ; @$(BIN)/ruff check .
check-types: ; @$(BIN)/mypy --strict src tests bench
check-floors: ; @$(BIN)/lint-imports --no-cache --no-logo
check-house: ; @$(BIN)/python -m pytest -q tests/house

format: setup ## let the formatter and the linter repair what they can
	@$(BIN)/ruff check --quiet --fix-only .
	@$(BIN)/ruff format .

test: setup ## the suite without the platform, on every core (a minute on two)
	@scripts/test.sh $(ARGS)

test-platform: setup ## the tests that need root, namespaces and the unpacked platform, one after the other
	@$(BIN)/python -m pytest -q -m platform $(ARGS)

test-pythons: setup ## the same under the other Pythons found here (3.12, 3.13)
	@scripts/test_pythons.sh 3.12 3.13

drill: ## lose a real FlowFuse on this machine and bring it back
	@scripts/drill.sh $(ARGS)

faults: setup ## lose it with each known defect put in; every one must be caught (≤ 25 minutes)
	@scripts/packages.sh drill
	@$(BIN)/blackstart faults $(ARGS)

chaos: setup ## kill the real processes at seeded moments, count what is left (ARGS="--days 20 --seed 7")
	@scripts/packages.sh chaos
	@$(BIN)/python -m tests.chaos $(ARGS)

bench: setup ## measure recovery beside a sequential script, start-up, status, check, journal (ARGS="status" for one)
	@scripts/bench.sh $(ARGS)

sim: setup ## play N simulated days of the real engine (N=1000 SEED=0); EVERY=1 dies at each point of two stories instead
	@$(BIN)/python -m tests.simulation $(if $(N),--days $(N)) $(if $(SEED),--seed $(SEED)) $(if $(EVERY),--every $(EVERY)) $(if $(DEATHS),--deaths $(DEATHS)) $(ARGS)

docs: setup ## write the generated reference pages anew
	@$(BIN)/python scripts/reference.py

lock: setup ## resolve and pin the dependencies anew
	@scripts/lock.sh

clean: ## remove what the other targets made in this folder
	@rm -rf .venv .venv-* .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache build dist
	@find . -name __pycache__ -type d -not -path './.git/*' -prune -exec rm -rf {} +
