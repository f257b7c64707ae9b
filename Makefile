# Two commands on a fresh machine (Debian 12, Python 3.11): make demo, make test.
VENV := .venv/bin
DEMO ?= build/demo-$(shell date -u +%Y%m%dT%H%M%SZ)
PYTEST_ARGS ?=

.PHONY: help demo test lint check bench clean

help:
	@echo "make demo   the whole path on a small real disc image: case, acquisition, analysis, report"
	@echo "make test   set up and run the tests"
	@echo "make check  style, types, import contracts, tests"
	@echo "make bench  measure against other programs (they are compared where installed)"

demo:
	@scripts/setup run
	@mkdir -p $(dir $(DEMO))
	@$(VENV)/jewelcase demo $(DEMO)

test:
	@scripts/setup dev
	@scripts/test-tools
	$(VENV)/pytest -n 2 --dist worksteal $(PYTEST_ARGS)

lint:
	@scripts/setup dev
	$(VENV)/ruff check .
	$(VENV)/ruff format --check .
	$(VENV)/mypy
	$(VENV)/lint-imports

check: lint test

bench:
	@scripts/setup dev
	@scripts/test-tools
	$(VENV)/python tests/bench $(BENCH)

clean:
	rm -rf build .venv .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
