# `make test` and `make bench` do the whole set-up on a machine that has python3 >= 3.10,
# a C++ compiler and make; finished steps are not repeated.

PYTHON ?= python3
TORCH  := 2.13.0
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.stamps
PIP    := $(BIN)/python -m pip --disable-pip-version-check

# Every step prints its description; a failed step prints its name last.
step = @printf '\n==> %s\n' "$(1)"
needs = @command -v $(1) > /dev/null $(call fail,$(1),it is missing: apt-get install $(2))
fail = || { printf '\n*** failed: %s\n    %s\n' "$(1)" "$(2)" >&2; exit 1; }

.PHONY: setup bench bench-gpu test test-gpu coverage mutants lint docs wheel sanitize check-compilers check-arm64 clean
.DELETE_ON_ERROR:

# The two builds share the cores.
setup: $(STAMP)/torch
	@$(MAKE) --no-print-directory --jobs=2 $(STAMP)/scatter $(STAMP)/package

bench: setup
	$(BIN)/python -m benchmarks run configs/bench.yaml

test: setup
	@$(MAKE) --no-print-directory wheel
	$(BIN)/python -m pytest -n auto --dist worksteal

# On a machine with a GPU, in an environment with gatsparse, its extra `dev` and a PyTorch with CUDA:
# `make test-gpu PYTHON=python3`.
test-gpu:
	@$(PYTHON) -c 'import sys, torch; sys.exit(not torch.cuda.is_available())' \
	  $(call fail,test-gpu,$(PYTHON) has no torch that finds a GPU)
	$(PYTHON) -m pytest -m gpu tests/gpu

bench-gpu:
	$(PYTHON) -m benchmarks run configs/gpu.yaml --out benchmarks/results/gpu

# Lists the lines and branches of gatsparse/ that no test runs, and writes pages into build/coverage.
coverage: setup
	@mkdir -p build/coverage
	$(BIN)/python -m pytest -n auto --dist worksteal --cov --cov-report=term \
	  --cov-report=html:build/coverage

# Makes small faults, each of which some tests must detect. MUTANTS='--only training' selects some.
mutants: setup
	@PATH="$(abspath $(BIN)):$$PATH" $(BIN)/python -m tests.mutants $(MUTANTS)

# Compiles nothing.
lint: $(STAMP)/python
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright

# Builds into build/docs. Warnings and broken references are errors.
docs: $(STAMP)/python
	$(call step,documentation)
	@$(BIN)/python -m sphinx -W -n --keep-going -q -b html $(DOCS_OPTIONS) docs build/docs \
	  $(call fail,docs,Sphinx printed the reason above)
	@printf 'build/docs/index.html\n'

# Builds into dist. Kernels that `make setup` compiled are not compiled again.
WHEEL   := $(or $(firstword $(wildcard dist/gatsparse-*.whl)),dist/gatsparse.whl)
SOURCES := $(shell find gatsparse gatsparse_cli -name '*.py' -o -name '*.html' -o -name '*.css' -o -name '*.js' -o -name '*.json') gatsparse/py.typed README.md LICENSE

wheel: $(WHEEL)

$(WHEEL): $(STAMP)/package $(SOURCES)
	$(call step,wheel)
	@rm -f dist/gatsparse-*.whl
	@$(PIP) wheel --no-cache-dir --no-build-isolation --no-deps --wheel-dir dist . \
	  $(call fail,wheel,pip printed the reason above)
	@test -f dist/gatsparse-*-abi3-*.whl $(call fail,wheel,the kernels were not built)

# Tests the kernels with AddressSanitizer and UndefinedBehaviorSanitizer, in a separate environment
# that shares all other packages. TESTS=... runs some of the tests.
TESTS   := tests/ops tests/graph tests/test_graph_cache.py tests/data tests/inference tests/test_native.py
SAN     := build/sanitize
purelib := -c 'import sysconfig; print(sysconfig.get_path("purelib"))'

sanitize: $(STAMP)/python
	$(call step,kernels with sanitizers)
	$(call needs,g++,g++)
	@$(BIN)/python -m venv --without-pip $(SAN)
	@$(BIN)/python $(purelib) > $$($(SAN)/bin/python $(purelib))/shared.pth
	@$(PIP) --python $(SAN)/bin/python install --no-build-isolation --no-deps -e . \
	  --config-settings build-dir=$(SAN)/build \
	  --config-settings cmake.define.GATSPARSE_SANITIZE=ON \
	  --config-settings cmake.define.CMAKE_CXX_COMPILER=g++ $(call fail,sanitize,pip printed the reason above)
	$(call step,tests with sanitizers)
	@LD_PRELOAD="$$(g++ -print-file-name=libasan.so) $$(g++ -print-file-name=libstdc++.so)" \
	  ASAN_OPTIONS=detect_leaks=0:allocator_may_return_null=1 UBSAN_OPTIONS=print_stacktrace=1 \
	  $(SAN)/bin/python -m pytest --capture=sys $(TESTS)

# Compiles without warnings, for every instruction set of the target. For arm64, torch is not
# linked and nothing is run.
CLANGXX = $(notdir $(shell command -v clang++ || echo clang++-14))
GXX_ARM64 := aarch64-linux-gnu-g++
for_arm64 = $(call compile,$(GXX_ARM64),g++-aarch64-linux-gnu,-DCMAKE_SYSTEM_NAME=Linux \
  -DCMAKE_SYSTEM_PROCESSOR=aarch64 -DGATSPARSE_TESTS=ON -DTORCH_CPU_LIBRARY=$(1))

check-compilers: $(STAMP)/torch
	$(call compile,g++,g++)
	$(call compile,$(CLANGXX),clang-14)
	$(call for_arm64,)

# Runs the kernels for arm64 in an emulator: the tests of the headers, then TESTS, on a copy of the
# package. OPTIONS=... are options of pytest; torch.compile would need a compiler for arm64.
ARM64   := build/arm64
emulate := QEMU_CPU=neoverse-n1 QEMU_LD_PREFIX=$(abspath $(ARM64)/root) OMP_NUM_THREADS=1 \
           PYTHONPATH=$(abspath $(ARM64)/site) qemu-aarch64-static
pip_arm64 := $(PIP) install --quiet --no-compile --target $(ARM64)/site --python-version 3.13 \
             --only-binary=:all: --platform manylinux_2_28_aarch64 --platform manylinux2014_aarch64

check-arm64: TESTS := tests/ops tests/graph
check-arm64: OPTIONS := -k "not compile and not pytorch_checks"
check-arm64: $(STAMP)/torch $(ARM64)/root $(ARM64)/site
	$(call needs,qemu-aarch64-static,qemu-user-static)
	$(call for_arm64,$(abspath $(ARM64)/site/torch/lib/libtorch_cpu.so))
	@$(BIN)/cmake --build build/check-$(GXX_ARM64) --target tests_baseline
	$(call step,tests of the headers on arm64)
	@$(emulate) build/check-$(GXX_ARM64)/tests_baseline \
	  $(call fail,tests_baseline,a test printed the reason above)
	$(call step,tests on arm64)
	@rm -rf $(ARM64)/package && mkdir $(ARM64)/package
	@cp -r gatsparse tests pyproject.toml $(ARM64)/package
	@$(BIN)/cmake --install build/check-$(GXX_ARM64) --prefix $(ARM64)/package
	@cd $(ARM64)/package && $(emulate) ../root/usr/bin/python3 -m pytest $(TESTS) $(OPTIONS)

$(ARM64)/root:
	$(call step,Python for arm64)
	$(call needs,mmdebstrap,mmdebstrap)
	@mkdir -p $@
	@mmdebstrap --quiet --variant=extract --architectures=arm64 --skip=output/dev \
	  --include=base-files,python3,libstdc++6 trixie - | tar -x -C $@ && test -x $@/usr/bin/python3 \
	  || { rm -rf $@; false; } $(call fail,Python for arm64,mmdebstrap printed the reason above)

# torch 2.10 is the last one whose wheels for arm64 need no CUDA. Without --no-deps, pip would
# install the CUDA packages of this machine's processor.
$(ARM64)/site: | $(STAMP)/torch
	$(call step,torch 2.10.0 for arm64)
	@rm -rf $@
	@$(pip_arm64) --no-deps torch==2.10.0 && \
	  $(pip_arm64) numpy scipy torch-geometric filelock networkx sympy typing-extensions \
	  hypothesis pytest || { rm -rf $@; false; } $(call fail,torch for arm64,pip printed the reason above)

# Arguments: compiler, Debian package, options of CMake. CMake does not find the headers of Python
# when it compiles for another processor.
headers := -c 'import sysconfig; print(sysconfig.get_path("include"))'
define compile
	$(call step,compiling with $(1))
	$(call needs,$(1),$(2))
	@PATH="$(abspath $(BIN)):$$PATH" && \
	  cmake -G Ninja -S gatsparse/csrc -B build/check-$(1) -DCMAKE_CXX_COMPILER=$(1) \
	    -DCMAKE_COMPILE_WARNING_AS_ERROR=ON -DPython_EXECUTABLE=$(abspath $(BIN)/python) \
	    -DPython_INCLUDE_DIR="$$(python $(headers))" $(3) && \
	  cmake --build build/check-$(1) $(call fail,$(1),the compiler printed the reason above)
endef

clean:
	rm -rf $(VENV) build dist

$(STAMP)/venv:
	$(call step,1/5 virtual environment in $(VENV))
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' \
	  $(call fail,virtual environment,$(PYTHON) is missing or older than 3.10: set PYTHON=...)
	@$(PYTHON) -m venv $(VENV) $(call fail,virtual environment,is the venv module installed?)
	@mkdir -p $(STAMP) && touch $@

# torch first: torch-scatter and our extension are compiled against it.
$(STAMP)/torch: $(STAMP)/venv Makefile
	$(call step,2/5 torch $(TORCH) and build tools)
	@$(PIP) install torch==$(TORCH) numpy setuptools wheel "scikit-build-core>=0.11" cmake ninja \
	  $(call fail,torch $(TORCH),pip printed the reason above)
	@touch $@

# Its setup.py turns ninja off; setuptools compiles its extensions in parallel instead. Debug symbols,
# which Python's flags ask for and its setup.py strips, would take a third of the time.
release := -O3 -DNDEBUG -fwrapv -g0

$(STAMP)/scatter: $(STAMP)/torch
	$(call step,4/5 torch-scatter 2.1.2: built from source in about four minutes)
	@printf '[build_ext]\nparallel = 2\n' > $(STAMP)/parallel.cfg
	@CFLAGS="$(release)" CXXFLAGS="$(release)" DIST_EXTRA_CONFIG=$(abspath $(STAMP)/parallel.cfg) \
	  $(PIP) install --no-build-isolation torch-scatter==2.1.2 \
	  $(call fail,torch-scatter,it is compiled from source: is a C++ compiler installed?)
	@$(BIN)/python -c 'import torch_scatter' \
	  $(call fail,torch-scatter,built for another torch: run pip cache remove torch_scatter)
	@touch $@

# Parts without compilation: tools, dependencies, and gatsparse, without kernels unless it has them.
$(STAMP)/python: $(STAMP)/torch pyproject.toml
	$(call step,3/5 dependencies and tools)
	@$(PIP) install --no-build-isolation -e ".[bench,dev,docs]" $(if $(wildcard $(STAMP)/package),, \
	  --config-settings wheel.cmake=false --config-settings wheel.py-api=py3) \
	  $(call fail,dependencies,pip printed the reason above)
	@touch $@

# Compiled again when its sources change; Python files are used in place.
$(STAMP)/package: $(STAMP)/python gatsparse/csrc/CMakeLists.txt \
                  $(wildcard gatsparse/csrc/*.cpp gatsparse/csrc/*.h gatsparse/ops/*/*.cpp \
                             gatsparse/ops/*/*.h)
	$(call step,5/5 gatsparse with its C++ kernels)
	@$(PIP) install --no-build-isolation --no-deps -e . \
	  $(call fail,gatsparse,pip printed the reason above)
	@$(BIN)/python -c 'import sys; from gatsparse import _native as n; sys.exit(n.MISSING)' \
	  $(call fail,gatsparse,the kernels were not built: is a C++ compiler installed?)
	@touch $@
