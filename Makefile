# `make` alone lists the targets.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
export CGO_ENABLED ?= 0
export GOFLAGS := -buildvcs=false -trimpath

VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
LDFLAGS := -s -w -X main.version=$(VERSION)
BUNDLE  := bin/bundle
SECCOMP := .cache/libseccomp-golang
CTD     := github.com/containerd/containerd/v2
CTD_TAGS := no_btrfs,no_devmapper,no_zfs,no_tracing
CTD_VERSION = $(shell sed -n 's/^\t*github.com\/containerd\/containerd\/v2 //p' ops/bundle/go.mod)
RUNC_VERSION = $(shell sed -n 's/^\t*github.com\/opencontainers\/runc v//p' ops/bundle/go.mod)
SAY = @printf '%-60s %s\n' "$(1)" "$$(date +%T)"

.PHONY: help build bundle tools up down test quick lint fuzz bench conformance test-cmd differential clean test-tools

help: ## lists the targets
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 14

build: bin/proa bundle ## bin/proa and its runtime bundle

.PHONY: bin/proa
bin/proa:
	$(call SAY,building bin/proa (the first time takes some minutes))
	@go build -ldflags '$(LDFLAGS)' -o $@ ./cmd/proa

bundle: $(BUNDLE)/containerd $(BUNDLE)/containerd-shim-runc-v2 $(BUNDLE)/ctr $(BUNDLE)/runc $(BUNDLE)/proa-cni

$(BUNDLE)/containerd $(BUNDLE)/containerd-shim-runc-v2 $(BUNDLE)/ctr: ops/bundle/go.mod ops/bundle/go.sum | $(SECCOMP)
	$(call SAY,building $(@F) $(CTD_VERSION))
	@cd ops/bundle && go build -tags $(CTD_TAGS) -ldflags '-s -w -X $(CTD)/version.Version=$(CTD_VERSION)' -o ../../$@ $(CTD)/cmd/$(@F)

$(BUNDLE)/runc: ops/bundle/go.mod ops/bundle/go.sum | $(SECCOMP)
	$(call SAY,building runc $(RUNC_VERSION))
	@cd ops/bundle && CGO_ENABLED=1 go build -tags seccomp,runc_nocriu -ldflags '-s -w -X main.version=$(RUNC_VERSION)' -o ../../$@ github.com/opencontainers/runc

.PHONY: $(BUNDLE)/proa-cni
$(BUNDLE)/proa-cni:
	@go build -ldflags '-s -w' -o $@ ./network/podnet/plugin

# runc needs C headers and the binding to libseccomp; see docs/decisions/0001-bundle.md.
$(SECCOMP): | tools
	@rm -rf $@ && mkdir -p $(@D) && cp -r /usr/share/gocode/src/github.com/seccomp/libseccomp-golang $@
	@cp ops/bundle/loongarch.go.txt $@/loongarch.go

tools: ## installs what the build needs and the machine lacks
	@ops/bundle/tools

up: build ## builds everything, starts a cluster, deploys the example
	@examples/up

down: ## stops the cluster that `make up` started
	@bin/proa down

test: build test-tools ## everything: unit tests, scripts, architecture, real pods, the race detector where threads meet
	@test/run all

quick: ## what can be said in two minutes: no real pods
	@test/run quick

test-tools: ## installs what the tests need beyond the build
	@test/tools

lint: ## gofmt, go vet, staticcheck, govulncheck as far as they run
	@test/run lint

fuzz: ## every fuzzer in turn, [FUZZTIME=1m] each
	@test/run fuzz

conformance: build test-tools ## upstream's conformance suite: [FOCUS=regex] [SKIP=regex] [PROCS=n]
	@test/upstream/conformance run

test-cmd: build test-tools ## upstream's own kubectl scripts, with upstream's servers and with Proa: [FOCUS=regex]
	@test/upstream/test-cmd run

bench: build test-tools ## the table of figures for this machine; UPSTREAM=1 runs upstream's API server beside it
	@test/bench/run

differential: ## asks upstream's API server and ours the same; fails on unknown differences: [REQUESTS=n] [SEED=n] [KEEP=folder] [KINDS=names]
	@test/differential/run

clean: ## removes what was built
	rm -rf bin .cache
