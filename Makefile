# Nothing but Python 3.11+, git and make is needed; everything else goes into .venv.
PYTHON ?= python3
BIN := .venv/bin
UV_VERSION := 0.13.9
CYCLONEDX_VERSION := 7.5.0
export PATH := $(CURDIR)/$(BIN):$(PATH)
# Every stage is a process of its own: without bytecode on disk each compiles torch, Prefect and MLflow for seconds.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help setup repro compare gpu-smoke test mutants hostile torture check sbom site ui lock

help: ## Show this help
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: .venv/.installed ## Install everything into .venv

.venv/.installed: requirements.lock pyproject.toml nf/core/version.py
	$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed, this is " + sys.version) if sys.version_info < (3, 11) else None'
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet uv==$(UV_VERSION)
	$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes -r requirements.lock
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation -e .
	install -d -m 700 out .dvc/cache .mlflow .prefect  # query sets lie there, whatever modes DVC and MLflow choose
	touch $@

repro: setup ## Run the pipeline up to the report on its first scheme; PROFILE=name for another profile
	$(BIN)/python -m flows reproduce report $(if $(PROFILE),--profile $(PROFILE))

compare: setup ## Run everything: all schemes of params.yaml and all variants
	$(BIN)/python -m flows reproduce

gpu-smoke: setup ## Run the paper's setting on the CPU, narrow and short: two minutes
	$(BIN)/nf run --profile gpu-smoke

test: setup ## Run the tests, two at once
	$(BIN)/pytest -n 2 --dist loadfile --no-loadscope-reorder

mutants: setup ## Break lines of the code on purpose, one at a time, and list which tests notice
	$(BIN)/python -m tools.mutants --record results/mutants.json

hostile: setup ## Ask 10,000 mutants of files of suspects; a run that is cut goes on
	$(BIN)/python -m tests.faults.hostile

torture: setup ## Kill stages, fill disks and more, a hundred times; a run that is cut goes on
	$(BIN)/python -m tests.faults.torture

sbom: setup ## Write what both lock files install as CycloneDX, and say how old they are
	for lock in requirements requirements-verify; do \
		$(BIN)/uv tool run --quiet --from cyclonedx-bom==$(CYCLONEDX_VERSION) cyclonedx-py requirements $$lock.lock \
			--pyproject pyproject.toml --output-reproducible --of JSON -o $$lock.cdx.json && \
		echo "$$lock.cdx.json: locked on $$(git log -1 --format=%cs -- $$lock.lock)"; \
	done

check: setup ## Lint, types and layers
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

site: setup ## Write docs/ as a site that needs no network: site/index.html
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

ui: setup ## Open MLflow and Prefect on loopback
	$(BIN)/python -m flows ui

lock: setup ## Resolve both lock files anew: everything, and what `nf verify` needs
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
		--upgrade --extra dev pyproject.toml -o requirements.lock
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
		--constraint requirements.lock pyproject.toml -o requirements-verify.lock
