# `make test` and `make bench` do the whole set-up on a machine that has python3 >= 3.10,
# a C++ compiler and make; what is there already is not done again.

PYTHON ?= python3
TORCH  := 2.13.0
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.stamps
PIP    := $(BIN)/python -m pip --disable-pip-version-check

# Every step prints what it does; one that fails prints its name last.
step = @printf '\n==> %s\n' "$(1)"
fail = || { printf '\n*** failed: %s\n    %s\n' "$(1)" "$(2)" >&2; exit 1; }

.PHONY: setup bench test lint clean
.DELETE_ON_ERROR:

setup: $(STAMP)/scatter $(STAMP)/package

bench: setup
	$(BIN)/python -m benchmarks run configs/bench.yaml

test: setup
	$(BIN)/python -m pytest

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright

clean:
	rm -rf $(VENV) build dist

$(STAMP)/venv:
	$(call step,1/4 virtual environment in $(VENV))
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' \
	  $(call fail,virtual environment,$(PYTHON) is missing or older than 3.10: set PYTHON=...)
	@$(PYTHON) -m venv $(VENV) $(call fail,virtual environment,is the venv module installed?)
	@mkdir -p $(STAMP) && touch $@

# torch first: torch-scatter and our extension are compiled against it.
$(STAMP)/torch: $(STAMP)/venv Makefile
	$(call step,2/4 torch $(TORCH) and build tools)
	@$(PIP) install torch==$(TORCH) numpy setuptools wheel "scikit-build-core>=0.11" cmake ninja \
	  $(call fail,torch $(TORCH),pip printed the reason above)
	@touch $@

$(STAMP)/scatter: $(STAMP)/torch
	$(call step,3/4 torch-scatter 2.1.2: built from source in about five minutes)
	@$(PIP) install --no-build-isolation torch-scatter==2.1.2 \
	  $(call fail,torch-scatter,it is compiled from source: is a C++ compiler installed?)
	@touch $@

# Compiled again when its sources change; Python files are used in place.
$(STAMP)/package: $(STAMP)/torch pyproject.toml gatsparse/csrc/CMakeLists.txt \
                  $(wildcard gatsparse/csrc/*.cpp gatsparse/csrc/*.h gatsparse/ops/*/*.cpp)
	$(call step,4/4 gatsparse$(comma) with its C++ kernels)
	@$(PIP) install --no-build-isolation -e ".[bench,dev]" \
	  $(call fail,gatsparse,pip printed the reason above)
	@$(BIN)/python -c 'import sys; from gatsparse import _native as n; sys.exit(n.MISSING)' \
	  $(call fail,gatsparse,the kernels were not built: is a C++ compiler installed?)
	@touch $@

comma := ,
