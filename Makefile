# Everything Python stays in .venv, everything Node in node_modules, all data in .qa.
BIN := .venv/bin
READY := .venv/.ready
PROCESSES ?= 4
BENCHES := startup queues healing_cost worker

# Every command and every test starts processes, which would all compile the same modules again.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help setup demo test pytest test-quick check style types wording types-and-wording reference wheel bench soak faults chaos lock clean

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## /  make \1	/p' Makefile | expand -t 20

setup: $(READY) ## install what is missing: .venv, Supabase Lite, Redis, a browser

$(READY): requirements-dev.txt pyproject.toml package-lock.json scripts/setup.sh
	@sh scripts/setup.sh
	@touch $@

demo: setup ## the example cases against the example shop, from nothing to a table of results
	@$(BIN)/qa-queue demo

test: style ## all checks and all tests, on real parts; nothing is skipped
	@$(MAKE) --no-print-directory --jobs=3 --keep-going types-and-wording pytest

pytest: setup
	@$(BIN)/python -m compileall -qq qa_queue processors tests/support
	@CI=1 $(BIN)/pytest --numprocesses $(PROCESSES) --dist loadfile --no-loadscope-reorder

test-quick: setup ## lint and the unit tests, in about a minute: no Redis, Supabase, browser or service
	@$(BIN)/ruff check --quiet .
	@$(BIN)/pytest --quiet --numprocesses logical tests/unit examples/settlement/tests

check: style ## format, lint, types, layers, wording
	@$(MAKE) --no-print-directory --jobs=2 types wording

style: setup
	@$(BIN)/ruff format --check --quiet .
	@$(BIN)/ruff check --quiet .

# `make test` does these while it runs the tests, which mostly wait.
types-and-wording: types wording

types: setup
	@$(BIN)/mypy
	@MYPYPATH=examples/settlement/src $(BIN)/mypy -p qa_settlement

wording: setup
	@$(BIN)/lint-imports --no-logo
	@$(BIN)/python scripts/check_prose.py

reference: setup ## renew the reference in docs/cases.md from the classes of the case language
	@$(BIN)/python scripts/case_reference.py

wheel: setup ## build the package into dist/
	@$(BIN)/python -m pip wheel --quiet --no-deps --no-build-isolation --wheel-dir dist .
	@ls dist/*.whl

faults: setup ## break a real service in every way we know; the table goes to docs/faults.md
	@FAULTS=write CI=1 $(BIN)/pytest -s -q tests/faults tests/chaos/test_planted.py

chaos: setup ## SEEDS=n seeded runs of overlapping faults, JOBS=n at once, or that of SEED=n; KEEP=folder keeps logs of bad ones
	@$(BIN)/python -m tests.chaos $(if $(SEED),--only $(SEED),--seeds $(or $(SEEDS),10)) $(if $(JOBS),--jobs $(JOBS)) $(if $(KEEP),--keep $(KEEP))

bench: setup ## the benchmarks; results in benchmarks/out, those of the worker in docs/engine.md too
	@for bench in $(BENCHES); do echo "== $$bench"; PYTHONPATH=. $(BIN)/python "benchmarks/$$bench.py" || exit; done

soak: setup ## 1000 runs on one worker: does anything grow? the curve goes to docs/
	@$(BIN)/python -m benchmarks.soak --runs 1000

lock: setup ## pin the newest allowed packages, with hashes and without index addresses (needs uv)
	@uv pip compile pyproject.toml --all-extras --group dev --universal --python-version 3.11 --upgrade \
		--generate-hashes --no-header --no-annotate --no-emit-index-url --quiet -o requirements-dev.txt
	@npm install --package-lock-only --omit=dev --ignore-scripts --no-audit --no-fund
	@! grep -n '"resolved"' package-lock.json

clean: ## remove .venv, node_modules and caches; the data in .qa stays
	@rm -rf .venv node_modules .qa/cache benchmarks/.cache .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache \
		.grimp_cache build dist *.egg-info
