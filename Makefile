# A thin menu over cargo; CONTRIBUTING.md says more.

# rustup puts cargo here; a shell that was open before does not know it yet.
export PATH := $(or $(CARGO_HOME),$(HOME)/.cargo)/bin:$(PATH)

# Where `make quickstart` leaves its files, and further flags for it.
KEEP ?= quickstart
ARGS ?=

.PHONY: help setup test ci quickstart format
.DEFAULT_GOAL := help

help:
	@echo 'make quickstart   from a document to a model that learned it, in one run (KEEP=DIR, ARGS=...)'
	@echo 'make test         format, lints, tests: everything that has to pass'
	@echo 'make ci           what the build server runs: the same'
	@echo 'make format       format the sources'
	@echo 'make setup        install what the build needs and is missing'

setup:
	@sh scripts/setup.sh

test: setup
	@sh scripts/test.sh

ci: test

quickstart: setup
	cargo run --release --locked --package ilab -- quickstart --keep '$(KEEP)' $(ARGS)

format: setup
	cargo fmt --all
