# make train   train on the bundled digits, test, print top-1 and top-5
# make test    run the test suite
# make lowest  run the tests of numbers as on the oldest processors
# make stress  run the long forms of its tests
# make smoke   train, resume, test and predict with the fork of OpenMMLab's packages, in an environment of its own
# make lint    ruff, mypy and import-linter
#
# Each creates .venv and installs what it needs. VENV=DIR takes an environment of yours instead.

VENV ?= .venv
PYTHON ?= python3
JOBS ?= auto
# EXTRAS=dev,peers,deploy installs the other publishers' code and the runtimes too, and runs the tests that need them.
EXTRAS ?= dev

CONFIG := configs/inception_v3/inception-v3_1xb64_digits-75px.py
WORK_DIR := work_dirs/inception-v3_1xb64_digits-75px

.PHONY: train test lowest stress smoke lint

train: $(VENV)/.installed
	$(VENV)/bin/python tools/train.py $(CONFIG) --work-dir $(WORK_DIR)
	$(VENV)/bin/python tools/test.py $(CONFIG) "$$(cat $(WORK_DIR)/last_checkpoint)" --work-dir $(WORK_DIR)

# One thread for each worker, because several workers with several threads wait for one another. glibc keeps freed
# tensors unless told otherwise, by which a worker grows to 8 GB instead of 3.
TEST_ENV := OMP_NUM_THREADS=1 MALLOC_ARENA_MAX=2 MALLOC_MMAP_THRESHOLD_=262144 MALLOC_TRIM_THRESHOLD_=262144

test: $(VENV)/.installed-$(EXTRAS)
	$(TEST_ENV) $(VENV)/bin/python -m pytest -n $(JOBS)

# Processors without AVX, as far as PyTorch and oneDNN can imitate them.
LOWEST := ONEDNN_MAX_CPU_ISA=SSE41 ATEN_CPU_CAPABILITY=default

lowest: $(VENV)/.installed-$(EXTRAS)
	$(TEST_ENV) $(LOWEST) $(VENV)/bin/python -m pytest -n $(JOBS) -m "not slow" \
	    tests/models tests/evaluation tests/deploy tests/engine tests/weights/test_input_range_fold.py \
	    tests/weights/test_published_parity.py

stress: $(VENV)/.installed-$(EXTRAS)
	$(TEST_ENV) $(VENV)/bin/python -m pytest -n $(JOBS) -m stress

# `nox` alone tries all environments. This one takes two minutes, and ends after fifteen whatever happens.
smoke: $(VENV)/.installed-$(EXTRAS)
	version=$$($(VENV)/bin/python -c 'import sys; print("%d.%d" % sys.version_info[:2])') && \
	timeout --kill-after=10 900 $(VENV)/bin/nox --session "smoke-$$version(onedl, newest)" -- import train resume test predict

lint: $(VENV)/.installed-$(EXTRAS)
	$(VENV)/bin/ruff check
	$(VENV)/bin/ruff format --check
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports --no-cache

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: setup.cfg setup.py pyproject.toml | $(VENV)/bin/python
	$(VENV)/bin/python -m pip install --editable .
	touch $@

$(VENV)/.installed-$(EXTRAS): setup.cfg setup.py pyproject.toml | $(VENV)/bin/python
	$(VENV)/bin/python -m pip install --editable '.[$(EXTRAS)]'
	touch $@
