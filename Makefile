PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: demo test bench check format lock package venv clean

demo: venv  ## Watch projections work on a real follow graph.
	$(BIN)/python -m local demo $(ARGS)

test: venv  ## All tests.
	$(BIN)/python -m pytest $(ARGS)

bench: venv  ## Everything that is measured, beside peers; takes an hour and a half, needs Node.js.
	$(BIN)/python -m benchmarks $(ARGS)

check: venv  ## Format, lint, types, architecture.
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy .
	$(BIN)/python -m pytest -q tests/test_architecture.py

format: venv
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

lock: venv  ## Pin what is deployed, with hashes.
	$(BIN)/uv pip compile requirements.txt --universal --python-version 3.10 --generate-hashes \
	  --upgrade --custom-compile-command "make lock" --output-file requirements.lock

package: venv  ## What is deployed, as build/package.zip.
	$(BIN)/python -m admin package

venv: $(VENV)/.installed

$(VENV)/.installed: requirements.txt requirements-dev.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	touch $@

clean:
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .hypothesis
