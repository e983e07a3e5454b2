"""Config, clones, copies and pickles of an optimizer, recording or not."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import keras
import pytest

import keras_l4
from keras_l4.callbacks import GradientNorms
from keras_l4.optimizers import instrument, restore
from tests.training import build, train


def stock_adam() -> Any:
    return keras.optimizers.Adam(0.1, amsgrad=True, name="adam")


def our_adam() -> Any:
    return keras_l4.optimizers.Adam(0.1, amsgrad=True, name="adam")


@pytest.mark.parametrize("make", [stock_adam, our_adam])
def test_serialized_optimizer_is_that_of_stock_keras(make: Any) -> None:
    optimizer = make()
    config = keras.optimizers.serialize(optimizer)
    instrument(optimizer)

    assert keras.optimizers.serialize(optimizer) == config
    assert "keras_l4" not in str(config)
    deserialized = keras.optimizers.deserialize(config)
    assert type(deserialized) is type(stock_adam())
    assert deserialized.get_config() == optimizer.get_config()
    assert (
        type(optimizer).from_config(optimizer.get_config()).get_config()
        == deserialized.get_config()
    )


def test_from_config_returns_the_recording_class() -> None:
    config = our_adam().get_config()
    assert type(keras_l4.optimizers.Adam.from_config(config)) is type(our_adam())


def test_clone_can_be_compiled_with_a_copy_of_the_optimizer() -> None:
    model = build(our_adam())
    train(model, GradientNorms())
    clone = keras.models.clone_model(model)
    clone.set_weights(model.get_weights())
    clone.compile(type(model.optimizer).from_config(model.optimizer.get_config()), "mse")

    assert type(clone.optimizer) is keras_l4.optimizers.Adam
    train(clone, GradientNorms())


def _recording(make: Any) -> Any:
    optimizer = make()
    optimizer.build([keras.Variable([1.0, 2.0])])
    return instrument(optimizer)


# Stock Keras warns, too: an optimizer alone has no variables to load slots for.
@pytest.mark.filterwarnings("ignore:Skipping variable loading")
@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda o: pickle.loads(pickle.dumps(o))])
@pytest.mark.parametrize("make", [stock_adam, our_adam])
def test_copy_does_not_record(make: Any, duplicate: Any) -> None:
    original = _recording(make)
    copied = duplicate(original)

    assert type(copied) is type(make())
    assert copied.get_config() == original.get_config()
    assert original.is_recording
    assert not getattr(copied, "is_recording", False)
    copied.build([keras.Variable([1.0, 2.0])])
    assert len(copied.variables) == len(restore(original).variables)
