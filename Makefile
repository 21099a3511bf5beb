# Two commands do everything, from a bare Debian 12: `make run` and `make test`. Each installs what is missing.
SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help run chat test test-sanitizers test-long build model lint format bench web clean setup

BIN := build/release/bin/llama-gpu

help: ## This list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  make %-10s %s\n", $$1, $$2}'

run: build model ## Build, get the default model, serve it on 127.0.0.1:8484 and show a first answer
	@exec scripts/run.sh

chat: build model ## Chat in the terminal, with the server if one runs
	@exec scripts/chat.sh

build: web ## The release program: build/release/bin/llama-gpu
	@scripts/build.sh release llama-gpu

web: setup ## The dashboard, built into build/web and from there into the program
	@scripts/build_web.sh

model: setup ## The default model, verified, in the models folder
	@scripts/fetch_model.sh

setup:
	@scripts/setup.sh run

test: ## Everything CI runs: lint, unit, conformance, golden, oracles, end to end, sanitizers, fuzzers, coverage
	@exec scripts/test.sh

test-sanitizers: ## Of these, only ASan, UBSan, TSan, fuzzers and coverage
	@exec scripts/test.sh --sanitizers

test-long: ## The large counts: long fuzzing, soak
	@exec scripts/test_long.sh

lint: ## Formatters, linters, layer and budget checks
	@scripts/setup.sh test
	@exec scripts/lint.sh

format: ## Rewrite the sources in the house format
	@scripts/setup.sh test
	@exec scripts/lint.sh --fix

bench: build model ## Prefill, decode and batched decode of the default model, beside the limits of this machine
	@exec bench/default_model.sh

clean: ## Remove everything that was built (downloads in the models folder stay)
	rm -rf build
