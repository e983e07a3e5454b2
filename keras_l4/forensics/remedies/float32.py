"""float32 instead of half precision, in one layer or everywhere."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from keras_l4 import keras_internals
from keras_l4.forensics.capsule import Capsule
from keras_l4.forensics.remedies._base import DoesNotApply, Remedy, ReplayContext, changed

_HALF = ("float16", "bfloat16")


class Float32Layer(Remedy):
    """In the layer that was named; the next one casts what it gives back."""

    name = "float32 in the layer"

    @contextlib.contextmanager
    def given(self, patient: ReplayContext) -> Iterator[Capsule]:
        layers = keras_internals.all_layers(patient.model)
        named = [
            x for x in layers if patient.layer and keras_internals.layer_path(x) == patient.layer
        ]
        if not named:
            raise DoesNotApply("no layer was named")
        with _in_float32([part for layer in named for part in keras_internals.all_layers(layer)]):
            yield patient.capsule


class Float32Model(Remedy):
    """In all layers; variables that are stored in half precision stay so."""

    name = "float32 in all layers"

    @contextlib.contextmanager
    def given(self, patient: ReplayContext) -> Iterator[Capsule]:
        with _in_float32(keras_internals.all_layers(patient.model)):
            yield patient.capsule


@contextlib.contextmanager
def _in_float32(layers: list[Any]) -> Iterator[None]:
    half = [layer for layer in layers if layer.compute_dtype in _HALF]
    if not half:
        raise DoesNotApply("it computes in float32 already")
    with changed(half, dtype_policy="float32"):
        yield
