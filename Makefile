# The commands of the house. `make help` lists them.

SHELL := /bin/bash
.DEFAULT_GOAL := help

# Builds, tools and guests live outside the checkout, so that a fresh clone starts warm.
export NOVACRON_CACHE ?= $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/novacron
export CARGO_TARGET_DIR ?= $(NOVACRON_CACHE)/target
export PATH := $(NOVACRON_CACHE)/tools/bin:$(PATH)

CONSOLE_SOURCES := $(shell find console -path console/node_modules -prune -o -path console/dist -prune -o -type f -print)

.PHONY: help install uninstall demo demo-stop demo-clean setup console own-builds build test nightly check fix bench docs

help: ## list the commands
	@grep -hE '^[a-z-]+:.*##' Makefile | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 14

demo: ## a running node with a first VM in .demo/
	@setup/demo

demo-stop: ## end the demo's node and guests
	@setup/demo-stop

demo-clean: ## remove everything that the demo made
	@setup/demo-clean

setup: ## install what tests and checks need (Debian packages, cargo tools)
	@setup/install demo test
	@setup/install-node
	@setup/tools

console/dist/index.html: $(CONSOLE_SOURCES)
	@setup/console

console: console/dist/index.html ## build the web console

own-builds:
	@setup/own-builds

build: own-builds console ## build the binary with the console embedded
	cargo build --locked --package novacron
	@echo "$(CARGO_TARGET_DIR)/debug/novacron"

install: ## NovaCron on this machine, or a newer version (sudo make install; PREFIX, DESTDIR)
	@setup/install-system

uninstall: ## take it off again; data stays, PURGE=1 deletes it
	@setup/uninstall-system

test: setup check console ## everything that decides whether a change may land
	@setup/test

nightly: setup own-builds console ## the long versions of the tests
	@setup/test --nightly

check: own-builds ## format, lints, rules of the house, licences; writes nothing, needs no network
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --all-features --locked --offline --quiet
	cargo xtask tidy
	cargo xtask docs --check
	cargo deny --offline --log-level error check licenses bans sources

fix: own-builds ## mend what can be mended by a program
	cargo fmt --all
	cargo clippy --workspace --all-targets --all-features --fix --allow-dirty --allow-staged --quiet
	cargo xtask docs

docs: own-builds ## write the references that are generated from code
	cargo xtask docs

bench: setup build ## measure against the yardsticks; writes docs/benchmarks.md
	@setup/install bench
	cargo xtask bench
