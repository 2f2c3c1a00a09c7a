# kerasnb: `make` lists what there is to make. Every target installs what it needs.
PYTHON ?= python3
BIN = .venv/bin
SETUP = setup.cfg pyproject.toml
PAGES = tutorials/output
CUDA ?= cuda13
OPTIONS ?=
, := ,

.DEFAULT_GOAL := help
.PHONY: help demo demo-sums demo-text test test-step test-cuda test-gpu ptx lint \
    bench bench-gpu tutorials docs clean

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

test-cuda: .venv/test.stamp  ## step through the CUDA kernels in Numba's simulator
	NUMBA_DISABLE_JIT=1 NUMBA_ENABLE_CUDASIM=1 $(BIN)/python -m pytest -o addopts=-q tests/cuda

ptx: .venv/test.stamp  ## compile every CUDA kernel and look at its code (needs a CUDA toolkit)
	$(BIN)/python tests/cuda/inspection.py

# Python as it is, if it finds the GPU and all it needs; else .venv with what the network
# brings; without a network Python as it is, and what it lacks is said and left out.
gpu_python = $$({ $(PYTHON) -c 'import $(1); from numba import cuda; \
    assert cuda.is_available()' 2>/dev/null && echo $(PYTHON); } || \
    { PIP_RETRIES=1 $(MAKE) --silent $(2) >&2 && echo $(BIN)/python; } || \
    echo $(PYTHON))

test-gpu:  ## run the tests of CUDA on a GPU (CUDA=cuda12 for older drivers)
	python=$(call gpu_python,hypothesis$(,) matplotlib$(,) pytest,.venv/test.stamp .venv/$(CUDA).stamp); \
	side=$$($$python -c 'import xdist' 2>/dev/null && echo '-n auto --maxprocesses 8'); \
	PYTHONPATH=.:$$PYTHONPATH $$python -m pytest -o addopts=-q -W default $$side tests/cuda

bench-gpu:  ## time kerasnb on a GPU against PyTorch and Keras 3 (OPTIONS=--quick or --tune)
	python=$(call gpu_python,torch$(,) jax$(,) matplotlib,.venv/bench-$(CUDA).stamp .venv/$(CUDA).stamp); \
	PYTHONPATH=.:$$PYTHONPATH $$python tests/bench/gpu.py $(OPTIONS)

lint: .venv/lint.stamp  ## check style, docstrings and types
	$(BIN)/python -m black --check --quiet kerasnb tests tutorials
	$(BIN)/python -m isort --check --quiet kerasnb tests tutorials
	$(BIN)/python -m flake8 kerasnb tests tutorials
	$(BIN)/python -m mypy

bench: .venv/bench.stamp  ## time kerasnb against Keras 3 and PyTorch (installs them)
	$(BIN)/python tests/bench/bench.py

tutorials: .venv/notebook.stamp  ## run every lesson, write notebooks and pages with figures
	@for script in tutorials/0[1-9]_*.py tutorials/[1-9][0-9]_*.py; do \
	    test -f $$script || continue; \
	    page=$(PAGES)/$$(basename $$script .py); echo "$$script -> $$page.html"; \
	    MPLBACKEND=Agg $(BIN)/python $$script && \
	    $(BIN)/jupytext --quiet --to ipynb --output $$page.ipynb $$script && \
	    $(BIN)/jupyter nbconvert --log-level WARN --execute --to html $$page.ipynb \
	    || exit 1; done

docs: .venv/docs.stamp  ## write the manual into build/docs
	$(BIN)/python -W error tutorials/manual.py

clean:  ## remove everything that was made here
	rm -rf .venv build demo $(PAGES) *.egg-info .pytest_cache .mypy_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
