# The commands of a newcomer. Each sets up what is missing on a Debian with Rust, and says what it installs.

CARGO ?= cargo
ARGS ?=
SECONDS ?= 60

.PHONY: help setup demo test check lint doc deny bench fuzz nemesis lab night release deb-test container-test

help:
	@echo "make demo ARGS=\"--agencies 200 --letters 20000 --exit\"   see it work, with nothing configured"
	@echo "make test    format, lints and every test, against real PostgreSQL, Dovecot and Postfix"
	@echo "make check   format, lints and the unit tests that need no server: under a minute once built"
	@echo "make doc     the documentation of every crate, without a warning"
	@echo "make lint    format and lints; licences and sources too where cargo-deny is installed"
	@echo "make deny    licences, bans and sources of dependencies; installs cargo-deny when missing (minutes)"
	@echo "make bench   a burst next to the machine's limit, and micro-benchmarks: under three minutes once built"
	@echo "make fuzz SECONDS=60   each parser of strangers' bytes for so long; needs the nightly compiler, installs cargo-fuzz when missing"
	@echo "make nemesis ARGS=\"--cycles 1000 --seed 1\"   strike everything around two engines; --help tells the rest"
	@echo "make release   package, program, list of what is in it, checksums; installs cargo-deb and cargo-cyclonedx when missing (minutes)"
	@echo "make deb-test  builds the package, then installs, upgrades and purges it in a chroot: ten minutes, needs root"
	@echo "make container-test   where a Docker engine is: a whole centre in containers, struck and rolled over: half an hour"
	@echo "make lab ARGS=\"--cycles 150 --seed 1\"   strike replicas, balancers and databases, each on a machine of its own; as root"
	@echo "make night SEED=1   nemesis, fuzz and load, one after another: hours; a line for each, and a log"

setup:
	@deploy/setup-debian.sh

demo: setup
	$(CARGO) run --locked --release --bin xmserver -- demo $(ARGS)

test: lint
	@CARGO="$(CARGO)" tests/run.sh

check: setup
	$(CARGO) fmt --all --check
	$(CARGO) clippy --locked --workspace --all-targets --features engine/nemesis -- -D warnings
	@ONLY="sdc|agency|office|collect|simulation|words|catalogues|house_rules" CARGO="$(CARGO)" tests/run.sh

doc: setup
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --locked --workspace --no-deps --document-private-items

lint: setup
	$(CARGO) fmt --all --check
	$(CARGO) clippy --locked --workspace --all-targets -- -D warnings
	$(CARGO) clippy --locked --package engine --no-default-features -- -D warnings
	@if $(CARGO) deny --version >/dev/null 2>&1; then $(CARGO) deny --log-level error check licenses bans sources; fi

deny: setup
	@$(CARGO) deny --version >/dev/null 2>&1 || $(CARGO) install --locked cargo-deny
	$(CARGO) deny check licenses bans sources

bench: setup
	$(CARGO) run --locked --release -p benches --bin load -- burst
	$(CARGO) bench --locked -p benches

fuzz: setup
	@tests/fuzz/run.sh $(SECONDS)

# The engine of nemesis is a build of its own, with places to die at; nothing else has them.
nemesis: setup
	$(CARGO) run --locked --release -p scenarios --bin nemesis -- $(ARGS)

# The machines are network namespaces; where they are not allowed, the lab says so and is skipped.
lab: setup
	$(CARGO) run --locked --release -p scenarios --bin lab -- $(ARGS)

# One seed for each night, unless told.
night: setup
	@CARGO="$(CARGO)" tests/night.sh $(SEED)

release: setup
	@CARGO="$(CARGO)" deploy/release.sh

deb-test: setup
	@CARGO="$(CARGO)" deploy/deb-test.sh $(ARGS)

container-test:
	@CARGO="$(CARGO)" deploy/container-test.sh $(ARGS)
