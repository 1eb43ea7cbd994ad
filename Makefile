# Midwatch. `make test` is all a newcomer needs; the slow proofs have targets of their own.
SHELL   := /bin/bash
GO      ?= go
VERSION ?= $(shell cat VERSION)
LDFLAGS := -s -w -X main.version=$(VERSION)

.PHONY: build run demo test setup check unit integration acceptance screens pages-speed probe race fuzz sim sim-long bench overload bench-go kill long clean fmt
.NOTPARALLEL: # the acceptance suites judge by the clock

build: ## the binary, ./midwatch
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags '$(LDFLAGS)' -o midwatch ./cmd/midwatch

run: build ## the daemon with the quick-start configuration
	./midwatch

demo: build ## the daemon with a simulated cluster and people; nothing is sent
	./midwatch --demo

test: setup check unit sim integration acceptance ## everything CI runs

setup: ## what the tests need beside Go: Debian's packages, the real Alertmanager
	@./integration_test/setup.sh
	@./integration_test/upstream/build.sh

check: ## vet, staticcheck, gofumpt, known vulnerabilities, import arrows
	$(GO) vet ./...
	$(GO) tool staticcheck ./...
	@unformatted=$$($(GO) tool gofumpt -l .); if [ -n "$$unformatted" ]; then \
		echo "not formatted as gofumpt wants it; run make fmt:"; echo "$$unformatted"; exit 1; fi
	@./.ci/vulncheck

unit: ## every package but integration_test with the race detector, and the oracle without it
	$(GO) test -race -short -timeout 20m $$($(GO) list ./... | grep -v /integration_test)
	$(GO) test -timeout 20m -run Oracle ./router ./api

integration: ## the real binary beside real peers
	$(GO) test -timeout 20m ./integration_test
	$(GO) test -timeout 20m ./bench

acceptance: ## Alertmanager's own acceptance suites; SUT=program runs them against another one
	@./integration_test/upstream/acceptance.sh

pages-speed: ## how fast the pages are with 100,000 alerts and 5,000 open incidents
	MIDWATCH_LONG=1 $(GO) test -timeout 20m -v -run TestPagesInALargeInstallation ./integration_test

screens: ## pictures of the pages, in docs/screens and docs/screens.md
	$(GO) test -timeout 20m -run TestPagesAreAccessible ./integration_test -screens

probe: ## the same requests to the binary and to the real Alertmanager, which must answer the same
	$(GO) test -timeout 10m -run TestProbe ./integration_test

race: unit

FUZZTIME ?= 1000000x
fuzz: ## every fuzz target, a million executions each
	@./.ci/fuzz $(FUZZTIME)

sim: ## random worlds against the promises of paging, 10,000 simulated hours, and planted bugs that must show
	$(GO) test -timeout 20m -v -run 'Breaker|Shrinker' ./sim

sim-long: ## the long forms of the simulated and random proofs, a million simulated hours among them
	MIDWATCH_LONG=1 $(GO) test -timeout 12h -v -run 'TestBreaker$$' ./sim
	MIDWATCH_LONG=1 $(GO) test -timeout 3h ./oncall ./escalation ./router ./engine ./slo

kill: ## 3,000 kill -9 of the real binary
	MIDWATCH_LONG=1 $(GO) test -timeout 6h -run TestKillNine -v ./integration_test

bench: build ## Midwatch beside the real Alertmanager, three quarters of an hour; writes docs/benchmarks.md; BENCH has further flags
	@./integration_test/upstream/build.sh
	$(GO) build -o bin/bench ./bench
	bin/bench -out docs/benchmarks.md $(BENCH)

overload: build ## an hour with twice as much as the daemon can take; BENCH has further flags
	@./integration_test/upstream/build.sh
	$(GO) build -o bin/bench ./bench
	bin/bench -only overload -overload 1h $(BENCH)

COUNT ?= 1
bench-go: ## Go benchmarks of the packages on the hot path
	$(GO) test -run '^$$' -bench . -benchmem -count $(COUNT) ./router ./store/... ./oncall ./engine ./slo ./api

long: sim-long kill fuzz

fmt:
	$(GO) tool gofumpt -w .

clean:
	rm -rf midwatch bin integration_test/upstream/build
