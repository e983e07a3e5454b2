"""Caches compiled loss derivatives on the model, and names layers without a second derivative."""

from __future__ import annotations

import bisect
import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from keras_l4 import keras_internals
from keras_l4.curvature.autodiff.custom_gradients import check_custom_gradients, layer_description
from keras_l4.curvature.autodiff.framework import derivatives
from keras_l4.curvature.autodiff.loss import Batch, Derivatives, Tensor, VectorProduct, pure_loss

_Arguments: TypeAlias = tuple[Sequence[Tensor], Sequence[Tensor], Batch]
_CACHE_NAME = "_keras_l4_derivatives"


@dataclass(frozen=True)
class _CachedDerivatives:
    """Compiled derivatives, with the loss and the variables that they were compiled for."""

    loss: Any
    variables: Sequence[Any]
    derivatives: Derivatives

    def is_valid_for(self, model: Any) -> bool:
        """Returns True if the model still has the same loss and trainable variables."""
        variables = model.trainable_variables
        has_same_variables = list(map(id, self.variables)) == list(map(id, variables))
        return has_same_variables and self.loss is keras_internals.compiled_loss(model)


def model_derivatives(model: Any) -> Derivatives:
    """Returns the loss of a compiled and built model and its derivatives; see `pure_loss`.

    They are compiled once per shape of a batch, and again after `model.compile`.

    `hessian` raises a NotImplementedError that names the layer if a layer has no second derivative.
    Its first call also checks custom gradients; see `check_custom_gradients`.
    """
    cached: _CachedDerivatives | None = getattr(model, _CACHE_NAME, None)
    if cached is None or not cached.is_valid_for(model):
        loss = keras_internals.compiled_loss(model)
        cached = _CachedDerivatives(loss, model.trainable_variables, _checked_derivatives(model))
        keras_internals.attach_untracked(model, _CACHE_NAME, cached)
    return cached.derivatives


def _checked_derivatives(model: Any) -> Derivatives:
    loss = pure_loss(model)
    unchecked = derivatives(loss)
    is_checked = False

    def hessian(*arguments: Any) -> VectorProduct:
        nonlocal is_checked
        if not is_checked:
            check_custom_gradients(lambda: loss(*arguments))
            is_checked = True
        with _naming_failed_layer(model, unchecked, arguments):
            multiply = unchecked.hessian(*arguments)

        def checked_multiply(tangents: Sequence[Tensor]) -> list[Tensor]:
            with _naming_failed_layer(model, unchecked, arguments):
                return multiply(tangents)

        return checked_multiply

    return unchecked._replace(hessian=hessian)


@contextlib.contextmanager
def _naming_failed_layer(
    model: Any, unchecked: Derivatives, arguments: _Arguments
) -> Iterator[None]:
    """Raises an error that names the layer if a second derivative fails inside the context."""
    try:
        yield
    except Exception as error:  # Each framework raises another type.
        # If the first derivative fails as well, its error is raised instead.
        unchecked.gradient(*arguments)
        # The trainable values serve as a vector: they have the right shapes.
        culprit = _failed_layer(model, lambda d: d.hessian(*arguments)(arguments[0]))
        raise NotImplementedError(
            f"{culprit} has no second derivative on this backend, so that there is no Hessian "
            f"({type(error).__name__}: {error}). Replace it by operations that can be "
            "differentiated twice, or use another backend."
        ) from error


def _failed_layer(model: Any, compute: Callable[[Derivatives], Any]) -> str:
    """Describes the layer at which the second derivative fails.

    That is the last of the layers that have to be treated as constants, counted from the first
    layer of the model, for `compute` to succeed.
    """
    layers = keras_internals.leaf_layers(model)

    def succeeds(num_constant: int) -> bool:
        try:
            compute(derivatives(pure_loss(model, layers[:num_constant])))
        except Exception:
            return False
        return True

    num_constant = bisect.bisect_left(range(len(layers) + 1), True, key=succeeds)
    if num_constant > len(layers):
        return "The loss function"
    return layer_description(layers[num_constant - 1])
