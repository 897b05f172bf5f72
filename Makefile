# make demo    an environment, the package, and a classifier trained on real images through every level
# make test    an environment, the package, all tests that need no GPU
# make test-teams  every op, program and random graph on 1 to 8 threads, to the same bits (make test runs a sample)
# make test-clang  the tests that compile C, with clang
# make test-cuda  the target cuda through PyCUDA, which it builds once, on a stand-in for the driver (no GPU needed)
# make gpu-wheels gpu-records gpu-test gpu-bench  checks and measurements on a GPU: docs/gpu.md
# make sanitize  generated C under clang's sanitizers: bounds, undefined behaviour, races (some minutes)
# make fuzz    random programs, eager against compiled: COUNT of them from SEED on, for TARGET (reference, or cpu)
# make fuzz-ir  mutated IR through every command; FILES=4000 SEED=10000 (make test runs a sample)
# make stubs   the types of Tensor's methods, from the tables that install them
# make check   format, lint, strict types
# make bench   training-step times; BENCH=path/to/compare.py PEERS="torch=python ..." puts other frameworks beside
# make coverage  the surface, expression by expression, against PyTorch; TORCH_PYTHON must have torch
# make golden  the numbers that tests compare with; GOLDEN_PYTHON must have torch

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
PYROOT := .pyroot/irtool
PACKAGES := codegen dialects frontend passes runtime tools
FILES ?= 4000
SEED ?= 10000
BENCH ?=
PEERS ?=
GOLDEN_PYTHON ?= $(PYTHON)
TORCH_PYTHON ?= $(GOLDEN_PYTHON)
COMPILING := test_clang.py test_primitives.py test_codegen.py test_codegen_ops.py test_expand_math.py test_stages.py \
	test_contract.py test_random_graphs.py test_program.py test_compiled_ops.py test_compile_native.py test_scan.py \
	test_programs.py test_workloads.py test_toolchain.py test_teams.py

GPU_VENV ?= .venv-gpu
GPU_BIN := $(GPU_VENV)/bin
GPU_STAMP := $(GPU_VENV)/.installed
GPU_SITE ?=
WHEELS ?= build/wheels
COUNT ?= 10000
TARGET ?= reference

.PHONY: stubs demo test test-teams fuzz fuzz-ir test-clang test-cuda gpu-wheels gpu-records gpu-test gpu-bench sanitize check format bench coverage golden clean

demo: $(STAMP)
	$(BIN)/python examples/digits.py

test: $(STAMP)
	$(BIN)/python -m pytest tests -n 2
	$(BIN)/lit -q tests/ir

test-teams: $(STAMP)
	IRTOOL_LARGE_TESTS=1 $(BIN)/python -m pytest tests/test_teams.py -n 2

fuzz-ir: $(STAMP)
	$(BIN)/python -m tests.test_mutated_ir $(FILES) $(SEED)

# A cache of their own, in which nothing is that gcc made.
test-clang: $(STAMP)
	@if CC=clang $(BIN)/irtool doctor > /dev/null; then \
		CC=clang env -u IRTOOL_CACHE_DIR $(BIN)/python -m pytest -n 2 $(addprefix tests/,$(COMPILING)); \
	else \
		echo "test-clang is skipped: clang with OpenMP is not installed, see CC=clang irtool doctor"; \
	fi

# Skips, and says why, where PyCUDA cannot be built.
test-cuda: $(STAMP)
	$(BIN)/python -m pytest -rs tests/cuda_driver/through_pycuda.py tests/cuda/compiled_kernels.py

# A folder with all that a machine without a network needs.
gpu-wheels: $(STAMP)
	$(BIN)/python -m pip wheel -q -w $(WHEELS) --find-links "$$($(BIN)/python -m tests.cuda_driver.build | tail -1)" \
		'setuptools>=70.1' pip '.[dev,cuda]'

gpu-records: $(STAMP)
	$(BIN)/python -m tests.gpu record

gpu-test gpu-bench: $(GPU_STAMP)
	$(GPU_BIN)/python -m tests.gpu $(@:gpu-%=%)

$(GPU_STAMP): pyproject.toml
	test -x $(GPU_BIN)/python || $(PYTHON) -m venv $(if $(GPU_SITE),--system-site-packages) $(GPU_VENV)
	$(GPU_BIN)/python -m pip install --quiet --disable-pip-version-check --no-index --find-links $(WHEELS) \
		'setuptools>=70.1'
	$(GPU_BIN)/python -m pip install --quiet --disable-pip-version-check --no-index --find-links $(WHEELS) \
		--no-build-isolation -e '.[dev,cuda]'
	touch $@

# Skips, and says why, where clang is not installed.
sanitize: $(STAMP)
	$(BIN)/python -m pytest -n 2 -rs tests/test_sanitize.py tests/sanitize/address.py tests/sanitize/threads.py

fuzz: $(STAMP)
	$(BIN)/python -m tests.random_programs $(COUNT) $(or $(SEED),100000) $(TARGET)

check: $(STAMP) $(PYROOT)/__init__.py
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/pyright -p .pyroot --pythonpath $(BIN)/python

stubs: $(STAMP)
	$(BIN)/python -m irtool.tools.stubs

format: $(STAMP)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(STAMP)
ifeq ($(BENCH),)
	@echo "make bench BENCH=path/to/compare.py [PEERS='torch=path/to/python ...']"; exit 2
else
	$(BIN)/python $(BENCH) irtool=$(abspath $(BIN)/python) $(PEERS)
endif

coverage: $(STAMP)
	$(BIN)/python tests/coverage/compare.py $(TORCH_PYTHON)

golden:
	$(GOLDEN_PYTHON) tests/golden/make_golden.py
	$(GOLDEN_PYTHON) tests/programs/make_golden.py
	$(GOLDEN_PYTHON) tests/aliasing/make_golden.py

$(STAMP): pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev]'
	touch $@

# Type checkers do not follow the mapping of the root to the package: they see it through links. Nothing at run time does.
$(PYROOT)/__init__.py: Makefile
	mkdir -p $(PYROOT)
	for name in $(PACKAGES) py.typed; do ln -sfn ../../$$name $(PYROOT)/$$name; done
	printf '{"extends": "../pyproject.toml", "extraPaths": ["."], "include": [%s"irtool/__init__.py"]}\n' \
		"$$(printf '"irtool/%s", ' $(PACKAGES))" > .pyroot/pyrightconfig.json
	ln -sfn ../../__init__.py $@

clean:
	rm -rf $(VENV) .pyroot build dist *.egg-info .pytest_cache .ruff_cache
