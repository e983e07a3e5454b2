"""The derivatives of a model's loss, kept with the model; and who has no second one."""

from __future__ import annotations

import bisect
import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from keras_l4.curvature.autodiff.custom_gradients import check_own_gradients, described
from keras_l4.curvature.autodiff.framework import derivatives
from keras_l4.curvature.autodiff.loss import Batch, Derivatives, Product, pure_loss
from keras_l4.keras_internals.models import leaf_layers


@dataclass(frozen=True)
class _Kept:
    """What was compiled, and what it was compiled for."""

    loss: Any
    variables: Sequence[Any]
    derivatives: Derivatives

    def fits(self, model: Any) -> bool:
        """Whether it is still the same loss, of the same variables."""
        ours, theirs = self.variables, model.trainable_variables
        same = len(ours) == len(theirs) and all(map(_is, ours, theirs))
        return same and self.loss is model._compile_loss


def _is(one: Any, other: Any) -> bool:
    return one is other


def model_derivatives(model: Any) -> Derivatives:
    """The loss of a compiled and built model on a batch, and its derivatives; see `pure_loss`.

    They are compiled once for each shape of a batch, until the model is compiled anew.
    `hessian` raises a NotImplementedError that names the layer where one has no second derivative,
    and, on its first call, where one has a wrong one: see `check_own_gradients`.
    """
    # Straight into the dictionary: Keras, TensorFlow and torch track what is assigned.
    kept: _Kept | None = vars(model).get("_keras_l4_derivatives")
    if kept is None or not kept.fits(model):
        # Keras replaces this object when the model is compiled; there is no public sign of it.
        kept = _Kept(model._compile_loss, model.trainable_variables, _explained(model))
        vars(model)["_keras_l4_derivatives"] = kept
    return kept.derivatives


def _explained(model: Any) -> Derivatives:
    loss = pure_loss(model)
    plain = derivatives(loss)
    is_checked = False

    def hessian(values: Sequence[Any], rest: Sequence[Any], batch: Batch) -> Product:
        nonlocal is_checked
        at = (values, rest, batch)
        if not is_checked:
            check_own_gradients(lambda: loss(*at))
            is_checked = True
        with _explaining(model, plain, at):
            products = plain.hessian(*at)

        def product(tangents: Sequence[Any]) -> list[Any]:
            with _explaining(model, plain, at):
                return products(tangents)

        return product

    return plain._replace(hessian=hessian)


@contextlib.contextmanager
def _explaining(
    model: Any, plain: Derivatives, at: tuple[Sequence[Any], Sequence[Any], Batch]
) -> Iterator[None]:
    try:
        yield
    except Exception as error:  # Each framework has its own for it.
        plain.gradient(*at)
        # Values have the shapes of tangents.
        where = _without_second_derivative(model, lambda some: some.hessian(*at)(at[0]))
        raise NotImplementedError(
            f"{where} has no second derivative on this backend, so that there is no Hessian "
            f"({type(error).__name__}: {error}). Replace it by operations that can be "
            "differentiated twice, or use another backend."
        ) from error


def _without_second_derivative(model: Any, attempt: Callable[[Derivatives], Any]) -> str:
    """The last layer that has to be taken for a constant, with those before it, to succeed."""
    layers = leaf_layers(model)

    def succeeds(number: int) -> bool:
        try:
            attempt(derivatives(pure_loss(model, layers[:number])))
        except Exception:
            return False
        return True

    number = bisect.bisect_left(range(len(layers) + 1), True, key=succeeds)
    if number > len(layers):
        return "The loss function"
    return described(layers[number - 1])
