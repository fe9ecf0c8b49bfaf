# Everything happens in .venv and .conjecture; `make clean` removes both.
PYTHON ?= python3.11
BIN := .venv/bin
export OMP_NUM_THREADS ?= 1

.PHONY: run setup image check test test-long test-study bench study-check clean

run: setup  ## start the bot on its embedded defaults and print one URL
	CONJECTURE_HOME=$${CONJECTURE_HOME:-./.conjecture} $(BIN)/conjecture run

setup: .venv/.installed image  ## dependencies and, where a Docker engine answers, the sandbox image

.venv/.installed: pyproject.toml constraints.txt
	@command -v $(PYTHON) >/dev/null || { echo "$(PYTHON) not found: install Python 3.11 with its venv module, or set PYTHON=..."; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable .
	@touch $@

.venv/.tools: .venv/.installed
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable ".[dev]"
	@touch $@

image: .venv/.installed
	@$(BIN)/python -m sandbox.image build || { test "$$CONJECTURE_SANDBOX" != docker && echo "Going on without Docker: the sandbox will be namespaces. conjecture doctor says more."; }

check: .venv/.tools
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

test: setup .venv/.tools  ## the default suite, about ten minutes on two cores
	$(BIN)/pytest -n 2 --dist loadfile -m "not long and not study"

test-long: setup .venv/.tools  ## soaks, kill series, and what the default suite leaves out of long lists of cases
	$(BIN)/pytest -n 2 --dist loadfile -m long --timeout 3000

test-study: setup .venv/.tools  ## stack against sequential over the whole catalogue, coverage of trained arms: an hour
	$(BIN)/pytest -m study --timeout 7200

bench: setup  ## how fast hypotheses are evaluated, about 15 minutes on two idle cores; see docs/benchmarks.md
	$(BIN)/python benchmarks/evaluate.py

study-check: setup  ## the reward model, placebos and confirmations on a thousand hypotheses; hours, resumes; see docs/study.md
	CONJECTURE_HOME=$${CONJECTURE_HOME:-./.conjecture} $(BIN)/python benchmarks/study_check.py $(STUDY)

clean:
	rm -rf .venv .conjecture sandbox/wheels
