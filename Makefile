# Everything that is done to this repository by hand or by a machine.
# `make help` lists the targets; continuous integration calls the same ones.

.DEFAULT_GOAL := help
SHELL := /bin/sh

# Tools, run at exactly these versions: this is the one place that names them.
STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.2
GOFUMPT     := mvdan.cc/gofumpt@v0.12.0
GOVULNCHECK := golang.org/x/vuln/cmd/govulncheck@v1.9.0

# PostgreSQL's major versions to test on, such as PG=16,17,18. Those that the
# system lacks are fetched into an ignored cache. Empty: the newest installed.
PG ?=
comma := ,
MAJORS := $(subst $(comma), ,$(PG))
PG_INSTALL := sh internal/pgcluster/install.sh

# on MAJOR: the environment in which tests, examples and the demo find that
# server and no other; none for an empty MAJOR.
on = $(if $(1),TIDEMARK_TEST_PG=$(1) TIDEMARK_PG_BIN="$$($(PG_INSTALL) bin $(1))")

# The packages whose tests start servers.
INTEGRATION = $$(go list -f '{{.ImportPath}} {{join .TestImports " "}} {{join .XTestImports " "}}' $(PKG) | \
	awk '/internal\/(pgcluster|demo)/ { print $$1 }')

export TIDEMARK_PG_CACHE := $(shell $(PG_INSTALL) cache)
ifneq ($(PG),)
export TIDEMARK_TEST_PG := $(PG)
endif

# The race detector needs a C compiler; without one Go turns cgo off.
RACE := $(if $(filter 1,$(shell go env CGO_ENABLED)),-race)

# The comparisons of `make bench` are a module of their own: what they compare
# with stays out of the product's dependencies, and ./... does not reach them.
BENCH := internal/bench

PKG          ?= ./...
TEST_TIMEOUT ?= 20m
# Tests with servers wait more than they compute: one more than two cores at a time.
PARALLEL     ?= $(shell echo $$(( $$(nproc 2>/dev/null || sysctl -n hw.ncpu) + 1 )))
FUZZTIME     ?= 60s
BENCHTIME    ?= 1s
SCALE        ?= 1
ONLY         ?=
SEED         ?= 0
DURATION     ?= 5m
FAULTS       ?= all

.PHONY: help
help: ## list the targets
	@awk 'BEGIN { FS = ":.*## " } /^[a-z-]+:.*## / { printf "  %-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: build
build: ## build bin/tidemark
	go build -o bin/ ./cmd/tidemark

.PHONY: postgres
postgres: ## install a PostgreSQL server where none is, or the majors of PG=16,17,18
	@$(PG_INSTALL) $(if $(PG),major $(MAJORS),system)

.PHONY: test
test: postgres vet fmt-check ## install what is missing, vet, check the format, then every test; PG=16,17,18 chooses servers
	@$(if $(RACE),,echo 'no C compiler: testing without the race detector' >&2)
	$(call on,$(firstword $(MAJORS))) go test $(RACE) -timeout $(TEST_TIMEOUT) -parallel $(PARALLEL) $(PKG)
	$(if $(filter ./...,$(PKG)),cd $(BENCH) && go test -timeout $(TEST_TIMEOUT) ./...)
	@$(if $(word 2,$(MAJORS)),$(MAKE) --no-print-directory integration PG='$(wordlist 2,99,$(MAJORS))')

# Another server does not make other races in our code: `make test` looks for
# them on its first one, and here nothing is slowed down by it.
.PHONY: integration
integration: postgres ## the tests that start servers, on each of PG=16,17,18, without the race detector
	@$(if $(MAJORS),,$(error integration: on which servers? PG=16,17,18))failed=0; \
	for major in $(MAJORS); do \
		echo "integration tests on PostgreSQL $$major"; \
		$(call on,$$major) go test -timeout $(TEST_TIMEOUT) -parallel $(PARALLEL) $(INTEGRATION) || failed=1; \
	done; exit $$failed

# -race would cost half of what a run gets done; `make test` has it on.
.PHONY: torture
torture: postgres ## try to break the promise; SEED=0 DURATION=5m PG=15,18 FAULTS=all; a seed plays its decisions again
	go test ./internal/torture -run TestTorture -v -count 1 -timeout 12h \
		-args -seed $(SEED) -duration $(DURATION) -faults "$(FAULTS)" $(if $(PG),-pg $(PG))

.PHONY: deploy-test
deploy-test: postgres ## test deploy/ with promtool, which is installed where it is missing
	@command -v promtool >/dev/null || { \
		sudo=; test "$$(id -u)" -eq 0 || sudo=sudo; \
		if command -v apt-get >/dev/null; then $$sudo apt-get update -qq && $$sudo apt-get install -qq --no-install-recommends prometheus; \
		elif command -v dnf >/dev/null; then $$sudo dnf install -y golang-github-prometheus; \
		elif command -v brew >/dev/null; then brew install prometheus; \
		else echo 'deploy-test: install promtool, a part of Prometheus' >&2; exit 1; fi; }
	go test -count=1 -timeout $(TEST_TIMEOUT) ./internal/deploytest

.PHONY: demo
demo: postgres build ## watch positions live on a throw-away server; ends with a verdict
	bin/tidemark demo

.PHONY: lint
lint: vet fmt-check ## vet, format, staticcheck, and golangci-lint where it is installed
	go run $(STATICCHECK) ./...
	cd $(BENCH) && go run $(STATICCHECK) ./...
	@if command -v golangci-lint >/dev/null; then golangci-lint run; \
	else echo 'golangci-lint is not installed: left out'; fi

.PHONY: vet
vet:
	go vet ./...
	cd $(BENCH) && go vet ./...

.PHONY: fmt
fmt: ## format every Go file
	go run $(GOFUMPT) -w .

.PHONY: fmt-check
fmt-check:
	@files=$$(go run $(GOFUMPT) -l .) || exit 1; \
	if [ -n "$$files" ]; then echo "not formatted (make fmt):"; echo "$$files"; exit 1; fi

# A finding fails. A database that cannot be reached is said, and fails too:
# nothing was checked.
.PHONY: vuln
vuln: ## look for known vulnerabilities; needs vuln.go.dev
	@out=$$(go run $(GOVULNCHECK) ./... 2>&1); status=$$?; echo "$$out"; \
	case $$out in *'fetching vulnerabilities'*) \
		echo 'vuln: the database at vuln.go.dev cannot be reached: nothing was checked' >&2;; \
	esac; exit $$status

.PHONY: fuzz
fuzz: ## run every fuzz target, FUZZTIME=60s each
	@for pkg in $$(grep -rl --include='*_test.go' '^func Fuzz' . | xargs -r -n 1 dirname | sort -u); do \
		for target in $$(go test -list '^Fuzz' "$$pkg" | grep '^Fuzz'); do \
			echo "fuzz $$pkg $$target for $(FUZZTIME)"; \
			go test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) "$$pkg" || exit 1; \
		done; \
	done

.PHONY: model
model: ## verify the models of the protocol with spin, and that each known mistake breaks them; V=1 tells how
	@sh follower/model/install.sh
	@cd follower/model && TIDEMARK_MODEL=1 go test -count=1 -timeout 30m $(if $(V),-v)

.PHONY: bench
bench: postgres ## compare with what people use, on a throw-away server, in half an hour; SCALE=0.1 ONLY=2,5 is shorter, goes to bin/bench
	cd $(BENCH) && go run . $(if $(PG),-pg $(firstword $(MAJORS))) -scale $(SCALE) -only "$(ONLY)" \
		$(if $(ONLY)$(filter-out 1,$(SCALE)),-out ../../bin/bench,-out . -images ../../.github/images -readme ../../README.md)

.PHONY: microbench
microbench: ## run every benchmark of the packages, BENCHTIME=1s each
	go test -run '^$$' -bench . -benchmem -benchtime $(BENCHTIME) $(PKG)

.PHONY: clean
clean: ## remove what was built; the servers in .cache stay
	rm -rf bin
