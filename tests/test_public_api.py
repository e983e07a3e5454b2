"""The public names, the signatures of callbacks, and what an import does."""

from __future__ import annotations

import inspect
import re
import subprocess
import sys
from importlib import import_module
from typing import Any

import pytest

import keras_l4
from keras_l4.session.options import Options

PUBLIC = {
    "keras_l4": [
        "Replay",
        "Run",
        "StepBlock",
        "Watch",
        "__version__",
        "callbacks",
        "curvature",
        "load",
        "observers",
        "optimizers",
        "replay",
        "surfaces",
        "watch",
    ],
    "keras_l4.curvature": [
        "CriticalPointReport",
        "CurvatureConfig",
        "Density",
        "Directions",
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
        "RecordingCallback",
        "TrainingDiagnostics",
    ],
    "keras_l4.observers": [
        "FindingsReport",
        "FlightRecorderObserver",
        "LossScalingReport",
        "MeanGradientNorm",
        "NonFiniteReport",
        "Observer",
        "ObserverContext",
        "SkippedUpdates",
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
        "AdaptiveRate",
        "EffectiveRate",
        "MeasuredRate",
        "Nadam",
        "NominalRate",
        "RMSprop",
        "RecordingMixin",
        "SGD",
        "backend_class",
        "closed_form",
        "instrument",
        "restore",
        "save_as",
    ],
    "keras_l4.quantities": [
        "DerivedQuantity",
        "DeviceQuantity",
        "EVERY_STEP",
        "ElementwiseRate",
        "MeasuredValues",
        "NormQuantity",
        "Quantity",
        "ReductionQuantity",
        "SAMPLED",
        "StepContext",
        "registry",
    ],
}
HEAVY = "keras", "tensorflow", "jax", "torch", "tensorboard"


@pytest.mark.parametrize("package", PUBLIC)
def test_all_is_pinned_and_every_name_resolves(package: str) -> None:
    module = import_module(package)

    assert sorted(module.__all__) == sorted(PUBLIC[package])
    for name in module.__all__:
        getattr(module, name)


CALLBACKS = [name for name in PUBLIC["keras_l4.callbacks"] if name != "RecordingCallback"]
SIGNATURES = ["watch", "RecordingCallback", *CALLBACKS]


def public_callable(name: str) -> Any:
    return keras_l4.watch if name == "watch" else getattr(keras_l4.callbacks, name)


def documented_arguments(documented: Any) -> list[str]:
    """The names in the section "Args:" of a docstring."""
    section = re.search(r"Args:\n(.*?)\n\n", inspect.getdoc(documented) or "", re.DOTALL)
    return re.findall(r"^    (\w+): ", section[1], re.MULTILINE) if section else []


@pytest.mark.parametrize("name", SIGNATURES)
def test_every_argument_is_in_the_signature_and_documented(name: str) -> None:
    parameters = inspect.signature(public_callable(name)).parameters

    assert documented_arguments(public_callable(name)) == list(parameters)
    for parameter in parameters.values():
        assert parameter.kind in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY)
        assert parameter.annotation is not parameter.empty


@pytest.mark.parametrize("name", SIGNATURES)
def test_common_arguments_have_the_same_default_everywhere(name: str) -> None:
    """Except for `every` of `Curvature`, which is the interval of its measurements."""
    parameters = inspect.signature(public_callable(name)).parameters
    common = inspect.signature(Options).parameters
    names = parameters.keys() & common.keys() - {"log_dir"}
    differing = {n for n in names if parameters[n].default != common[n].default}

    assert differing == ({"every"} if name == "Curvature" else set())


@pytest.mark.parametrize("name", CALLBACKS)
def test_every_callback_has_the_common_arguments(name: str) -> None:
    assert (
        inspect.signature(Options).parameters.keys()
        <= inspect.signature(public_callable(name)).parameters.keys()
    )


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


IMPORTS_PATCH_NOTHING = """
import keras

def functions_of_fit():
    fit = keras.Model.fit
    return [fit, *(cell.cell_contents for cell in fit.__closure__ or ())]


before, names = functions_of_fit(), dict(vars(keras.Model))
import keras_l4
import keras_l4.callbacks
import keras_l4.observers
keras_l4.watch

assert functions_of_fit() == before
assert dict(vars(keras.Model)) == names
keras_l4.callbacks.GradientNorms()
wrapped = functions_of_fit()
assert wrapped != before
keras_l4.callbacks.GradientNorms()
assert functions_of_fit() == wrapped
"""


def test_imports_patch_nothing_and_the_first_callback_wraps_fit_once() -> None:
    subprocess.run([sys.executable, "-c", IMPORTS_PATCH_NOTHING], check=True)
