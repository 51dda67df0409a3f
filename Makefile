# Everything runs in .venv, made by `make setup` from Python 3.11+ and a package index.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
# What starts many processes reads everything compiled.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help setup demo up test test-fast test-laws sets lint format bench fleet docs screenshots dist coverage clean

help:  ## what can be made
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

setup: $(STAMP)  ## the virtual environment with everything in it

$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed; say which with PYTHON=…")'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[test]'
	@touch $@

demo: setup  ## sync a messy lead list in a real Airflow against a simulated API, twice
	$(BIN)/python -m airflow_outreach_provider.demo run

up: setup  ## keep Airflow, its UI and the simulated API running
	$(BIN)/python -m airflow_outreach_provider.demo up

test: setup lint  ## all tests: what starts no Airflow on two cores, then the rest: a real Airflow, a browser, kills, benches
	$(BIN)/python -m pytest -m 'not e2e' -n 2 --dist worksteal
	$(BIN)/python -m pytest -m e2e -n 2 --dist loadgroup --no-loadscope-reorder $$(grep -rl 'pytest\.mark\.e2e' tests --include='test_*.py')

test-fast: setup  ## the tests that take less than a fifth of a second each
	$(BIN)/python -m pytest -m 'not e2e and not slow' -n 2 --dist worksteal

test-laws: setup  ## the fast tests with ten times the examples for each law; for the night
	$(BIN)/python -m pytest -m 'not e2e' -n 2 --dist worksteal --hypothesis-profile=nightly

sets:  ## the fast edge tests in other sets of versions: the lowest, Airflow's own constraints, ours, the newest
	.ci/sets

lint: setup  ## style, types and the borders between the rooms
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	MYPYPATH=bench $(BIN)/mypy bench
	$(BIN)/lint-imports

format: setup
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: setup  ## measure, each figure beside its baseline
	@failed=; for bench in bench/*.py; do echo "== $$bench"; $(BIN)/python $$bench || failed="$$failed $$bench"; done; \
	test -z "$$failed" || { echo "failed:$$failed"; exit 1; }

fleet: setup  ## Celery, three workers, two receivers, killed again and again: FLEET='--leads 100000 --events 20000 --kills 50'
	$(BIN)/python bench/fleet.py $(FLEET)

docs: setup  ## the documentation as a site, in site/
	$(BIN)/mkdocs build --strict --quiet
	@echo "open site/index.html"

screenshots: setup  ## pictures of the pages, from the demo in a real Airflow, for README and documentation
	$(BIN)/python .ci/screenshots.py

dist: setup  ## wheel and source archive in dist/, tried in an empty environment
	$(BIN)/python .ci/dist.py

coverage: setup  ## the fast tests, and how much of the code they reach
	$(BIN)/python -m pytest -m 'not e2e' -n 2 --dist worksteal --cov --cov-report=term:skip-covered

clean:
	rm -rf $(VENV) .airflow .sets site dist
