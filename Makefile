# make demo   install, train a VAE on scikit-learn's digits, print the table and the pictures
# make test   install and run the tests
# make check  lint, format, types and docstring examples, warnings as errors
# make bench  speed against peers; writes tables into docs/
#
# PYTHON=python3.12 chooses the interpreter, VENV=/tmp/venv the environment, and
# PIP_FLAGS="--index-url …" passes flags to pip (say, to take PyTorch's smaller CPU wheels).

PYTHON ?= python3
VENV ?= .venv
PIP_FLAGS ?=
BIN := $(VENV)/bin
# Two workers with one thread each: more threads than cores make small tensors slower, not faster.
WORKERS ?= 2

.DEFAULT_GOAL := help
.PHONY: help demo test check lint format types examples bench clean

help:
	@sed -n '/^#/!q; s/^# \{0,1\}//p' Makefile

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: pyproject.toml constraints.txt | $(BIN)/python
	$(BIN)/python -m pip install $(PIP_FLAGS) -c constraints.txt -e .
	@touch $@

$(VENV)/.installed-dev: pyproject.toml constraints.txt | $(BIN)/python
	$(BIN)/python -m pip install $(PIP_FLAGS) -c constraints.txt -e '.[dev]'
	@touch $@ $(VENV)/.installed

demo: $(VENV)/.installed
	$(BIN)/lowerbound train digits --recipe vae --epochs 60

test: $(VENV)/.installed-dev
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(WORKERS) tests

check: lint types examples

lint: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

format: $(VENV)/.installed-dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

types: $(VENV)/.installed-dev
	$(BIN)/ty check --python $(VENV) --error-on-warning

examples: $(VENV)/.installed-dev
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest --doctest-modules src

bench: $(VENV)/.installed-dev
	$(BIN)/python -m benchmarks

clean:
	rm -rf $(VENV) .pytest_cache .ruff_cache build dist
