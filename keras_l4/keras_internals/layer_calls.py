"""Who is at work: the layers' calls, as they are entered and left."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any

import keras


def layer_path(layer: Any) -> str:
    """As in the paths of its variables; the name of a layer that has not been built."""
    return layer.path or layer.name


@contextlib.contextmanager
def around_layers(scope: Callable[[Any], AbstractContextManager[Any]]) -> Iterator[None]:
    """Enters `scope(layer)` around each call of a layer, or of a model."""
    # On the class, since a layer need not be tracked to be called, and casts its arguments before
    # `call`, which is what an instance could be given.
    call = keras.layers.Layer.__call__

    def scoped(layer: Any, *args: Any, **kwargs: Any) -> Any:
        with scope(layer):
            return call(layer, *args, **kwargs)

    keras.layers.Layer.__call__ = scoped
    try:
        yield
    finally:
        keras.layers.Layer.__call__ = call


@contextlib.contextmanager
def around_call(model: Any, scope: Callable[[Any], AbstractContextManager[Any]]) -> Iterator[None]:
    """Enters `scope(model)` around its `call`, for trainers that do not call the model itself."""
    call, own = model.call, vars(model).get("call")

    def scoped(*args: Any, **kwargs: Any) -> Any:
        with scope(model):
            return call(*args, **kwargs)

    # Straight into the dictionary: Keras tracks what is assigned.
    vars(model)["call"] = scoped
    try:
        yield
    finally:
        del vars(model)["call"]
        vars(model).update({} if own is None else {"call": own})
