# `make help` lists what can be made. Everything sets itself up from PyPI wheels in .venv.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
PROTO_READY := .venv-proto/.ready
TORCH_READY := $(VENV)/.torch
# One thread per process: the suite runs one process per worker.
export OMP_NUM_THREADS := 1
export OPENBLAS_NUM_THREADS := 1
# Container images like to set it. Every process of every suite would compile all that it imports: twice the time.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help setup demo test lint style mypy pyright generated bench proto images manifests lock clean

help: ## List what can be made
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-9s %s\n", $$1, $$2}'

setup: $(READY) ## Install the suite and its tools into .venv

$(READY): requirements/suite.lock pyproject.toml scripts/fetch_face_models.py
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or later is needed: make PYTHON=..." >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { echo "python3 cannot make virtual environments: install the package python3-venv" >&2; exit 1; }
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile --only-binary :all: --no-deps --require-hashes -r requirements/suite.lock
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	$(BIN)/python scripts/fetch_face_models.py
	@touch $@

# Not in the lock: which wheel fits depends on the machine's device.
$(TORCH_READY): $(READY) requirements/torch.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile --only-binary :all: -r requirements/torch.txt
	@touch $@

demo: $(READY) ## Render out/demo.mp4 through all four services
	$(BIN)/python scripts/demo.py

test: $(TORCH_READY) ## Run the whole test suite
	$(BIN)/pytest

lint: style mypy pyright generated ## Check style, types, contracts and generated files (make -j 2 -O lint)

style: $(READY)
	$(BIN)/ruff check
	$(BIN)/ruff format --check

mypy: $(TORCH_READY)
	$(BIN)/mypy

pyright: $(TORCH_READY)
	$(BIN)/basedpyright

generated: $(READY) $(PROTO_READY)
	$(BIN)/python scripts/write_settings_doc.py --check
	$(BIN)/python scripts/write_monitoring.py --check
	$(BIN)/python scripts/write_api_doc.py --check
	PATH="$(CURDIR)/$(BIN):$$PATH" scripts/check_protos.sh

bench: $(READY) ## Measure speed on this machine
	$(BIN)/python -m bench

proto: $(READY) $(PROTO_READY) ## Generate the Python of protos/, and their manual
	scripts/generate_protos.sh
	$(BIN)/python scripts/write_api_doc.py

BUILDER ?= $(firstword $(foreach tool,docker podman buildah,$(if $(shell command -v $(tool)),$(tool))))

images: ## Build the four images (needs docker, podman or buildah; BUILD_ARGS for another base)
	for service in gateway tts lipsync merger; do \
	    $(BUILDER) build $(BUILD_ARGS) --build-arg REVISION=$$(git rev-parse HEAD) \
	        -f deploy/images/$$service.Dockerfile -t mouthpiece-$$service:0.1.0 . || exit 1; done

manifests: $(READY) ## Render the Kubernetes manifests into out/manifests and check them (needs kubectl)
	mkdir -p out/manifests
	for overlay in dev production; do \
	    kubectl kustomize deploy/k8s/overlays/$$overlay > out/manifests/$$overlay.yaml || exit 1; done
	$(BIN)/pytest tests/deploy

$(PROTO_READY): requirements/proto.lock
	$(PYTHON) -m venv .venv-proto
	.venv-proto/bin/python -m pip install --quiet --disable-pip-version-check --only-binary :all: --require-hashes -r requirements/proto.lock
	@touch $@

LOCK := uv pip compile --universal --fork-strategy fewest --python-version 3.11 \
    --generate-hashes --no-emit-index-url --no-annotate --no-header --quiet

lock: ## Resolve the requirements anew (needs uv)
	$(LOCK) pyproject.toml --extra suite --extra openvino --extra piper --extra pocket --extra provenance --extra tracing --group dev \
	    -o requirements/suite.lock
	for image in gateway tts lipsync "merger --extra provenance"; do \
	    $(LOCK) pyproject.toml --extra $$image --extra tracing -c requirements/suite.lock \
	        -o requirements/$${image%% *}.lock || exit 1; done
	$(LOCK) --group build -c requirements/suite.lock -o requirements/build.lock
	$(LOCK) --group proto -o requirements/proto.lock

clean: ## Remove everything that was made
	rm -rf $(VENV) .venv-proto out data .mypy_cache .pytest_cache .ruff_cache .hypothesis
