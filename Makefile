# Every task of the project. Only python3 and make are needed: `make demo`, `make test`.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
PACKAGES := core plugins/aws plugins/azure plugins/gcp
export OGF_BQ_VENV ?= $(CURDIR)/.venv-bigquery
export OGF_AZURITE_HOME ?= $(CURDIR)/.venv-azurite

.PHONY: demo test lint check test-long test-faults emulators bench docs lock clean

demo: $(STAMP)  ## sample exports through the real pipeline, then a table and the report
	$(BIN)/ogf demo --folder demo

test: $(STAMP)  ## the test suite
	$(BIN)/python -m pytest -n 3 --dist loadfile -m "not faults and not long" \
		--cov=ogf --cov=ogf_aws --cov=ogf_azure --cov=ogf_gcp --cov-branch --cov-report= --cov-fail-under=85

lint: $(STAMP)  ## format, lint, types, import contracts
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

check: lint test

test-long: $(STAMP)  ## further variants of what `make test` tests
	$(BIN)/python -m pytest -n 2 --dist loadfile -m long

test-faults: $(STAMP)  ## real runs killed at 200 points and more
	$(BIN)/python -m pytest -m faults tests/faults

emulators:  ## of BigQuery and Blob storage, each in a place of its own; tests that need one are skipped without it
	$(PYTHON) -m venv $(OGF_BQ_VENV)
	$(OGF_BQ_VENV)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps \
		-r tests/gcp/bqemulator.lock
	npm install --silent --no-audit --no-fund --prefix $(OGF_AZURITE_HOME) azurite@3.35.0

bench: $(STAMP)  ## ogf against the single DuckDB statement
	$(BIN)/python benchmarks/cur.py
	$(BIN)/python benchmarks/gcp.py
	$(BIN)/python benchmarks/footprint.py
	$(BIN)/python benchmarks/serve.py
	$(BIN)/python benchmarks/telemetry.py

docs: $(STAMP)  ## the generated reference pages
	$(BIN)/python docs/generate.py

lock:  ## after a change of dependencies; needs uv
	uv lock -q && uv export -q --all-packages --all-groups --no-emit-workspace --no-annotate --no-header > requirements.lock
	@! grep -nE 'https?://' requirements.lock

$(STAMP): requirements.lock core/pyproject.toml plugins/aws/pyproject.toml plugins/azure/pyproject.toml plugins/gcp/pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation $(addprefix -e ,$(PACKAGES))
	touch $@

clean:
	rm -rf $(VENV) $(OGF_BQ_VENV) $(OGF_AZURITE_HOME) demo .mypy_cache .ruff_cache .pytest_cache
