from __future__ import annotations

import warnings
from typing import Any

import keras
import pytest
from keras import layers

from keras_l4.keras_internals.overrides import (
    attach_untracked,
    override_calls,
    override_on_instance,
    patch,
    silence_warnings,
)

pytestmark = pytest.mark.any_backend


class Base:
    @classmethod
    def name(cls) -> str:
        return cls.__name__


class Derived(Base):
    pass


def test_patch_restores_a_class_method() -> None:
    with patch(Base, name=lambda: "patched"):
        assert Derived.name() == "patched"
    assert Derived.name() == "Derived"


def test_patch_of_an_inherited_attribute_is_removed() -> None:
    with patch(Derived, name=lambda: "patched"):
        assert Derived.name() == "patched"
    assert "name" not in vars(Derived)


def test_override_hides_a_method_and_restores_an_own_attribute() -> None:
    layer = layers.Dense(2)
    with override_on_instance(layer, units=3, call=len):
        assert (layer.units, layer.call) == (3, len)
    assert layer.units == 2
    assert "call" not in vars(layer)


def test_overridden_call_is_used_once_per_layer_call() -> None:
    calls: list[str] = []
    model = keras.Sequential([keras.Input((2,)), layers.Dense(2, name="a"), layers.ReLU(name="b")])

    def recorded(layer: Any, call: Any) -> Any:
        def recorded_call(*args: Any, **kwargs: Any) -> Any:
            calls.append(layer.name)
            return call(*args, **kwargs)

        return recorded_call

    x = keras.ops.ones((1, 2))
    with override_calls(model.layers, recorded):
        model(x)
    model(x)
    assert calls == ["a", "b"]


def test_attached_attribute_is_not_tracked() -> None:
    model = keras.Sequential([keras.Input((2,)), layers.Dense(2)])
    attach_untracked(model, "_keras_l4_layer", layers.Dense(2))
    assert len(model.layers) == 1


def test_warnings_are_silenced_inside_only(recwarn: pytest.WarningsRecorder) -> None:
    with silence_warnings():
        warnings.warn("inside", stacklevel=1)
    warnings.warn("after", stacklevel=1)
    assert [str(warning.message) for warning in recwarn] == ["after"]
