# The commands of cxbridge. `make` alone lists them.

GO      ?= go
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo development)
BUILT   ?= $(shell date -u +%Y-%m-%dT%H:%M:%SZ)
LDFLAGS := -X main.version=$(VERSION) -X main.built=$(BUILT)

# How long each fuzz test runs in `make fuzz`.
FUZZTIME ?= 60s

# Flags for `make bench`, such as BENCHFLAGS='-parts receipts,threads'.
BENCHFLAGS ?=

# Flags for `make demo`, such as DEMOFLAGS='--duration 5m'.
DEMOFLAGS ?=

# Flags for `make crash`, `chaos`, `overload` and `soak`, such as CRASHFLAGS='-kills 10 -stores sqlite'.
CRASHFLAGS    ?=
CHAOSFLAGS    ?=
OVERLOADFLAGS ?=
SOAKFLAGS     ?=

.DEFAULT_GOAL := help

.PHONY: help
help: ## Show this list
	@awk -F ':.*## ' '/^[a-z][a-z-]*:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' Makefile

.PHONY: build
build: ## Build bin/cxbridge
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags '$(LDFLAGS)' -o bin/cxbridge ./cmd/cxbridge

.PHONY: demo
demo: build ## Watch receipts and threads at work: one process, nothing to set up
	./bin/cxbridge demo $(DEMOFLAGS)

# The race detector also checks every use of unsafe pointers. modernc.org's SQLite is C turned into Go
# and is full of them: without these checks of code that is not ours, the tests take half the time.
RACE := -race -gcflags='modernc.org/...=-d=checkptr=0'

.PHONY: test
test: compiler postgres chromium systemd vet deploy ## Check the code and run every test with the race detector
	CGO_ENABLED=1 $(GO) test $(RACE) -timeout 15m ./...

.PHONY: vet
vet: ## Check format, vet and staticcheck
	@unformatted=$$(gofmt -l cmd internal deploy); if [ -n "$$unformatted" ]; then echo "gofmt would change:" $$unformatted; exit 1; fi
	$(GO) vet ./...
	$(GO) tool staticcheck ./...

# The race detector needs a C compiler; cxbridge itself is built without.
.PHONY: compiler
compiler: ## Install a C compiler with apt when there is none
	@command -v $$($(GO) env CC) >/dev/null || \
		{ apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends gcc libc6-dev; }

# Tests of the PostgreSQL store start throwaway servers of their own; they need its programs.
.PHONY: postgres
postgres: ## Install PostgreSQL with apt when it is missing
	@command -v initdb >/dev/null || ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || \
		{ apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends postgresql; }

# The files in deploy/ are checked by the libraries that read them. The checks are a module of their own,
# so that cxbridge does not depend on all of those.
.PHONY: deploy
deploy: ## Check the files in deploy/
	cd deploy/lint && $(GO) vet ./... && CGO_ENABLED=0 $(GO) test ./...

.PHONY: systemd
systemd: ## Install systemd-analyze with apt when it is missing
	@command -v systemd-analyze >/dev/null || \
		{ apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends systemd; }

# Tests of the console drive a real browser.
.PHONY: chromium
chromium: ## Install Chromium with apt when it is missing
	@command -v chromium >/dev/null || \
		{ apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends chromium fonts-dejavu-core; }

# Two targets at a time, each with one worker: a target that finds something stops the others. If the time
# ends in the middle of an input, Go reports an error of the one line below, which is no finding.
.PHONY: fuzz
fuzz: ## Run every fuzz test for FUZZTIME
	@grep -rHo --include='*_test.go' '^func Fuzz[A-Za-z0-9_]*' cmd internal | \
		sed 's|^\(.*\)/[^/]*:func \(.*\)|./\1 \2|' | sort | xargs -L 1 -P 2 sh -c '\
			said=$$($(GO) test -run "^$$" -fuzz "^$$1$$" -fuzztime $(FUZZTIME) -parallel 1 $$0 2>&1) || \
			echo "$$said" | grep -A 1 "^--- FAIL" | grep -qx "    context deadline exceeded" || \
			{ echo "$$said"; exit 255; }; \
			echo "$$0 $$1: nothing found"'

.PHONY: bench
bench: postgres strace ## Measure everything in docs/performance.md, and end with one table
	$(GO) run ./cmd/cxbench $(BENCHFLAGS)

# The benchmark counts the system calls of a receipt with it.
.PHONY: strace
strace: ## Install strace with apt when it is missing
	@command -v strace >/dev/null || \
		{ apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends strace; }

.PHONY: crash
crash: postgres ## Kill cxbridge, PostgreSQL and the disk under load, and look for what is lost
	$(GO) run ./cmd/cxproof crash $(CRASHFLAGS)

.PHONY: chaos
chaos: postgres ## Kill, freeze and cut off replicas, harm the network and the CRM, and check every history
	$(GO) run ./cmd/cxproof chaos $(CHAOSFLAGS)

.PHONY: overload
overload: postgres ## Send more than can be taken, flood a thread, hold connections, and see what others notice
	$(GO) run ./cmd/cxproof overload $(OVERLOADFLAGS)

.PHONY: soak
soak: postgres ## Let cxbridge work for two hours, and see what grows
	$(GO) run ./cmd/cxproof soak $(SOAKFLAGS)

.PHONY: screenshots
screenshots: chromium ## Take new pictures for the README, into docs/img
	$(GO) test -count 1 -run '^TestReadmePictures$$' ./internal/e2e -readme "$(CURDIR)/docs/img"

.PHONY: vuln
vuln: ## Look for known vulnerabilities (needs vuln.go.dev)
	$(GO) run golang.org/x/vuln/cmd/govulncheck@latest ./...

.PHONY: tidy
tidy: ## Bring go.mod and go.sum up to date
	$(GO) mod tidy

.PHONY: clean
clean: ## Remove what was built
	rm -rf bin
