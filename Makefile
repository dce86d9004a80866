# Everything happens inside .venv/ and .wenju/; each target sets up what it needs, once.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
Q ?= 春节期间值班要求是什么？
export GRADIO_ANALYTICS_ENABLED := False
export HF_HUB_DISABLE_TELEMETRY := 1

.PHONY: serve test torture bench ask index setup locked lock sbom bundle install-offline clean
serve: setup
	$(BIN)/wenju index seeds
	$(BIN)/wenju serve

test: setup $(VENV)/.test
	HF_HUB_OFFLINE=1 $(BIN)/ruff check .
	HF_HUB_OFFLINE=1 $(BIN)/lint-imports
	HF_HUB_OFFLINE=1 $(BIN)/python -m pytest

# The long forms of what CI does quickly; SCALE is the share of them (1: a million power failures, 4 hours of soak, …).
SCALE ?= 0.05
TORTURE ?= tests/test_durability.py tests/test_index_mutations.py tests/test_killed_indexer.py tests/test_generation_swap.py \
  tests/test_scarcity.py tests/test_fuzzed.py tests/test_hostile_formats.py tests/test_browser_payloads.py tests/test_overload.py
torture: setup $(VENV)/.fuzz
	WENJU_TORTURE=$(SCALE) HF_HUB_OFFLINE=1 $(BIN)/python -m pytest $(TORTURE)

# What Wenju costs, as ratios measured side by side in one run; with the extra `peers`, beside others too.
BENCH ?=
bench: setup $(VENV)/.test
	HF_HUB_OFFLINE=1 $(BIN)/python -m eval.benchmarks $(BENCH)

ask: setup
	@test -e .wenju/index/CURRENT || $(BIN)/wenju index seeds
	@$(BIN)/wenju ask "$(Q)"

index: setup
	$(BIN)/wenju index seeds

setup: $(VENV)/.installed

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip

$(VENV)/.installed: pyproject.toml .ci/constraints.txt | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --constraint .ci/constraints.txt torch
	$(BIN)/python -m pip install --quiet --constraint .ci/constraints.txt --editable .
	touch $@

$(VENV)/.test: $(VENV)/.installed
	$(BIN)/python -m pip install --quiet --constraint .ci/constraints.txt --editable '.[test]'
	touch $@

$(VENV)/.fuzz: $(VENV)/.test
	$(BIN)/python -m pip install --quiet --constraint .ci/constraints.txt --editable '.[fuzz]'
	touch $@

# As setup, and every file is checked against its SHA-256 before it is installed (torch, of which each index has builds of
# its own, by its version). For Python 3.11.
locked: | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --require-hashes --no-deps --requirement .ci/requirements.lock
	$(BIN)/python -m pip install --quiet --constraint .ci/constraints.txt torch
	$(BIN)/python -m pip install --quiet --no-deps --editable .
	touch $(VENV)/.installed $(VENV)/.test

# Tools for the two below, apart from what Wenju itself needs.
TOOLS := build/tools
$(TOOLS)/bin/uv:
	$(PYTHON) -m venv $(TOOLS)
	$(TOOLS)/bin/python -m pip install --quiet uv==0.13.9 cyclonedx-bom==7.5.0

# After a change of .ci/constraints.txt: the digests of all files of these versions, and the list of licences.
lock: setup $(VENV)/.test $(TOOLS)/bin/uv
	grep -vE '^#|^torch==' .ci/constraints.txt | $(TOOLS)/bin/uv pip compile - --quiet --python $(BIN)/python --no-deps \
	  --generate-hashes --no-annotate --no-header --output-file .ci/requirements.lock
	$(BIN)/python .ci/licences.py > .ci/licences.txt

# What is installed, with licences, as CycloneDX JSON.
SBOM ?= build/wenju.cdx.json
sbom: setup $(TOOLS)/bin/uv
	$(TOOLS)/bin/cyclonedx-py environment --output-reproducible --validate --pyproject pyproject.toml --mc-type application \
	  --output-format JSON --output-file $(SBOM) $(BIN)/python

# One archive for a machine without any network: wheels of Wenju and of all it needs, for this Python and processor.
BUNDLE ?= build/wenju-bundle.tar
bundle: setup
	sh ui/deploy/bundle.sh $(BIN)/python $(BUNDLE)

# On that machine: from the archive alone. DEST: the folder of the new environment.
DEST ?= $(VENV)
install-offline:
	mkdir -p build && tar -xf $(BUNDLE) -C build
	sh build/wenju/install.sh $(DEST)

clean:
	rm -rf $(VENV) .wenju
