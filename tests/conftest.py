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

# The packages that these folders test may import no framework (contract "reading" in setup.cfg).
_ANY_BACKEND = {"dashboard", "events", "report", "rules"}
# These tests do not compare bit for bit with the code that users compile.
_FAST_COMPILATION = {"curvature", "examples", "test_again", "test_diagnosis", "test_invariance"}


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if _folder(item.path) in _ANY_BACKEND:
            item.add_marker(pytest.mark.any_backend)


def _folder(path: Path) -> str:
    """Returns the name of the folder below `tests`."""
    return path.relative_to(Path(__file__).parent).parts[0]


@pytest.fixture
def backend() -> str:
    """The name of the active Keras backend."""
    import keras

    return keras.backend.backend()


@pytest.fixture(autouse=True)
def _reads_do_not_depend_on_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """The number of steps alone decides when the record is read, however slow the machine is."""
    schedule = sys.modules.get("keras_l4.session.read_schedule")
    if schedule is not None:
        monkeypatch.setattr(schedule, "SECONDS_BETWEEN_READS", float("inf"))


@pytest.fixture(autouse=True)
def _compile_fast(request: pytest.FixtureRequest) -> None:
    """XLA skips most optimizations in tests that do not compare bits: they run for a short time."""
    jax = sys.modules.get("jax")
    if jax is not None and os.environ["KERAS_BACKEND"] == "jax":
        is_fast = bool({_folder(request.path), request.path.stem} & _FAST_COMPILATION)
        jax.config.update("jax_disable_most_optimizations", is_fast)


@pytest.fixture(autouse=True)
def _no_autotuning(monkeypatch: pytest.MonkeyPatch) -> None:
    """Disables the tuner of tf.data: destroying an iterator waits for it to wake up."""
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
    """Resets seeds, layer numbering and dtype policy, if Keras is loaded."""
    random.seed(0)
    np.random.seed(0)
    keras = sys.modules.get("keras")
    if keras is not None:
        keras.utils.clear_session(free_memory=False)
        keras.utils.set_random_seed(0)
