# The doors of the project; `make` alone lists them. Everything a door needs, it fetches by itself into this
# directory: Python packages (locked, with hashes) into .venv, stock programs such as etcd into .tools.
#
#   PYTHON=...             the interpreter to build .venv with (3.11 or newer; found on PATH when not given)
#   ETCD_DR_TOOLS_DIR=...  a directory of stock programs shared between clones, instead of .tools
#   ETCD_DR_TEST_ETCD_DIRS directories with etcd, etcdctl and etcdutl of your own, colon separated
#   KUBEBUILDER_ASSETS     a directory with kube-apiserver, as envtest has it; else ETCD_DR_TEST_ENVTEST_DIR with a packed one
#   JOBS=... PYTEST_ARGS=... e.g. make test JOBS=0 PYTEST_ARGS='-k pages --maxfail=1'

VENV ?= .venv
BIN := $(VENV)/bin
LOCK := tests/requirements.lock
READY := $(VENV)/.made-from-lock
# Nobody should wait for the S3 servers of the tests to see the demo: it takes what the image runs with, and one etcd.
DEMO := $(if $(wildcard $(READY)),$(VENV),.demo)
# One more than there are processors: most tests wait for an etcd rather than compute.
JOBS ?= $(shell expr $$(nproc 2>/dev/null || echo 1) + 1)
PYTEST_ARGS ?=
export ETCD_DR_TOOLS_DIR ?= $(CURDIR)/.tools

# loadfile: the tests of one file share a worker, and so its running cluster.
# In our own order (tests/conftest.py), and not the files with the most tests first.
PYTEST := $(BIN)/python -m pytest -n $(JOBS) --dist loadfile --no-loadscope-reorder
TOOLS := PYTHONPATH=tests $(BIN)/python -m tools

.DEFAULT_GOAL := help
.PHONY: help demo test test-all check format tools tools-all envtest image-tree chart bench lock stubs clean

help: ## list the doors
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(DEMO)/.made-from-lock ## a whole story on a real three-member etcd on this machine, in under a minute
	@PYTHONPATH=tests $(DEMO)/bin/python -m tools
	@$(DEMO)/bin/etcd-dr demo

test: $(READY) tools ## every quick test, those against real etcd and S3 included
	$(PYTEST) -m "not matrix" $(PYTEST_ARGS)

# What `test` has just run is not run again, but for what meets every etcd version: there are more of them now.
test-all: test tools-all ## every test, over every etcd version at hand
	$(PYTEST) -m "matrix or every_etcd" $(PYTEST_ARGS)

check: $(READY) ## style, types and the layers of the house
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	@test ! -e operator/__init__.py || { \
	  echo 'operator/__init__.py must not exist: it would shadow the standard library module "operator"' >&2; exit 1; }

format: $(READY) ## let ruff lay out the code and repair what it can
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

tools: $(READY) ## fetch the stock programs for demo and test (etcd 3.4 and 3.5, Prometheus, age, zstd); seconds
	@$(TOOLS) --tests

tools-all: $(READY) ## the same, Kubernetes' schemas, and etcd 3.6 and 3.7 built where Go is installed; minutes, once
	@$(TOOLS) --all

envtest: $(READY) ## a kube-apiserver for the tests that need one: what is at hand, else built where Go is; minutes, once
	@PYTHONPATH=tests $(BIN)/python -m tools.envtest

image-tree: ## what the image holds, without a container engine: build/image/etcd-dr, and etcd/ where Go is installed
	rm -rf build/image
	PYTHON='$(PYTHON)' sh deploy/image/image-tree.sh build/image

chart: $(READY) tools ## make anew what is made from the chart: schema, README, plain manifests, golden rendering
	@for made in chart_schema chart_values_page chart_renderings; do PYTHONPATH=tests $(BIN)/python -m tools.$$made || exit; done

bench: $(READY) tools ## the measurements, side by side with etcd's own tools
	@for script in tests/bench/bench_*.py; do \
	  test -e "$$script" || { echo 'there is nothing in tests/bench yet' >&2; exit 1; }; \
	  echo "== $$script"; PYTHONPATH=tests $(BIN)/python "$$script" || exit; \
	done

lock: ## resolve the locked versions anew (needs a package index; keeps what still fits)
	@sh tests/tools/lock.sh $(LOCK) $(UPGRADE)

stubs: ## regenerate the gRPC stubs from our .proto files
	@PYTHON='$(PYTHON)' sh tests/tools/stubs.sh

clean: ## remove everything that the doors made here
	rm -rf $(VENV) .demo .tools .bench build dist .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find operator tests -name __pycache__ -type d -prune -exec rm -rf {} +

# The lock is the only reason to rebuild: the package itself is installed as editable.
$(READY): $(LOCK)
	@PYTHON='$(PYTHON)' sh tests/tools/venv.sh $(VENV) $(LOCK) $(READY)

.demo/.made-from-lock: deploy/image/requirements.lock
	@PYTHON='$(PYTHON)' sh tests/tools/venv.sh .demo $< $@ deploy/image/build.lock
