# meshnode. `make` alone prints the targets, made from the comments beside them.
# Needs Python 3.11+, cargo, Go and a C compiler; makes or installs everything else itself.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.NOTPARALLEL:
MAKEFLAGS += --no-print-directory

PYTHON ?= python3
BIN := .venv/bin
CARGO := cd dataplane && cargo
PROXY := dataplane/target/release/meshnode-proxy

# command=package: what the tests run and Debian has.
PACKAGES := wrk=wrk nginx=nginx-light tcpdump=tcpdump nft=nftables ip=iproute2 curl=curl zsh=zsh fish=fish systemd-analyze=systemd promtool=prometheus testssl=testssl.sh

FUZZ_SECONDS ?= 600
# All targets together, in `make test`.
SHORT_FUZZ_SECONDS := 60

# Generated messages that the HTTP/1.1 codec and three other parsers read, in `make conformance`.
MESSAGES ?= 1000000

# Scenarios by comma (ONLY=plain,hop), rounds, seconds of load a round; RECORD=1 writes the table into RESULTS.md;
# BEFORE=path measures another meshnode-proxy beside this one; PROFILE=meshnode shows what dominates in one program.
ONLY ?=
ROUNDS ?= 3
SECONDS_A_ROUND ?= 2
BEFORE ?=
RECORD ?=
# What is measured beside the proxy: Debian's; PyPI's stand in benchmarks/requirements.txt.
PEERS := nginx=nginx-light haproxy=haproxy wrk=wrk h2load=nghttp2-client taskset=util-linux valgrind=valgrind

# Tells in one sentence what is missing. $(call need,program,what to do)
need = command -v $(1) >/dev/null || { echo "$(1) is missing: $(2)." >&2; exit 1; }

# What a build needs of the machine, in one sentence each; Debian's packages are installed by root.
define check_machine
@$(call need,$(PYTHON),install Python 3.11 or later)
@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
    { echo "$(PYTHON) is older than 3.11 or does not run: install Python 3.11, or name one by make PYTHON=…" >&2; exit 1; }
@$(call need,cargo,install Rust 1.90 or later)
@tests/tools/packages.sh cc=gcc flock=util-linux
@$(PYTHON) -c 'import ensurepip' 2>/dev/null || tests/tools/packages.sh ensurepip=python3-venv
endef

.PHONY: help setup demo build docs fmt lint test integration fuzz bench counts check mainjob tutorial conformance tools packages unit fuzz-short clean

help: ## print this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: .venv/.installed ## make .venv with the four packages (editable), the proxy and the development tools

.venv/.installed: pyproject.toml
	$(check_machine)
	@echo "making .venv (once; the first time the proxy is built too, some minutes)"
	@$(PYTHON) -m venv .venv
	@flock .venv $(BIN)/pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@

build: setup ## build the proxy (release) and put it beside meshnode in .venv/bin
	@$(CARGO) build --release --locked --quiet
	@cmp -s $(PROXY) $(BIN)/meshnode-proxy || install -m 755 $(PROXY) $(BIN)/meshnode-proxy

# setpriv: a make that is killed takes the build and the demo along.
demo: ## a mesh of three nodes on this machine with a small shop to try it on; Ctrl-C ends it (DEMO='--nodes 1' and the like)
	$(check_machine)
	@exec setpriv --pdeathsig TERM -- $(PYTHON) meshnode/dev/building.py $(MAKE)
	@exec setpriv --pdeathsig TERM -- $(BIN)/meshnode dev $(DEMO)

docs: setup ## write what is made from code: docs/settings.md, docs/commands/, packaging/meshnode.toml
	@$(BIN)/python -m meshnode.cli.generated

fmt: setup ## format Python and Rust
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix --exit-zero --quiet .
	@$(CARGO) fmt

lint: setup ## formats, lints and types of both languages; warnings are errors
	@$(BIN)/ruff format --check --quiet . || { echo "run make fmt" >&2; exit 1; }
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(CARGO) fmt --check
	@$(CARGO) clippy --workspace --all-targets --locked --quiet -- --deny warnings
	@$(CARGO) check --manifest-path fuzz/Cargo.toml --locked --quiet

unit: setup ## the tests that need no other program: cargo test, and pytest with the arrows between the rooms
	@$(CARGO) test --workspace --locked --quiet
	@$(CARGO) test --manifest-path loom/Cargo.toml --locked --quiet
	@$(BIN)/pytest tests/unit --quiet

bench: build .venv/.bench ## measure beside nginx, HAProxy, Envoy and Caddy: ONLY=plain ROUNDS=3 RECORD=1
	@tests/tools/packages.sh $(PEERS)
	@tests/tools/build.py consul >/dev/null
	@$(CARGO) build --release --locked --quiet --example relay --example origin --example steady --example decide_bench
ifdef PROFILE
	@tests/tools/packages.sh perf=linux-perf
	@$(BIN)/python -m benchmarks.profile '$(or $(ONLY),plain)' '$(PROFILE)'
else
	@$(BIN)/python -m benchmarks --only '$(ONLY)' --rounds $(ROUNDS) --seconds $(SECONDS_A_ROUND) $(if $(BEFORE),--before '$(BEFORE)') $(if $(RECORD),--record)
endif

# Where a change takes more on purpose, or less: RECORD=1 writes what it takes into benchmarks/counts.json.
counts: setup ## compare the instructions of codec, router, deciding and HTTP/2 with those recorded (RECORD=1 records)
	@tests/tools/packages.sh valgrind=valgrind
	@$(CARGO) build --release --locked --quiet --example http1_bench --example http2_bench --example decide_bench
	@$(BIN)/python -m benchmarks.counts $(if $(RECORD),--record)

.venv/.bench: benchmarks/requirements.txt .venv/.installed
	@flock .venv $(BIN)/pip install --quiet --disable-pip-version-check --requirement $<
	@touch $@

check: lint unit ## the quick gate before each commit, under two minutes when warm

tools: ## build Consul, Jaeger, the conformance suites (and cargo-fuzz) into the tools cache, once for each version (minutes)
	@$(call need,go,install Go 1.25 or later)
	@$(call need,cargo,install Rust 1.90 or later)
	@tests/tools/build.py consul jaeger h2spec grpc-interop-client grpc-interop-server cargo-fuzz

packages: ## install the Debian packages the tests need
	@tests/tools/packages.sh $(PACKAGES)

integration: build tools packages ## the tests on real Consul and Jaeger
	@$(BIN)/pytest $(wildcard tests/contract) tests/integration

mainjob: build tools packages ## the main job step by step with its evidence, on three nodes, without and with ACLs
	@$(BIN)/python -m tests.integration.mainjob

conformance: build tools packages ## the suites protocols are judged by: h2spec, gRPC interop, WebSockets, sslyze, testssl.sh, MESSAGES (1000000) read as hyper, httptools and h11 do
	@export MESSAGES=$(MESSAGES) && $(CARGO) test --package meshnode-engine --test http1 --locked --quiet differential
	@MESSAGES=$(MESSAGES) $(BIN)/pytest tests/conformance tests/unit/dataplane

# In a network of its own every port is the page's. SHELLS=bash is a quarter of the time.
SHELLS ?= bash dash zsh fish
tutorial: build tools packages ## type docs/tutorial.md from first line to last on real Consul, in bash, dash, zsh and fish
	@unshare --net sh -c 'ip link set lo up && exec $(BIN)/python -m tests.integration.tutorial $(SHELLS)'

fuzz: tools ## fuzz each target for FUZZ_SECONDS (600)
	@tests/tools/fuzz.sh $(FUZZ_SECONDS)

fuzz-short: tools
	@tests/tools/fuzz.sh --all $(SHORT_FUZZ_SECONDS)

# That the other shells read its lines as bash does, test_pages.py says.
test: SHELLS := bash
test: MESSAGES := 100000
test: check fuzz-short counts conformance mainjob tutorial integration ## everything: check, tools, a minute of fuzzing, conformance, mainjob, the tutorial, integration (40 minutes on two cores)

clean: ## remove what was made here; the tools cache stays
	@rm -rf .venv build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis dataplane/target dataplane/fuzz/target dataplane/loom/target
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
