# The menu. `make` alone shows it.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

# Outside the checkout, so that every clone shares what is built.
export CARGO_TARGET_DIR ?= $(HOME)/.cache/kontor/target
export KONTOR_TOOLS ?= $(HOME)/.cache/kontor/tools
export PATH := $(KONTOR_TOOLS)/bin:$(PATH):$(HOME)/.cargo/bin

# How many seeds the simulation tries in `make test`, and how long `make soak` goes on.
SEEDS ?= 3000
MINUTES ?= 10
# How much `make chaos` does at least.
ORDERS ?= 20000
KILLS ?= 100

# The lock file is what is tested: in CI a build may not change it.
LOCKED := $(if $(CI),--locked)
# The profile of .config/nextest.toml.
NEXTEST_PROFILE ?= $(if $(CI),ci,default)

# One build for all it does; a bug is planted only where it says so. The shop is built without. Optimised, on the
# libraries that the tests have: a release build would compile those once more, for ten minutes.
SIMULATION = cargo build $(LOCKED) --workspace --bin simulation --features simulation/planted \
	--config profile.dev.opt-level=3 && $(CARGO_TARGET_DIR)/debug/simulation

# A server of each kind that the tests need, thrown away afterwards.
SERVERS := scripts/with-postgres scripts/with-nats scripts/with-redis scripts/with-maildev

step = @printf '\n== %s\n' '$(1)'

.PHONY: help
help: ## Show this menu
	@awk 'BEGIN { FS = ":.*## " } /^##@/ { printf "\n%s\n", substr($$0, 5) } \
		/^[a-z][a-zA-Z_-]*:.*## / { printf "  %-24s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

##@ Run

.PHONY: run
run: ## Build and start the whole shop with the demo products (needs only Rust and a C compiler)
	cargo run --release $(LOCKED) -p kontor -- run --demo

.PHONY: clean-data
clean-data: ## Throw the local shop in ./data away (not the servers': make infrastructure-wipe)
	@[ ! -d data ] || find data -mindepth 1 -maxdepth 1 ! -name infrastructure -exec rm -rf {} +

##@ Run as services

.PHONY: install-infrastructure
install-infrastructure: ## Start PostgreSQL, NATS and Redis for development (MONGODB=1: and a MongoDB-compatible server)
	@scripts/infrastructure up

.PHONY: infrastructure-status infrastructure-down infrastructure-wipe
infrastructure-status: ## What of it runs, and where
infrastructure-down: ## Stop it; the data stays
infrastructure-wipe: ## Stop it and throw its data away
infrastructure-status infrastructure-down infrastructure-wipe:
	@scripts/infrastructure $(@:infrastructure-%=%)

.PHONY: services
services: ## Run all services (INSTANCES=2: two of each), the gateway and the test provider as processes of their own
	@scripts/services

# One part in the foreground (INSTANCE=2: its second instance), such as `make order`.
PARTS := catalogue customer order warehouse payment notification gateway test-provider
.PHONY: $(PARTS)
$(PARTS):
	@scripts/services $@

order: ## Run one part alone; likewise: catalogue customer warehouse payment notification gateway test-provider

##@ Test

.PHONY: test
test: install-tools ## Everything: checks, tests on both engines, documentation, simulation, API, services
	@$(SERVERS) $(MAKE) --no-print-directory test-all
	@printf '\nall of it passed\n'

# One server of each kind for all of it: `make test` sees to that.
.PHONY: test-all
test-all: check test-unit doc test-doc test-readme test-api test-services test-simulation

.PHONY: check
check: install-tools ## What can be checked without running: format, lints, licences, docs, house rules
	$(call step,format)
	cargo fmt --all --check
	$(call step,lints)
	cargo clippy $(LOCKED) --workspace --all-targets -- -D warnings
	$(call step,house rules)
	cargo xtask check
	$(call step,generated files)
	cargo xtask generate --check
	$(call step,what is shipped to run it with)
	scripts/check-deploy
	$(call step,licences and sources of dependencies)
	scripts/check-dependencies

.PHONY: test-unit
test-unit: install-tools ## The tests of all crates, on SQLite and PostgreSQL, with NATS, Redis and MailDev
	$(call step,tests)
	$(SERVERS) cargo nextest run $(LOCKED) --workspace --profile $(NEXTEST_PROFILE)

.PHONY: doc
doc: ## The documentation of the code, without a warning
	$(call step,documentation)
	RUSTDOCFLAGS='-D warnings' cargo doc $(LOCKED) --workspace --no-deps

.PHONY: test-doc
test-doc: ## The examples in the documentation
	$(call step,examples)
	cargo test $(LOCKED) --workspace --doc --quiet

.PHONY: test-simulation
test-simulation: ## The crash matrix, SEEDS (3000) seeds of the whole shop, and planted bugs to be found
	$(call step,simulation)
	$(SIMULATION) test --seeds $(SEEDS)

.PHONY: test-readme
test-readme: ## The README's lines, as they stand, against the demo shop of the real program
	$(call step,README)
	scripts/test-readme

.PHONY: test-api
test-api: ## The running program against its own OpenAPI, by schemathesis
	$(call step,API)
	scripts/install-tools schemathesis
	scripts/test-api

.PHONY: test-services
test-services: ## The same against two instances of each service on PostgreSQL, NATS and Redis, and an order
	$(call step,services)
	scripts/install-tools schemathesis
	scripts/test-services

.PHONY: test-container
test-container: ## Image and compose.yaml for real: build, start, buy, look whether all is closed (installs Docker; root)
	$(call step,containers)
	scripts/test-container

.PHONY: soak
soak: ## Simulate for MINUTES (10), pairs of crashes among it, and show seeds a second
	$(SIMULATION) soak --minutes $(MINUTES)

# The rolls of `make chaos` are upgrades, there and back, if SECOND_PROGRAM is another build of `kontor`; without it
# they are restarts of one build, and the report says so. The commit before, for example:
#   git worktree add ../kontor-before HEAD~1
#   (cd ../kontor-before && CARGO_TARGET_DIR=$PWD/target cargo build --release -p kontor)
#   make chaos SECOND_PROGRAM=../kontor-before/target/release/kontor
.PHONY: chaos
chaos: install-tools ## Real faults on real processes: ORDERS (20000), KILLS (100), at most MINUTES (120); writes docs/chaos.md
	cargo build --release $(LOCKED) -p kontor -p chaos
	$(CARGO_TARGET_DIR)/release/chaos --orders $(ORDERS) --kills $(KILLS) --each 4 --zombies 4 --long-aways 1 --lasting 6 \
		--away 30 --minutes $(if $(filter command line,$(origin MINUTES)),$(MINUTES),120) --shoppers 16 --pause-ms 50 \
		$(if $(SECOND_PROGRAM),--second-program $(SECOND_PROGRAM)) $(if $(NATS_SERVERS),--nats-servers $(NATS_SERVERS)) \
		--out docs/chaos.md

.PHONY: bench
bench: ## Measure, embedded and as services, and write docs/benchmarks.md
	scripts/install-tools postgresql nats redis
	cargo build --release $(LOCKED) -p kontor -p bench
	$(CARGO_TARGET_DIR)/release/bench
	$(CARGO_TARGET_DIR)/release/bench services

##@ Tend

.PHONY: generate
generate: ## Write the generated documents anew
	cargo xtask generate

.PHONY: old-data
old-data: install-tools ## Keep a small shop of this release, so that later ones are tested on its data (before a release)
	KONTOR_OLD_DATA=crates/kontor/tests/data cargo nextest run $(LOCKED) -p kontor --test shop \
		-E 'test(a_shop_with_orders_in_every_state_is_kept_for_later_releases)'

.PHONY: install-tools
install-tools: ## Install what `make test` needs and this machine lacks
	@scripts/install-tools
