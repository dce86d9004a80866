# Everything happens inside .venv/ and .wenju/; each target sets up what it needs, once.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
Q ?= 春节期间值班要求是什么？
export GRADIO_ANALYTICS_ENABLED := False
export HF_HUB_DISABLE_TELEMETRY := 1

.PHONY: serve test ask index setup bundle install-offline lint clean
serve: setup
	$(BIN)/wenju index seeds
	$(BIN)/wenju serve

test: setup $(VENV)/.test
	HF_HUB_OFFLINE=1 $(BIN)/ruff check .
	HF_HUB_OFFLINE=1 $(BIN)/lint-imports
	HF_HUB_OFFLINE=1 $(BIN)/python -m pytest

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
