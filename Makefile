SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

# The source of facts: simulated, files or yahoo; DATA is the folder of SOURCE=files.
SOURCE ?= simulated
DATA ?=
# make demo NEXT=1 goes one session further than the demo before.
NEXT ?=
# make demo UNIVERSE=london8 adds a declared universe to what the stack serves.
UNIVERSE ?=
# Any Python that runs pip: it fetches uv into .tools, and uv brings Python 3.11 along where the
# machine has another. Nothing else is touched.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
UV_VERSION ?= 0.13.8
TORCH_VERSION ?= 2.13.0
# cpu, auto, cu130 ...: used where PyTorch's own index is reachable
TORCH_BACKEND ?= cpu
UV := .tools/bin/uv
# PYTHON itself where it is a 3.11, else whichever uv finds or fetches.
WANTED_PYTHON = "$(PYTHON)" -c 'import sys; print(sys.executable if sys.version_info[:2] == (3, 11) else "3.11")'
PY := .venv/bin/python

export PIP_DISABLE_PIP_VERSION_CHECK := 1
# Without cached bytecode every task would compile its libraries anew.
unexport PYTHONDONTWRITEBYTECODE
# Passed on only when they are given: else the environment and .env decide.
ifneq ($(origin SOURCE),file)
export FINPULSE_SOURCE := $(SOURCE)
endif
ifneq ($(origin DATA),file)
export FINPULSE_DATA := $(DATA)
endif

.PHONY: help
help: ## Print this list
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# Of two at once the later waits for the earlier, where there is flock.
ALONE := $(shell command -v flock >/dev/null 2>&1 && echo flock .setup.lock)

.PHONY: setup
setup: ## Install the locked environment into .venv (first time: a few minutes)
	@$(ALONE) $(MAKE) --no-print-directory .venv/.ready

.venv/.ready: requirements.lock pyproject.toml | $(UV)
	@test -x $(PY) || $(UV) venv -q --python "$$($(WANTED_PYTHON))" .venv || { \
	  echo "no Python 3.11 here, and uv could not fetch one: install it, or set PYTHON=/path/to/python3.11"; exit 1; }
	@echo "installing the locked environment into .venv"
	@$(UV) pip install -q --no-config --python $(PY) --no-deps --compile-bytecode --require-hashes -r requirements.lock
	@$(PY) -c 'import torch, sys; sys.exit(torch.__version__.split("+")[0] != "$(TORCH_VERSION)")' 2>/dev/null || { \
	  echo "installing torch $(TORCH_VERSION)"; \
	  if compgen -G "$${PIP_FIND_LINKS:-/nonexistent}/torch-$(TORCH_VERSION)*.whl" >/dev/null; then \
	    $(UV) pip install -q --no-config --python $(PY) --no-deps --find-links "$$PIP_FIND_LINKS" "torch==$(TORCH_VERSION)"; \
	  else \
	    $(UV) pip install -q --no-config --python $(PY) --no-deps --torch-backend $(TORCH_BACKEND) "torch==$(TORCH_VERSION)"; \
	  fi; }
	@$(UV) pip install -q --no-config --python $(PY) --no-deps --no-build-isolation -e .
	@echo "compiling the kernels of the features"
	@$(PY) -m features compile
	@touch $@

$(UV):
	@"$(PYTHON)" -m pip install -q --target .tools "uv==$(UV_VERSION)" || { \
	  echo "$(PYTHON) could not install uv with pip: install pip for it, or set PYTHON to another Python 3"; exit 1; }

.PHONY: lock
lock: $(UV) ## Resolve the dependencies anew into requirements.lock
	$(UV) pip compile -q --python-version 3.11 --generate-hashes --no-header --all-extras --group dev pyproject.toml -o requirements.lock

.PHONY: demo
demo: setup ## Run the main job: services, DAG runs, served predictions (SOURCE=, DATA=, NEXT=1, UNIVERSE=)
	@$(PY) infra/local/demo.py $(if $(NEXT),--next) $(if $(UNIVERSE),--universe $(UNIVERSE))

.PHONY: release-drill
release-drill: setup ## Rehearse a release: poisoned challengers out, a sound one in, rollback (two minutes)
	@$(PY) infra/local/release_drill.py

.PHONY: up
up: setup ## Start the services and wait until they are healthy
	@$(PY) infra/local/up.py

.PHONY: down
down: ## Stop the services and leave no process
	@if [ -x $(PY) ]; then $(PY) infra/local/down.py; else echo "no environment, so nothing runs"; fi

.PHONY: clean
clean: ## Stop the services, remove state, environment and caches
	@if [ -x $(PY) ]; then $(PY) infra/local/clean.py; fi
	@rm -rf .venv .tools .setup.lock .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache *.egg-info
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

# LESS=data leaves out what reads published data sets, where they are not at hand.
LESS ?=
NOT_HERE := not slow and not net and not gpu$(if $(LESS), and not $(LESS))

.PHONY: test
test: setup ## Run the tests: quick ones first, then those with real services and Spark
	@OMP_NUM_THREADS=1 $(PY) -m pytest -q -n 3 --dist loadfile --no-loadscope-reorder -m "$(NOT_HERE) and not integration and not spark"
	@OMP_NUM_THREADS=1 $(PY) -m pytest -q -n 2 --dist loadfile --no-loadscope-reorder -m "$(NOT_HERE) and (integration or spark)"

.PHONY: test-slow
test-slow: setup ## Run the statistics and the full data sets
	@OMP_NUM_THREADS=1 $(PY) -m pytest -q -m "slow and not net and not gpu"
	@OMP_NUM_THREADS=1 $(PY) -m pytest -q --hypothesis-profile thorough -m "hypothesis and $(NOT_HERE) and not integration and not spark"

.PHONY: charts
charts: setup ## Render the charts, install them in a small cluster, and run the workflow that deploys them
	@$(PY) -m pytest -q -n 2 --dist loadfile tests/helm tests/github

.PHONY: rehearse
rehearse: setup ## A small market, as a release does before it builds: STEP=etl, train or evaluate (after make up)
	@$(PY) infra/release/rehearse.py $(STEP)

.PHONY: lint
lint: setup ## Check format, style, types, arrows and the rules of the house
	@.venv/bin/ruff format --check -q .
	@.venv/bin/ruff check -q .
	@.venv/bin/mypy --no-error-summary
	@.venv/bin/mypy --no-error-summary infra/local/*.py
	@.venv/bin/mypy --no-error-summary infra/release/*.py
	@.venv/bin/lint-imports --no-logo
	@.venv/bin/actionlint
	@.venv/bin/zizmor -q --offline .github
	@.venv/bin/check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.yml >/dev/null
	@$(PY) -m pytest -q tests/house

.PHONY: fmt
fmt: setup ## Format and mend what can be mended
	@.venv/bin/ruff format -q .
	@.venv/bin/ruff check -q --fix .
