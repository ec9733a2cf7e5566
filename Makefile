# make demo   a scene becomes a verified int8 file
# make test   lint, types and tests
# make apk    the Android demo with the demo's file and scene (android_demo/README.md)
# make docs   the site, in build/site
# make fuzz   damaged inputs: N=100000 of them with a new seed, SEED=... to repeat one
# make clean  removes what these two made, trained networks and exported files included

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: demo apk docs test lint slow fuzz clean

# What the app brings with it; another archive of export --android does as well.
BUNDLE ?= export/fields/cao/android-int8.zip

demo: $(VENV)/demo
	$(BIN)/python -m hsitf.export --model cao --int8

apk: $(BUNDLE) | $(VENV)/demo
	$(BIN)/python android_demo/build.py $(BUNDLE) build/hsitf-demo.apk

export/fields/cao/android-int8.zip: | $(VENV)/demo
	$(BIN)/python -m hsitf.export --model cao --int8 --tile 32 --android

# A test that hangs ends with where it stood. A process that dies is not replaced: the one in its
# place may be given a module that is done and wait for ever (pytest-xdist 3.8, loadscope).
test: lint
	$(BIN)/python -m pytest -q -n 2 --dist loadscope --no-loadscope-reorder -m "not slow" \
	    --max-worker-restart 0 -o faulthandler_timeout=1200 -o faulthandler_exit_on_timeout=true

# The whole of the tests, those that train for minutes included.
slow: $(VENV)/test
	$(BIN)/python -m pytest -q

# Strict: a link that leads nowhere ends it.
docs: $(VENV)/docs
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --quiet

# Faulty inputs are left in build/fuzz, each with what it did.
N ?= 100000
fuzz: $(VENV)/test
	$(BIN)/python tests/fuzz/campaign.py --tries $(N) --corpus --faults build/fuzz \
	    $(if $(SEED),--seed $(SEED))

lint: $(VENV)/test
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

$(VENV)/demo: requirements.txt constraints.txt
	$(PYTHON) -c 'import sys; (3, 10) <= sys.version_info[:2] <= (3, 13) or \
	    sys.exit("hsitf needs Python 3.10 to 3.13, not %d.%d; name one: make PYTHON=..." % sys.version_info[:2])'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt -c constraints.txt
	touch $@

$(VENV)/test: $(VENV)/demo pyproject.toml
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[test]' -c constraints.txt
	touch $@

$(VENV)/docs: $(VENV)/demo pyproject.toml
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[docs]' -c constraints.txt
	touch $@

clean:
	rm -rf $(VENV) models/*/ export/*/ build *.egg-info
