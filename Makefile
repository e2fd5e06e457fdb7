# make demo | test | check | soak | audit | pictures | gallery | images | clean. Each sets up what it needs, once, and again when the lock changes.

VENV ?= .venv
PYTHON ?= python3
PYTEST ?=
MINUTES ?= 60
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed

.PHONY: demo test check soak audit pictures gallery images clean

demo: $(INSTALLED)
	@$(BIN)/stylizer models pull --missing || echo "demo: some weights are missing; the next best thing runs in their place" >&2
	$(BIN)/stylizer demo

# Two processes share the tests, a file each: half of them wait for browsers and lines.
test: check
	$(BIN)/python -m pytest --numprocesses 2 --dist loadfile $(PYTEST)

check: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m pytest --quiet tests/test_imports.py

# Visitors come and go for MINUTES; memory, descriptors and threads of the worker are measured and drawn.
soak: $(INSTALLED)
	@mkdir -p build
	$(BIN)/python -m benchmarks.soak --minutes $(MINUTES) --json build/soak.json --plot build/soak.png

# A bill of materials, which needs no network, and the lock against the database of known vulnerabilities, which does.
audit: $(INSTALLED)
	@mkdir -p build
	PATH="$(abspath $(BIN)):$$PATH" .ci/audit build/sbom.json

# The pictures of README and docs, and the film that the booth shows to who passes by; that one wants MakeHuman's assets
# (docs/training.md) and embreex, and without ASSETS=… stays as it is.
pictures: $(INSTALLED)
	$(BIN)/python docs/make_pictures.py
	$(if $(ASSETS),$(BIN)/python -m docs.make_attract "$(ASSETS)",@echo "pictures: attract.mp4 stays; make it with ASSETS=…" >&2)
	$(BIN)/python docs/make_vj.py
	$(BIN)/python -m docs.make_screens

gallery: $(INSTALLED)
	$(BIN)/python docs/make_gallery.py $(if $(ASSETS),"$(ASSETS)")

images:
	docker/build_images.sh

clean:
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -prune -exec rm -rf {} +

# uv installs the lock in 40 s where pip takes 130 s; where uv cannot, pip does it. The lock is complete: nothing is resolved.
# Byte code is made once, in 40 s: where Python may not write it, each start would take 4 s more.
$(INSTALLED): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2> /dev/null \
		|| { echo "stylizer needs Python 3.11 or later; name one with PYTHON=… ($(PYTHON) is: $$($(PYTHON) --version 2>&1))" >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { echo "on Debian: apt-get install python3-venv" >&2; exit 1; }
	@echo "installing into $(VENV): 7 GB, a few minutes the first time" >&2
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check "$$(grep '^uv==' requirements.lock)"
	@$(BIN)/uv pip install --quiet --compile-bytecode --python $(BIN)/python --no-deps -r requirements.lock \
		|| $(BIN)/python -m pip install --quiet --no-deps -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@$(BIN)/python -c 'import cv2' || { echo "OpenCV needs system libraries; on Debian: apt-get install libgl1 libglib2.0-0" >&2; exit 1; }
	@touch $@
