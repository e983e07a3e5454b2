"""`instrument` and `restore`: a recording optimizer looks like the original."""

from __future__ import annotations

from typing import Any

import keras
import pytest

import keras_l4
from keras_l4.optimizers import instrument, restore
from tests.training import build, train

STOCK = [keras.optimizers.Adam, keras.optimizers.SGD, keras.optimizers.Lion, keras.optimizers.AdamW]
OURS = [
    keras_l4.optimizers.Adagrad,
    keras_l4.optimizers.Adam,
    keras_l4.optimizers.RMSprop,
    keras_l4.optimizers.SGD,
]


@keras.saving.register_keras_serializable("package", name="Renamed")
class UserOptimizer(keras.optimizers.SGD):
    """A user's optimizer, registered under another name than that of its class."""


def unbuilt(cls: type) -> Any:
    return cls(0.1)


def built(cls: type) -> Any:
    optimizer = cls(0.1)
    optimizer.build([keras.Variable([1.0, 2.0])])
    return optimizer


def trained(cls: type) -> Any:
    model = build(cls(0.1))
    train(model)
    return model.optimizer


@pytest.mark.parametrize("make", [unbuilt, built, trained])
@pytest.mark.parametrize("cls", [*STOCK, UserOptimizer, *OURS])
def test_instrumented_optimizer_looks_like_the_original(cls: type, make: Any) -> None:
    optimizer = make(cls)
    original = type(optimizer)
    variables = list(optimizer.variables)
    tracked = list(optimizer._variables)

    assert instrument(optimizer) is optimizer
    recording = type(optimizer)

    assert optimizer.is_recording
    assert isinstance(optimizer, original)
    for attribute in ("__name__", "__qualname__", "__module__", "__doc__"):
        assert getattr(recording, attribute) == getattr(original, attribute)
    assert [id(v) for v in optimizer.variables] == [id(v) for v in variables]
    assert [id(v) for v in optimizer._variables] == [id(v) for v in tracked]

    assert restore(optimizer) is optimizer
    assert type(optimizer) is original
    assert [id(v) for v in optimizer.variables] == [id(v) for v in variables]
    assert [id(v) for v in optimizer._variables] == [id(v) for v in tracked]


@pytest.mark.parametrize("cls", [keras.optimizers.Adam, keras_l4.optimizers.Adam])
def test_instrument_and_restore_are_idempotent(cls: type) -> None:
    optimizer = instrument(built(cls))
    recorder, recording = optimizer.recorder, type(optimizer)
    instrument(optimizer)
    assert optimizer.recorder is recorder
    assert type(optimizer) is recording

    restore(optimizer)
    stock = type(optimizer)
    restore(optimizer)
    assert type(optimizer) is stock is type(unbuilt(cls))


def test_instrument_after_restore_creates_another_recorder() -> None:
    optimizer = built(keras.optimizers.Adam)
    first = instrument(optimizer).recorder
    again = instrument(restore(optimizer)).recorder

    assert first is not None
    assert again is not None
    assert again is not first


def test_loss_scale_optimizer_keeps_its_inner_optimizer() -> None:
    inner = keras.optimizers.Adam(0.1)
    scaled = keras.optimizers.LossScaleOptimizer(inner)
    scaled.build([keras.Variable([1.0])])
    names = [v.path for v in scaled.variables]
    instrument(scaled)

    assert isinstance(scaled, keras.optimizers.LossScaleOptimizer)
    assert scaled.inner_optimizer is inner
    assert type(inner) is type(keras.optimizers.Adam())
    assert [v.path for v in scaled.variables] == names
    assert type(restore(scaled)) is keras.optimizers.LossScaleOptimizer


@pytest.mark.parametrize("function", [instrument, restore])
@pytest.mark.parametrize("wrong", [None, "adam", keras.optimizers.Adam, object()])
def test_other_objects_raise_a_type_error(function: Any, wrong: Any) -> None:
    with pytest.raises(TypeError) as raised:
        function(wrong)
    message = str(raised.value)
    assert repr(wrong) in message
    assert "expected a keras.optimizers.Optimizer" in message


@pytest.mark.skipif(
    keras.backend.backend() != "torch", reason="only Keras on torch has fused updates"
)
@pytest.mark.parametrize("cls", [*OURS, keras.optimizers.Adam, keras.optimizers.SGD])
def test_torch_uses_its_fused_updates(cls: type, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    called: list[str] = []
    for name in ("_foreach_add_", "_foreach_add", "_foreach_mul_"):
        original = getattr(torch, name)
        monkeypatch.setattr(
            torch, name, lambda *a, f=original, n=name, **k: (called.append(n), f(*a, **k))[1]
        )
    model = build(cls(0.1))
    instrument(model.optimizer)
    train(model)
    ours = list(called)
    called.clear()
    train(build(getattr(keras.optimizers, cls.__name__)(0.1)))

    assert called
    assert ours == called


@pytest.mark.parametrize("cls", OURS)
def test_our_classes_derive_from_the_class_that_keras_instantiates(cls: type) -> None:
    stock = getattr(keras.optimizers, cls.__name__)

    assert isinstance(cls(0.1), type(stock(0.1)))
    assert cls(0.1, name="o").get_config() == stock(0.1, name="o").get_config()
