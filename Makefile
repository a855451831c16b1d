PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.DEFAULT_GOAL := help
.PHONY: help venv demo test test-fast sabotage check format docs bench lock package clean

help:  ## List these commands.
	@awk -F ':.*  ## ' '/^[a-z-]+:.*  ## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

venv: $(VENV)/.installed  ## Create .venv with the application and its tools; the other commands do so as well.

demo: venv  ## Project a real follow graph and check every user; options in ARGS.
	$(BIN)/python -m local demo $(ARGS)

test: venv  ## Run all tests; options for pytest in ARGS.
	$(BIN)/python -m pytest $(ARGS)

test-fast: venv  ## Run the unit tests: under a minute, no sockets, no processes.
	$(BIN)/python -m pytest tests/unit $(ARGS)

sabotage: venv  ## Put faults into copies of the code, and demand that the tests fail: 10 minutes; options in ARGS.
	$(BIN)/python -m tests.sabotage $(ARGS)

check: venv  ## Check format, lint, types, architecture and names.
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy .
	$(BIN)/python -m pytest -q tests/test_architecture.py tests/test_language.py

format: venv  ## Format the code and fix what the linter can fix.
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

docs: venv  ## Build the documentation with its API reference into build/site.
	$(BIN)/uv run --no-project --python $(BIN)/python --with-requirements requirements-docs.txt \
	  mkdocs build --strict

bench: venv  ## Run all benchmarks, beside peers; takes an hour and a half and needs Node.js.
	$(BIN)/python -m benchmarks $(ARGS)

lock: venv  ## Pin what is deployed in requirements.lock, with hashes.
	$(BIN)/uv pip compile requirements.txt --universal --python-version 3.10 --generate-hashes \
	  --upgrade --custom-compile-command "make lock" --output-file requirements.lock

package: venv  ## Write what is deployed to build/package.zip, and unpacked to build/package.
	$(BIN)/python -m admin package
	rm -rf build/package
	$(BIN)/python -m zipfile --extract build/package.zip build/package

clean:  ## Remove the environment, caches and everything that was built.
	rm -rf $(VENV) build .mypy_cache .pytest_cache .ruff_cache .hypothesis

$(VENV)/.installed: requirements.txt requirements-dev.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	touch $@
