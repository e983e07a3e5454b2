# make demo    train the quickstart example on its embedded data
# make test    run the tests on each of BACKENDS
# make check   lint, format, types, import contracts
# make matrix  train with every optimizer in every mode, on each of BACKENDS
# make diagnose  train programs with labels, and count how often the rules are right
# make bench   measure what recording costs, on each of BACKENDS, and write bench-BACKEND.json

PYTHON ?= python3
BACKENDS ?= tensorflow jax
# Two workers: tracing keeps one core busy, and each worker holds a TensorFlow in memory.
PYTEST_ARGS ?= -n 2

VENV := .venv
RUN := $(VENV)/bin/python

# Keep bytecode files, because tests start many processes.
unexport PYTHONDONTWRITEBYTECODE

.NOTPARALLEL:
EACH := test bench matrix
.PHONY: demo check diagnose $(EACH) $(foreach backend,tensorflow jax torch,$(EACH:%=%-$(backend)))

demo: $(VENV)/.examples
	KERAS_BACKEND=tensorflow $(RUN) examples/quickstart.py

# A failing backend fails make, but does not hide what the others say.
test:
	@$(MAKE) --no-print-directory --keep-going $(BACKENDS:%=test-%)

bench matrix:
	@$(MAKE) --no-print-directory --keep-going $(BACKENDS:%=$@-%)

test-tensorflow test-jax test-torch: test-%: $(VENV)/.test $(VENV)/.%
	KERAS_BACKEND=$* $(RUN) -m pytest $(PYTEST_ARGS) \
		$(if $(filter $*,$(firstword $(BACKENDS))),,-m "not any_backend")

bench-tensorflow bench-jax bench-torch: bench-%: $(VENV)/.test $(VENV)/.%
	KERAS_BACKEND=$* $(RUN) benchmarks/cost/bench.py --json bench-$*.json

matrix-tensorflow matrix-jax matrix-torch: matrix-%: $(VENV)/.test $(VENV)/.%
	KERAS_BACKEND=$* $(RUN) benchmarks/matrix/run.py

diagnose: $(VENV)/.test $(VENV)/.tensorflow
	KERAS_BACKEND=tensorflow $(RUN) benchmarks/diagnosis/diagnose.py

check: $(VENV)/.test
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .
	$(RUN) -m mypy
	$(VENV)/bin/lint-imports

$(VENV)/.created:
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null || { \
		echo 'keras_l4 needs Python 3.11, 3.12 or 3.13, and "$(PYTHON)" is not one: make PYTHON=python3.12' >&2; \
		exit 1; }
	$(PYTHON) -m venv --clear $(VENV)
	@touch $@

$(VENV)/.tensorflow: $(VENV)/.test
	@touch $@

$(VENV)/.%: $(VENV)/.created setup.cfg pyproject.toml
	$(RUN) -m pip install --quiet --disable-pip-version-check --no-compile --editable '.[$*]'
	@touch $@
