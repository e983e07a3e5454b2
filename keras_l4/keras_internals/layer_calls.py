"""Enters a context around the calls of layers, so that an operation can be attributed to its layer."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any, TypeAlias

import keras

from keras_l4.keras_internals.overrides import override_calls, patch

LayerScope: TypeAlias = Callable[[Any], AbstractContextManager[Any]]
"""Maps a layer to the context of its call."""


def layer_path(layer: Any) -> str:
    """Returns the path of a layer, as in the paths of its variables, or its name before it is built."""
    return layer.path or layer.name


@contextlib.contextmanager
def scope_layer_calls(scope: LayerScope) -> Iterator[None]:
    """Enters `scope(layer)` around every call of a layer or a model inside the context.

    Patches `keras.layers.Layer.__call__`. Overriding `call` of each layer would miss layers that
    the model does not track, and the casts of the inputs, which happen before `call`.
    """
    layer_call = keras.layers.Layer.__call__

    def scoped_call(layer: Any, *args: Any, **kwargs: Any) -> Any:
        with scope(layer):
            return layer_call(layer, *args, **kwargs)

    with patch(keras.layers.Layer, __call__=scoped_call):
        yield


def scope_model_call(model: Any, scope: LayerScope) -> AbstractContextManager[None]:
    """Enters `scope(model)` around `model.call`, for JAX's trainer, which bypasses `model.__call__`."""

    def scoped(model: Any, call: Callable[..., Any]) -> Callable[..., Any]:
        def scoped_call(*args: Any, **kwargs: Any) -> Any:
            with scope(model):
                return call(*args, **kwargs)

        return scoped_call

    return override_calls([model], scoped)
