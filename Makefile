# kerasnb: `make` lists what there is to make. Every target installs what it needs.
PYTHON ?= python3
BIN = .venv/bin
SETUP = setup.cfg pyproject.toml
CUDA = $(patsubst %,.venv/%.stamp,$(EXTRA))  # EXTRA=cuda12 or cuda13 installs a compiler

.DEFAULT_GOAL := help
.PHONY: help demo demo-sums demo-text test test-step test-cuda test-gpu ptx lint bench \
    bench-gpu tutorials clean

help:  ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

.venv/kerasnb.stamp: $(SETUP)
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --editable .
	@touch $@

.venv/%.stamp: .venv/kerasnb.stamp
	$(BIN)/python -m pip install --quiet --editable '.[$*]'
	@touch $@

demo: .venv/kerasnb.stamp  ## train two networks on handwritten digits, draw what they learn
	MPLBACKEND=Agg $(BIN)/python tutorials/00_digits_demo.py
	MPLBACKEND=Agg $(BIN)/python tutorials/00_filters_demo.py

demo-sums: .venv/kerasnb.stamp  ## teach a recurrent network to add (some minutes)
	$(BIN)/python tutorials/sums_demo.py

demo-text: .venv/kerasnb.stamp  ## let a recurrent network write like a book (some minutes)
	$(BIN)/python tutorials/text_demo.py

test: .venv/test.stamp  ## run all tests
	$(BIN)/python -m pytest
	$(MAKE) --no-print-directory test-step test-cuda

test-step: .venv/test.stamp  ## run the tests on small sizes with the compiler off
	NUMBA_DISABLE_JIT=1 $(BIN)/python -m pytest

test-cuda: .venv/test.stamp  ## run the CUDA kernels in the simulator, without a GPU
	NUMBA_ENABLE_CUDASIM=1 $(BIN)/python -m pytest tests/cuda

ptx: .venv/kerasnb.stamp  ## compile the CUDA kernels and inspect the code, without a GPU
	$(BIN)/python tests/cuda/inspection.py

test-gpu: .venv/test.stamp $(CUDA)  ## run the CUDA kernels, and train with them, on a GPU
	$(BIN)/python -m pytest tests/cuda

lint: .venv/lint.stamp  ## check style, docstrings and types
	$(BIN)/python -m black --check --quiet kerasnb tests tutorials
	$(BIN)/python -m isort --check --quiet kerasnb tests tutorials
	$(BIN)/python -m flake8 kerasnb tests tutorials
	$(BIN)/python -m mypy

bench: .venv/bench.stamp  ## time kerasnb against Keras 3 and PyTorch (installs them)
	$(BIN)/python tests/bench/bench.py

bench-gpu: .venv/kerasnb.stamp $(CUDA)  ## time kerasnb on a GPU against PyTorch and Keras 3
	$(BIN)/python tests/bench/gpu.py

tutorials: .venv/kerasnb.stamp  ## run every tutorial
	for script in tutorials/[0-9]*.py; do \
	    MPLBACKEND=Agg $(BIN)/python $$script || exit 1; done

clean:  ## remove everything that was made here
	rm -rf .venv build demo *.egg-info .pytest_cache .mypy_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
