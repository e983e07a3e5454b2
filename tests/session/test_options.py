"""Every invalid argument is an error that names what was passed and what is expected."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import pytest

from keras_l4.callbacks import (
    EffectiveLearningRates,
    GradientNorms,
    NonFiniteMonitor,
    TrainingDiagnostics,
)
from tests.training import build, norms, rows, train

pytestmark = pytest.mark.any_backend

ALL = [EffectiveLearningRates, GradientNorms, NonFiniteMonitor, TrainingDiagnostics]
POSITIVE = ("every", "flush_every", "update_freq")


@pytest.mark.parametrize("value", [0, -1])
@pytest.mark.parametrize("name", POSITIVE)
def test_a_number_below_1_is_an_error(name: str, value: int) -> None:
    with pytest.raises(ValueError, match=f"^{name}={value}: expected an integer of at least 1.$"):
        TrainingDiagnostics(**{name: value})


@pytest.mark.parametrize("value", [1.5, True, "3", None])
@pytest.mark.parametrize("name", ["every", "update_freq", "histogram_freq"])
def test_a_number_that_is_not_an_integer_is_an_error(name: str, value: Any) -> None:
    with pytest.raises(TypeError) as raised:
        TrainingDiagnostics(**{name: value})
    assert str(raised.value).startswith(f"{name}={value!r}: expected an integer of at least ")


CASES: dict[str, tuple[Any, type[Exception], str]] = {
    "quantities": (
        ["gradient_norm", "gradient_nrom"],
        ValueError,
        r"quantities has 'gradient_nrom': expected some of \[.*'gradient_norm'",
    ),
    "on_nonfinite": (
        "explode",
        ValueError,
        'on_nonfinite=\'explode\': expected "warn", "stop" or "raise"',
    ),
    "by": ("model", ValueError, 'by=\'model\': expected "layer" or "variable"'),
    "include": ("dense[", ValueError, r"include='dense\[': expected a regular expression"),
    "exclude": (3, ValueError, "exclude=3: expected a regular expression"),
    "hooks": ([print, "print"], TypeError, "hooks contains 'print': expected callables"),
    "optimizer": ("adam", TypeError, "optimizer='adam' is a str; expected a keras.optimizers."),
    "histogram_freq": (-1, ValueError, "histogram_freq=-1: expected an integer of at least 0"),
    "flush_every": ("64", TypeError, "^flush_every='64': expected an integer of at least 1"),
    "flush_evry": (
        3,
        TypeError,
        r"^TrainingDiagnostics.__init__\(\) got an unexpected keyword argument 'flush_evry'",
    ),
    "log_dir": (5, TypeError, "^log_dir is of type int: expected a directory"),
    "look_at_data": ("no", TypeError, "look_at_data='no': expected True or False"),
}


@pytest.mark.parametrize("name", CASES)
def test_an_invalid_argument_is_an_error(name: str) -> None:
    value, error, message = CASES[name]
    with pytest.raises(error, match=message):
        TrainingDiagnostics(**{name: value})


@pytest.mark.parametrize("callback", ALL)
def test_every_callback_checks_its_arguments(callback: Any, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="every=0"):
        callback(every=0)
    with pytest.raises(TypeError, match="evry"):
        callback(evry=1)
    (tmp_path / "file").touch()
    with pytest.raises(NotADirectoryError):
        callback(tmp_path / "file")


@pytest.mark.parametrize("below", ["", "logs/run"])
def test_a_log_dir_that_is_a_file_or_below_one_is_an_error(below: str, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    log_dir = file / below
    with pytest.raises(NotADirectoryError) as raised:
        TrainingDiagnostics(log_dir)
    assert str(raised.value).startswith(f"log_dir={str(log_dir)!r}: {file} is a file; expected")


def test_a_log_dir_that_is_not_writable_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Patched, since the superuser may write to a directory of any mode.
    monkeypatch.setattr("os.access", lambda path, mode: False)
    with pytest.raises(PermissionError) as raised:
        TrainingDiagnostics(tmp_path / "logs")
    assert str(tmp_path / "logs") in str(raised.value)
    assert f"{tmp_path} is not writable; choose" in str(raised.value)


def test_a_model_that_is_not_compiled_is_an_error() -> None:
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
    # Keras checks fit and evaluate itself, but not predict.
    with pytest.raises(ValueError, match="GradientNorms was given a model that is not compiled"):
        model.predict(rows()[0], verbose=0, callbacks=[GradientNorms()])


@pytest.mark.parametrize("name", ["include", "exclude"])
def test_patterns_that_leave_no_variable_are_an_error(name: str, tmp_path: Path) -> None:
    model = build()
    with pytest.raises(ValueError, match="leave no variable to record") as raised:
        train(model, norms(tmp_path, **{name: "^nowhere" if name == "include" else "."}))

    assert "Choose among: ['sequential/dense/kernel'" in str(raised.value)
    assert type(model.optimizer) is type(keras.optimizers.Adam())
    assert not [note for note in getattr(raised.value, "__notes__", ()) if "keras_l4" in note]
    train(model, norms(tmp_path))


@pytest.mark.parametrize(
    ("name", "value"), [("quantities", "gradient_norm"), ("hooks", print), ("hooks", 5)]
)
def test_a_single_value_instead_of_a_list_is_an_error(name: str, value: Any) -> None:
    with pytest.raises(TypeError, match=rf"^{name}=.*: expected a list of "):
        TrainingDiagnostics(**{name: value})


def test_an_optimizer_that_takes_no_step_is_reported() -> None:
    model = build()
    with pytest.warns(RuntimeWarning, match="the optimizer 'sgd' took no step in this fit"):
        train(model, GradientNorms(optimizer=keras.optimizers.SGD(name="sgd")))
