"""One environment for all tests: quiet, seeded, one thread per operation, no file of the user's."""

from __future__ import annotations

import os
import random
import sys
import tempfile
from pathlib import Path

import hypothesis
import numpy as np
import pytest

# Keras reads keras.json from its home when imported, and writes one where there is none.
_KERAS_HOME = tempfile.TemporaryDirectory(prefix="keras_l4-tests-")
os.environ["KERAS_HOME"] = _KERAS_HOME.name
os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
# Two test workers share the cores, and one thread sums in one order.
for _threads in ("OMP_NUM_THREADS", "TF_NUM_INTEROP_THREADS", "TF_NUM_INTRAOP_THREADS"):
    os.environ.setdefault(_threads, "1")
# Most tests train the same small model: JAX compiles it once, for all workers.
_JAX_CACHE = tempfile.TemporaryDirectory(prefix="keras_l4-jax-")
os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", _JAX_CACHE.name)
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES", "-1")

hypothesis.settings.register_profile("ci", derandomize=True, deadline=None)
hypothesis.settings.load_profile("ci")

# What these test may import no framework (contract "reading" in setup.cfg).
_ANY_BACKEND = {"dashboard", "events", "report", "rules"}
# None of them compares bit for bit with what users compile.
_HURRIED = {"curvature", "diagnosis", "examples"}


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if _folder(item.path) in _ANY_BACKEND:
            item.add_marker(pytest.mark.any_backend)


def _folder(path: Path) -> str:
    return path.relative_to(Path(__file__).parent).parts[0]


@pytest.fixture
def backend() -> str:
    """The name of the active Keras backend."""
    import keras

    return keras.backend.backend()


@pytest.fixture(autouse=True)
def _no_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """When the record is read depends on the number of steps alone, however slow the machine is."""
    clock = sys.modules.get("keras_l4.session.read_schedule")
    if clock is not None:
        monkeypatch.setattr(clock, "SECONDS_BETWEEN_READS", float("inf"))


@pytest.fixture(autouse=True)
def _compiled_in_a_hurry(request: pytest.FixtureRequest) -> None:
    """Where bits are not compared, XLA need not optimize for longer than the test then runs."""
    jax = sys.modules.get("jax")
    if jax is not None and os.environ["KERAS_BACKEND"] == "jax":
        jax.config.update("jax_disable_most_optimizations", _folder(request.path) in _HURRIED)


@pytest.fixture(autouse=True)
def _untuned(monkeypatch: pytest.MonkeyPatch) -> None:
    """To destroy an iterator, tf.data waits for its tuner, which sleeps for as long as it has run."""
    tensorflow = sys.modules.get("tensorflow")
    if tensorflow is None or os.environ["KERAS_BACKEND"] != "tensorflow":
        return
    options = tensorflow.data.Options()
    options.autotune.enabled = False
    iterate = tensorflow.data.Dataset.__iter__
    monkeypatch.setattr(
        tensorflow.data.Dataset, "__iter__", lambda data: iterate(data.with_options(options))
    )


@pytest.fixture(autouse=True)
def _fresh_state() -> None:
    """Seeds, layer numbering and dtype policy as in a new process, if Keras is loaded at all."""
    random.seed(0)
    np.random.seed(0)
    keras = sys.modules.get("keras")
    if keras is not None:
        keras.utils.clear_session(free_memory=False)
        keras.utils.set_random_seed(0)
