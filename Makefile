# make repro: the whole benchmark · make test: the tests · make ui: MLflow in the browser · make data: what is there
# make validate: what is known beforehand, found again
# make power, confirmation, controls, ablation, baselines, formulations: studies over fresh populations
# make cells: students trained side by side, where there are more cores or machines than one
# make bench: speed · make soak: what kills, fills and breaks it, for half an hour · make audit: known vulnerabilities
SHELL := /bin/bash
BIN := .venv/bin
export PATH := $(CURDIR)/$(BIN):$(PATH)
export UV_FIND_LINKS ?= $(PIP_FIND_LINKS)
export MLFLOW_DISABLE_TELEMETRY := true
export DO_NOT_TRACK := true
# its index holds pickles, and would lie in /var/tmp, where other users of the machine may write
export DVC_SITE_CACHE_DIR := $(CURDIR)/.venv/dvc
# seven processes for language models
export MLFLOW_SERVER_ENABLE_JOB_EXECUTION := false

.PHONY: setup repro test cells soak ui data validate bench power confirmation controls ablation baselines formulations lock audit

setup: .venv/dvc

.venv/dvc: | .venv/ready
	install -d -m 700 $@

.venv/ready: requirements.lock
	python3 -m venv .venv
	$(BIN)/pip install --quiet uv
	$(BIN)/uv pip install --compile-bytecode -r requirements.lock
	echo 'export MLFLOW_DISABLE_TELEMETRY=true DO_NOT_TRACK=true' >> $(BIN)/activate
	echo 'export DVC_SITE_CACHE_DIR="$$VIRTUAL_ENV/dvc"' >> $(BIN)/activate
	touch $@

repro: setup # DVC writes dvc.lock in place: one that a kill has cut short is left out, and made again from DVC's cache
	@find .dvc/tmp/rwlock -empty -delete 2> /dev/null || true
	@if [ -e dvc.lock ] && [ "$$(tail -c 1 dvc.lock | wc -l)" -eq 0 ]; then mv dvc.lock dvc.lock.cut; fi
	dvc repro

cells: setup # what `dvc repro` would train one after another; it goes on from there
	python -m pipelines.cells

test: setup # one thread each: two processes that both use all cores wait for each other
	OMP_NUM_THREADS=1 pytest

soak: setup # the long tests -> results/soak.md
	OMP_NUM_THREADS=1 pytest -o python_files='soak_*.py' tests/soak

ui: setup # mirrors what MLflow lacks, prints direct links, then shows what trains; a server of your own is not started
	@python -m pipelines.track --there
	@python -m pipelines.track --watch & trap "kill $$! 2> /dev/null" EXIT; \
	  case "$$MLFLOW_TRACKING_URI" in http*) wait;; *) mlflow ui --host 127.0.0.1 --port 5000 --workers 1;; esac

data: setup
	python -m benchmark data

validate: setup
	dvc repro validate

bench: setup
	python -m benchmark bench

power confirmation controls ablation baselines formulations: setup # studies of params.yaml, over populations of their own
	python -m pipelines.study $@

lock: setup # after editing pyproject.toml; torch itself decides about CUDA
	uv lock --quiet
	uv export --quiet --no-hashes --no-annotate --no-header --all-groups \
	  | grep -vE '^(nvidia|triton|cuda)' | sed -E '/^torch==/s/ ;.*//; s/\+cpu//' | uniq > requirements.lock
	rm uv.lock
	$(MAKE) --no-print-directory setup
	python -m benchmark.licences

# CVE-2025-69872, of diskcache in DVC: whoever may write to its folder can run code; that folder is nobody else's
audit: setup # asks pypi.org about every package of requirements.lock; one that cannot be asked about is an error
	uv tool run pip-audit==2.10.1 --strict --no-deps --disable-pip --requirement requirements.lock \
	  --ignore-vuln CVE-2025-69872
