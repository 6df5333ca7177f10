# The only list of tasks. Bare `make` prints it.

PYTHON ?= python3
BIN := .venv/bin
# Stopping needs nothing that is not in Python itself.
STOP := $(if $(wildcard $(BIN)/grader),$(BIN)/grader,$(PYTHON) -m grader)
BOOT := $(PYTHON) -m grader.host.bootstrap

.DEFAULT_GOAL := help
.PHONY: help up test down clean doctor bench selftest lint lock notebooks venv venv-dev

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

up: ## engine, base images, one graded example, JupyterLab; prints its address
	@$(BOOT) run --engine
	@$(BIN)/grader up

test: venv-dev ## everything that the project checks about itself
	@$(BIN)/grader up --no-jupyter
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/hadolint binder/Dockerfile images/*/Dockerfile solutions/*/*/Dockerfile
	$(ZIZMOR)
	$(BIN)/grader sync --check
	$(BIN)/grader lint-course
	$(BIN)/python tests/mutate.py
	LAB_PROGRESS=off $(BIN)/pytest $(BESIDE) --nbval-lax labs solutions
	$(BIN)/pytest $(BESIDE) -m 'not alone' tests
	$(BIN)/pytest -m alone tests

# Our own workflows, as strictly as it can; nothing is asked for over the network.
ZIZMOR := $(BIN)/zizmor --offline --quiet --pedantic .github

# Two at once, whatever the machine has: more would make late what is timed.
BESIDE := --numprocesses 2

down: ## stop what `make up` started
	@$(STOP) down

clean: ## stop it, and remove all state and .venv; says how much disk that frees
	@$(STOP) down --clean --yes
	rm -rf .venv

doctor: venv ## what this machine can and can't grade
	@$(BIN)/grader doctor

bench: venv-dev ## seconds of every exercise and check; ratios to doing it by hand and to another tool
	@$(BIN)/python -m tests.bench

selftest: venv-dev ## prove the grader on this engine: right and wrong answers, cheats, hostile submissions
	@$(BIN)/grader selftest

lint: venv-dev ## style and types only; no engine needed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(ZIZMOR)

lock: venv-dev ## renew both lock files
	$(BIN)/python -m pip --quiet install uv
	$(BIN)/uv pip compile $(LOCKING) pyproject.toml -o requirements.lock
	$(BIN)/uv pip compile $(LOCKING) --extra dev -c requirements.lock pyproject.toml -o requirements-dev.lock

# Works on every platform, and names no index: pip takes the machine's own.
LOCKING := --upgrade --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	--no-annotate --no-header --quiet

notebooks: venv-dev ## make both notebooks of each lab, and parts of the docs, from their one source
	@$(BIN)/grader sync

venv:
	@$(BOOT) run

venv-dev:
	@$(BOOT) dev --engine
