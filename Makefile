# One command a chore. `make help` lists them; CI runs `make test`.
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
CLUSTER := PYTHONPATH=tests $(BIN)/python -m cluster

SLOWEST := --durations=15
export KUBEWICK_EXAMPLES ?= $(if $(filter check,$(MAKECMDGOALS)),25,100)

.DEFAULT_GOAL := help
.PHONY: help docs run test check explore unit integration e2e images cluster-up cluster-down lock sbom bench bench-shapes bench-autoscaler bench-runtime bench-coldstart bench-operator soak-operator soak-coldstart chart fmt clean

help: ## List the targets
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  %-18s %s\n", $$1, $$2}'

$(VENV)/ready: pyproject.toml
	@echo 'Making $(VENV) (once; about a minute)'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade 'pip>=25.1'
	$(BIN)/python -m pip install -e '.[cli]' --group dev
	touch $@

run: $(VENV)/ready ## Start the local platform on the examples at http://127.0.0.1:8080
	$(BIN)/wick up examples

test: check integration e2e ## Everything

check: $(VENV)/ready ## Format, lint, types, import contracts, unit tests with 25 examples of each property (100 in `make test`)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m pytest -n auto tests/unit $(SLOWEST)
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet

explore: $(VENV)/ready ## Unit tests' properties on EXAMPLES (1000) drawn by chance; elsewhere they are the same ones each run
	KUBEWICK_EXPLORE=$(or $(EXAMPLES),1000) $(BIN)/python -m pytest tests/unit

.PHONY: mutants
mutants: $(VENV)/ready ## Change the pure code bit by bit and see the unit tests notice; FOLDER=wick_router.http alone, MINUTES (10) for each
	$(BIN)/python -m pip install --quiet --group mutants
	PYTHONPATH=tests $(BIN)/python -m mutation $(FOLDER) --minutes $(or $(MINUTES),10)

integration: $(VENV)/ready ## Tests with real processes: an API server, routers, runtimes
	$(CLUSTER) tools etcd kube-apiserver kube-controller-manager kube-scheduler kubectl kwok helm
	$(BIN)/python -m pytest -n auto --maxprocesses 4 --dist loadfile tests/integration $(SLOWEST)

e2e: $(VENV)/ready ## Whole stories, on a cluster and on the local platform; K=EXPRESSION runs those that match
	$(CLUSTER) e2e $(if $(K),-k '$(K)')

images: $(VENV)/ready ## Build the three images, and with REGISTRY=registry.example.com/me push them, tagged TAG (the chart's version)
	$(CLUSTER) images $(if $(REGISTRY),--push '$(REGISTRY)') $(if $(TAG),--tag '$(TAG)')

cluster-up: $(VENV)/ready ## A Kubernetes with Kubewick on it; its kubeconfig is .cluster/kubeconfig
	$(CLUSTER) up

cluster-down: $(VENV)/ready ## Stop and remove it, whoever started it
	$(CLUSTER) down

lock: $(VENV)/ready ## Pin what goes into the images, with hashes (needs uv)
	tests/cluster/lock.sh

.PHONY: bench-router soak-router compiled integration-compiled
compiled: $(VENV)/ready ## The router with its warm path compiled to C, as in its image, for PYTHONPATH=dist/compiled (needs a C compiler)
	$(BIN)/python router/compile.py dist/compiled $(ROUTER_PACKAGES)

integration-compiled: compiled ## The router's integration tests on the compiled router
	PYTHONPATH=dist/compiled $(BIN)/python -m pytest tests/integration/router

BENCH_ROUTER := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/kubewick/bench-router
BENCH_ROUTER_READY = $(BENCH_ROUTER)/ready$(subst /,-,$(BENCH_PYTHON))
ROUTER_PACKAGES := api/wick_api api/wick_kube router/wick_router
bench-router: ## Our router, compiled as in its image, beside nginx, HAProxy, Go and aiohttp on one core (BENCH_PYTHON: on which Python)
	[ $(BENCH_ROUTER_READY) -nt router/requirements.txt -a $(BENCH_ROUTER_READY) -nt router/requirements-compile.txt ] || { \
	  $(BENCH_PYTHON) -m venv --clear $(BENCH_ROUTER) && \
	  $(BENCH_ROUTER)/bin/python -m pip install --quiet -r router/requirements.txt -r router/requirements-compile.txt && \
	  touch $(BENCH_ROUTER_READY); }
	$(BENCH_ROUTER)/bin/python router/compile.py $(BENCH_ROUTER)/packages $(ROUTER_PACKAGES)
	PYTHONPATH=$(BENCH_ROUTER)/packages $(BENCH_ROUTER)/bin/python benchmarks/router/bench.py --write

soak-router: $(VENV)/ready ## Mixed traffic for MINUTES (5): flat memory, nothing leaked
	$(BIN)/python benchmarks/router/soak.py --minutes $(or $(MINUTES),5)

bench-shapes: $(VENV)/ready ## Six simulated loads, our autoscaler against Knative's defaults
	$(BIN)/python benchmarks/autoscaler/shapes.py

sbom: $(VENV)/ready ## Write a CycloneDX bill of materials for each image, base included, to dist/sbom/ (needs uv)
	$(CLUSTER) sbom

bench-coldstart: $(VENV)/ready ## Cold starts on the running cluster (make cluster-up); ROWS=large,floor takes these again
	KUBECONFIG=$${KUBECONFIG:-.cluster/kubeconfig} $(BIN)/python benchmarks/coldstart --write --rows "$(ROWS)"

soak-coldstart: $(VENV)/ready ## 1,000 cold starts in a row on the running cluster: none lost, no pod used twice, nothing left over
	KUBECONFIG=$${KUBECONFIG:-.cluster/kubeconfig} $(BIN)/python benchmarks/coldstart/soak.py

.PHONY: bench-compare
bench-compare: $(VENV)/ready ## This tree beside commit BASE, in turn, ROUNDS (9) times: router, runtime, autoscaler; a quarter of an hour (needs wrk and a C compiler)
	$(BIN)/python benchmarks/compare $(BASE) --rounds $(or $(ROUNDS),9)

bench: bench-router bench-runtime bench-operator bench-autoscaler bench-shapes ## Every benchmark that needs no cluster; half an hour

BENCH_PYTHON ?= $(PYTHON)
BENCH_CACHE := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/kubewick
bench-autoscaler: ## CPU and memory of one autoscaler tick at 10,000 functions, by BENCH_PYTHON
	$(BENCH_PYTHON) -m venv --clear $(BENCH_CACHE)/bench-autoscaler
	$(BENCH_CACHE)/bench-autoscaler/bin/python -m pip install --quiet '.[operator]'
	$(BENCH_CACHE)/bench-autoscaler/bin/python benchmarks/autoscaler/tick.py --write

BENCH_VENV := $(BENCH_CACHE)/bench-runtime
bench-runtime: ## Our runtime beside functions-framework, uvicorn, granian and gunicorn: start, CPU, memory (needs wrk)
	[ $(BENCH_VENV)/ready -nt benchmarks/runtime/requirements.txt ] || { \
	  $(BENCH_PYTHON) -m venv --clear $(BENCH_VENV) && \
	  $(BENCH_VENV)/bin/python -m pip install --quiet -r benchmarks/runtime/requirements.txt && \
	  touch $(BENCH_VENV)/ready; }
	$(BENCH_VENV)/bin/python benchmarks/runtime/bench.py $(BENCH_VENV)/bin/python --write benchmarks/README.md

bench-operator: $(VENV)/ready ## 1,000 Functions at once, 5,000 at rest, a restart with 5,000
	$(BIN)/python benchmarks/operator/at_scale.py --write

soak-operator: $(VENV)/ready ## Kill the operator at random for five minutes and see that nothing is left over
	KUBEWICK_SOAK=300 $(BIN)/python -m pytest -s tests/integration/operator/test_chaos.py

fmt: $(VENV)/ready ## Format and mend what can be mended
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

chart: $(VENV)/ready ## Write the chart's schema, its table of values and its copy of the CRDs
	$(BIN)/python charts/generate.py

docs: $(VENV)/ready ## Write the generated reference, and the documentation as a site to dist/site
	PYTHONPATH=charts $(BIN)/python docs/generate.py
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet

clean: ## Remove what the targets made in this folder
	rm -rf $(VENV) dist .mypy_cache .ruff_cache .pytest_cache .hypothesis
