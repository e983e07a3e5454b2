"""P4: config, clones, copies and pickles of an optimizer, while it records and not."""

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


def stock() -> Any:
    return keras.optimizers.Adam(0.1, amsgrad=True, name="adam")


def ours() -> Any:
    return keras_l4.optimizers.Adam(0.1, amsgrad=True, name="adam")


@pytest.mark.parametrize("make", [stock, ours])
def test_serialize_and_back(make: Any) -> None:
    optimizer = make()
    described = keras.optimizers.serialize(optimizer)
    instrument(optimizer)

    assert keras.optimizers.serialize(optimizer) == described
    assert "keras_l4" not in str(described)
    back = keras.optimizers.deserialize(described)
    assert type(back) is type(stock())
    assert back.get_config() == optimizer.get_config()
    assert type(optimizer).from_config(optimizer.get_config()).get_config() == back.get_config()


def test_from_config_of_ours_is_ours() -> None:
    config = ours().get_config()
    assert type(keras_l4.optimizers.Adam.from_config(config)) is type(ours())


def test_a_clone_compiled_with_a_copy() -> None:
    model = build(ours())
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


# Stock Keras says so, too: an optimizer alone has no variables to load slots for.
@pytest.mark.filterwarnings("ignore:Skipping variable loading")
@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda o: pickle.loads(pickle.dumps(o))])
@pytest.mark.parametrize("make", [stock, ours])
def test_a_copy_does_not_record(make: Any, duplicate: Any) -> None:
    original = _recording(make)
    twin = duplicate(original)

    assert type(twin) is type(make())
    assert twin.get_config() == original.get_config()
    assert original.is_recording
    assert not getattr(twin, "is_recording", False)
    twin.build([keras.Variable([1.0, 2.0])])
    assert len(twin.variables) == len(restore(original).variables)
