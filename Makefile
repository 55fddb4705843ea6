# make report | make test   set up what is missing and do their job; DATA=folder PROFILE=quick|laptop|full
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
PYTHON ?= python3
PROFILE ?= quick
DATA ?=
BIN := .venv/bin
export CHESTLIB_PROFILE := $(PROFILE)
# Compiled once, torch and its friends import more than twice as fast; uv leaves that to the first import.
unexport PYTHONDONTWRITEBYTECODE
ifneq ($(DATA),)
export CHESTLIB_DATA := $(abspath $(DATA))
endif
# The package is among them for the examples in its docstrings.
PYTEST := pytest -q -n 2 --dist loadfile --doctest-modules tests chestlib
# Other data or another profile has other outputs: then the notebooks must run, but are not compared.
NBVAL := $(if $(DATA)$(filter-out quick,$(PROFILE)),--nbval-lax,--nbval)
# The one place that calls nbval; what could take its place is in docs/nbval.md.
NOTEBOOKS := pytest -q $(NBVAL) --nbval-current-env --nbval-cell-timeout=1800 notebooks/[0-9]*.ipynb notebooks/solutions/*.ipynb

# What differs from the last commit, file by file; nothing where there is no git.
TREE := { git status --porcelain && git diff HEAD | sha256sum; } 2>/dev/null || true

.PHONY: help env report test coverage faults mutants test-floor test-latest test-wheel docs lint lint-js notebooks figures lock clean

help: ## what there is to make
	@grep -E '^[a-z-]+:.*##' Makefile | sed -E 's/:[^#]*## /\t/' | expand -t 14

env: .venv/.ready ## .venv from requirements.lock

.venv/.ready: requirements.lock pyproject.toml install.py
	@rm -f $@
	$(PYTHON) install.py
	@touch $@

report: env ## report/index.html from the executed notebooks
	$(BIN)/chestlib report --profile $(PROFILE) $(if $(DATA),--data "$(abspath $(DATA))")

test: env lint ## lint, pytest, the notebooks by nbval; no tracked file may change on the way
	@{ $(TREE); } > .venv/.tree
	$(BIN)/$(PYTEST)
	$(BIN)/$(NOTEBOOKS)
	@{ $(TREE); } | diff .venv/.tree - || { echo "The tests have changed the tree"; exit 1; }

coverage: env ## pytest with the share of chestlib that it runs, branches included
	$(BIN)/$(PYTEST) --cov --cov-report=term

faults: env ## the long fault campaigns: kills, broken inputs, full disks
	$(BIN)/pytest -q -m campaign tests/faults

test-wheel: env ## the built wheel in an empty environment for each extra; needs uv and PyPI
	$(BIN)/pytest -q -m campaign tests/test_wheel.py

mutants: env ## wrong versions made on purpose: which of them do the tests notice?
	$(BIN)/python tests/mutants/mutants.py $(FAMILY)

# uv sees only the Pythons that pyenv puts forward.
test-floor test-latest: export PYENV_VERSION = $(shell pyenv versions --bare 2>/dev/null | paste -sd:)

test-floor: ## pytest on Python 3.10 with the lowest versions allowed; needs uv
	uv venv -q --clear --python 3.10 .venv-floor
	uv pip install -q --python .venv-floor/bin/python --resolution lowest-direct -e '.[course,dask,postgres]' --group dev
	.venv-floor/bin/$(PYTEST)

test-latest: ## pytest on Python 3.13 with the newest versions; needs uv
	uv venv -q --clear --python 3.13 .venv-latest
	uv pip install -q --python .venv-latest/bin/python --upgrade -e '.[course,dask,postgres]' --group dev
	.venv-latest/bin/$(PYTEST)

docs: env ## docs/api/, the reference, from the docstrings
	$(BIN)/pdoc --docformat numpy --output-directory docs/api chestlib

lint: env lint-js ## ruff, notebooks included, mypy, and lint-js
	$(BIN)/ruff check -q .
	$(BIN)/ruff format -q --check .
	$(BIN)/mypy

lint-js: ## the viewer's JavaScript: biome, tsc and its tests; needs node
	@cd tests/viewer; \
	if ! { command -v npm && node -e 'process.exit(+(parseInt(process.versions.node) < 20))'; } >/dev/null 2>&1; \
	then why="node 20 or newer is missing"; \
	elif ! [ node_modules/.ready -nt package.json ] && ! npm install --silent; then why="its tools are not installed"; \
	else touch node_modules/.ready; npm run --silent check; npm test --silent; exit; fi; \
	echo "The viewer's JavaScript was not checked: $$why"; [ -z "$${CI:-}" ]

notebooks: env ## execute the notebooks in place
	$(BIN)/python notebooks/execute.py

figures: env ## the pictures of the README
	$(BIN)/python benchmarks/diagram.py
	$(BIN)/python benchmarks/realism.py --gallery figures/phantom.png
	$(BIN)/python benchmarks/screenshots.py

lock: ## requirements.lock anew, for all supported Pythons
	uv pip compile -q --universal --generate-hashes --upgrade --python-version 3.10 --all-extras --group dev pyproject.toml -o requirements.lock

clean: ## what was generated
	rm -rf report runs artifacts data/phantom-* data/cache tests/viewer/node_modules
