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
needs = @command -v $(1) > /dev/null $(call fail,$(1),it is missing: apt-get install $(2))
fail = || { printf '\n*** failed: %s\n    %s\n' "$(1)" "$(2)" >&2; exit 1; }

.PHONY: setup bench test coverage mutants lint docs sanitize check-compilers clean
.DELETE_ON_ERROR:

# The two builds share the cores.
setup: $(STAMP)/torch
	@$(MAKE) --no-print-directory --jobs=2 $(STAMP)/scatter $(STAMP)/package

bench: setup
	$(BIN)/python -m benchmarks run configs/bench.yaml

test: setup
	$(BIN)/python -m pytest -n auto --dist worksteal

# The lines and branches of gatsparse/ that no test runs; as pages into build/coverage.
coverage: setup
	@mkdir -p build/coverage
	$(BIN)/python -m pytest -n auto --dist worksteal --cov --cov-report=term \
	  --cov-report=html:build/coverage

# Small faults, each of which some tests must detect. MUTANTS='--only training' makes some of them.
mutants: setup
	@PATH="$(abspath $(BIN)):$$PATH" $(BIN)/python -m tests.mutants $(MUTANTS)

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright

# Into build/docs. Warnings and references that lead nowhere are errors.
docs: setup
	$(call step,documentation)
	@$(BIN)/python -m sphinx -W -n --keep-going -q -b html $(DOCS_OPTIONS) docs build/docs \
	  $(call fail,docs,Sphinx printed the reason above)
	@printf 'build/docs/index.html\n'

# The kernels with AddressSanitizer and UndefinedBehaviorSanitizer, in an environment of their
# own that shares all other packages. TESTS=... runs some of the tests.
TESTS   := tests/ops tests/graph tests/test_native.py
SAN     := build/sanitize
purelib := -c 'import sysconfig; print(sysconfig.get_path("purelib"))'

sanitize: setup
	$(call step,kernels with sanitizers)
	$(call needs,g++,g++)
	@$(BIN)/python -m venv --without-pip $(SAN)
	@$(BIN)/python $(purelib) > $$($(SAN)/bin/python $(purelib))/shared.pth
	@$(PIP) --python $(SAN)/bin/python install --no-build-isolation --no-deps -e . \
	  -C build-dir=$(SAN)/build -C cmake.define.GATSPARSE_SANITIZE=ON \
	  -C cmake.define.CMAKE_CXX_COMPILER=g++ $(call fail,sanitize,pip printed the reason above)
	$(call step,tests with sanitizers)
	@LD_PRELOAD="$$(g++ -print-file-name=libasan.so) $$(g++ -print-file-name=libstdc++.so)" \
	  ASAN_OPTIONS=detect_leaks=0:allocator_may_return_null=1 UBSAN_OPTIONS=print_stacktrace=1 \
	  $(SAN)/bin/python -m pytest --capture=sys $(TESTS)

# Without warnings, for every instruction set of the target. For arm64 there is no torch to
# link with, and nothing is run.
CLANGXX = $(notdir $(shell command -v clang++ || echo clang++-14))

check-compilers: setup
	$(call compile,g++,g++)
	$(call compile,$(CLANGXX),clang-14)
	$(call compile,aarch64-linux-gnu-g++,g++-aarch64-linux-gnu,-DCMAKE_SYSTEM_NAME=Linux \
	  -DCMAKE_SYSTEM_PROCESSOR=aarch64 -DTORCH_CPU_LIBRARY=)

# Of a compiler, its Debian package and options for CMake.
define compile
	$(call step,compiling with $(1))
	$(call needs,$(1),$(2))
	@PATH="$(abspath $(BIN)):$$PATH" && \
	  cmake -G Ninja -S gatsparse/csrc -B build/check-$(1) -DCMAKE_CXX_COMPILER=$(1) \
	    -DCMAKE_COMPILE_WARNING_AS_ERROR=ON -DPython_EXECUTABLE=$(abspath $(BIN)/python) $(3) && \
	  cmake --build build/check-$(1) $(call fail,$(1),the compiler printed the reason above)
endef

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

# Its setup.py turns ninja off; setuptools compiles its extensions side by side instead.
$(STAMP)/scatter: $(STAMP)/torch
	$(call step,3/4 torch-scatter 2.1.2: built from source in about six minutes)
	@printf '[build_ext]\nparallel = 2\n' > $(STAMP)/parallel.cfg
	@DIST_EXTRA_CONFIG=$(abspath $(STAMP)/parallel.cfg) \
	  $(PIP) install --no-build-isolation torch-scatter==2.1.2 \
	  $(call fail,torch-scatter,it is compiled from source: is a C++ compiler installed?)
	@touch $@

# Compiled again when its sources change; Python files are used in place.
$(STAMP)/package: $(STAMP)/torch pyproject.toml gatsparse/csrc/CMakeLists.txt \
                  $(wildcard gatsparse/csrc/*.cpp gatsparse/csrc/*.h gatsparse/ops/*/*.cpp \
                             gatsparse/ops/*/*.h)
	$(call step,4/4 gatsparse$(comma) with its C++ kernels)
	@$(PIP) install --no-build-isolation -e ".[bench,dev,docs]" \
	  $(call fail,gatsparse,pip printed the reason above)
	@$(BIN)/python -c 'import sys; from gatsparse import _native as n; sys.exit(n.MISSING)' \
	  $(call fail,gatsparse,the kernels were not built: is a C++ compiler installed?)
	@touch $@

comma := ,
