from __future__ import annotations

import subprocess
import sys
from importlib import import_module

import pytest

import keras_l4

PUBLIC = {
    "keras_l4": [
        "Replay",
        "Run",
        "StepBlock",
        "__version__",
        "callbacks",
        "curvature",
        "load",
        "optimizers",
        "replay",
        "surfaces",
        "watch",
    ],
    "keras_l4.curvature": [
        "Density",
        "Directions",
        "Effort",
        "CriticalPointReport",
        "Slice",
        "Spectrum",
        "Stability",
        "classify",
        "spectrum",
        "stability",
        "surface",
    ],
    "keras_l4.curvature.surfaces": [
        "CriticalPoint",
        "Surface",
        "beale",
        "himmelblau",
        "monkey_saddle",
        "quadratic",
        "quartic_plateau",
        "ravine",
        "rosenbrock",
        "saddle",
    ],
    "keras_l4.callbacks": [
        "Curvature",
        "EffectiveLearningRates",
        "FlightRecorder",
        "GradientNorms",
        "NonFiniteMonitor",
        "TrainingDiagnostics",
    ],
    "keras_l4.rules": [
        "RunView",
        "Finding",
        "RuleEngine",
        "PRESETS",
        "Rule",
        "Rules",
        "SEVERITIES",
        "Severity",
        "select_rules",
        "registry",
    ],
    "keras_l4.optimizers": [
        "Adadelta",
        "Adagrad",
        "Adam",
        "AdamW",
        "Adamax",
        "Nadam",
        "RMSprop",
        "SGD",
        "instrument",
        "restore",
    ],
}
HEAVY = "keras", "tensorflow", "jax", "torch", "tensorboard"


@pytest.mark.parametrize("package", PUBLIC)
def test_all_is_pinned_and_every_name_resolves(package: str) -> None:
    module = import_module(package)

    assert sorted(module.__all__) == PUBLIC[package]
    for name in module.__all__:
        getattr(module, name)


def loaded_after(statement: str) -> set[str]:
    script = f"import sys\n{statement}\nprint(*(n for n in {HEAVY!r} if n in sys.modules))"
    command = [sys.executable, "-c", script]
    return set(subprocess.run(command, check=True, capture_output=True, text=True).stdout.split())


@pytest.mark.any_backend
def test_import_is_lazy() -> None:
    assert loaded_after("import keras_l4; dir(keras_l4); keras_l4.__version__") == set()


@pytest.mark.any_backend
def test_reading_a_record_loads_no_framework() -> None:
    names = "from keras_l4 import Run, StepBlock, load"
    assert loaded_after(names) <= {"tensorboard"}


@pytest.mark.any_backend
def test_star_import_brings_exactly_all() -> None:
    names: dict[str, object] = {}
    exec("from keras_l4 import *", names)
    assert set(names) - {"__builtins__"} == set(keras_l4.__all__)


@pytest.mark.any_backend
def test_dir_lists_the_lazy_names() -> None:
    assert set(keras_l4.__all__) <= set(dir(keras_l4))


@pytest.mark.any_backend
def test_unknown_name_is_reported_as_python_does() -> None:
    with pytest.raises(AttributeError, match=r"^module 'keras_l4' has no attribute 'adam'$"):
        _ = keras_l4.adam
    with pytest.raises(ImportError, match="cannot import name 'adam' from 'keras_l4'"):
        exec("from keras_l4 import adam")
