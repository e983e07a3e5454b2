"""Computes in float32 instead of half precision, in one layer or in all."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

from keras_l4 import keras_internals
from keras_l4.forensics.capsule import Capsule
from keras_l4.forensics.remedies._base import (
    NotApplicable,
    Remedy,
    ReplayContext,
    with_attributes,
)

_HALF_PRECISION = ("float16", "bfloat16")


class Float32Layer(Remedy):
    """The layer of the origin computes in float32; the next layer casts its outputs."""

    name = "float32 in the layer"

    @contextlib.contextmanager
    def applied(self, context: ReplayContext) -> Iterator[Capsule]:
        layers = [
            layer
            for layer in keras_internals.all_layers(context.model)
            if context.layer and keras_internals.layer_path(layer) == context.layer
        ]
        if not layers:
            raise NotApplicable("the NaN or Inf did not originate in a layer")
        with _in_float32([part for layer in layers for part in keras_internals.all_layers(layer)]):
            yield context.capsule


class Float32Model(Remedy):
    """All layers compute in float32. Variables that are stored in half precision stay so."""

    name = "float32 in all layers"

    @contextlib.contextmanager
    def applied(self, context: ReplayContext) -> Iterator[Capsule]:
        with _in_float32(keras_internals.all_layers(context.model)):
            yield context.capsule


@contextlib.contextmanager
def _in_float32(layers: Sequence[Any]) -> Iterator[None]:
    half_precision = [layer for layer in layers if layer.compute_dtype in _HALF_PRECISION]
    if not half_precision:
        raise NotApplicable("it already computes in float32")
    with with_attributes(half_precision, dtype_policy="float32"):
        yield
