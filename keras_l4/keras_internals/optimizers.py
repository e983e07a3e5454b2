"""Parts of Keras optimizers that have no public name: slots, clipping, accumulated gradients.

An optimizer may wrap others. `unwrap_loss_scaling` goes from a `LossScaleOptimizer` to the optimizer
that it scales, `inner_optimizers` from a `MultiOptimizer` to those that it combines.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import Any

import keras

from keras_l4.keras_internals.overrides import override_on_instance


def backend_class(optimizer: Any) -> Any:
    """Returns the class that Keras instantiates for an optimizer class on the active backend.

    On torch that is a subclass with fused updates. `__new__` selects it for the exact public class
    only, so that a subclass of the public class would lose it.
    """
    return type(optimizer.__new__(optimizer))


def unwrap_loss_scaling(optimizer: Any) -> Any:
    """Returns the optimizer that has the slots and clips: the inner one of a `LossScaleOptimizer`."""
    is_scaling = isinstance(optimizer, keras.optimizers.LossScaleOptimizer)
    return optimizer.inner_optimizer if is_scaling else optimizer


def inner_optimizers(optimizer: Any) -> list[Any]:
    """Returns the optimizers that update variables: those of a `MultiOptimizer`, else the argument."""
    is_multi = isinstance(optimizer, keras.optimizers.MultiOptimizer)
    return optimizer.optimizers if is_multi else [optimizer]


def inner_optimizer_of(optimizer: Any, variable: Any) -> Any:
    """Returns the one of the `inner_optimizers` that updates the variable."""
    if not isinstance(optimizer, keras.optimizers.MultiOptimizer):
        return optimizer
    # `_var_to_optimizer_idx` is the assignment that Keras made in `build`. The public way, calling
    # the user's `optimizer_mapping` again, may create a new optimizer at each call.
    return optimizer.optimizers[optimizer._var_to_optimizer_idx[variable_key(optimizer, variable)]]


def loss_scale(optimizer: Any) -> Any:
    """Returns the factor by which the loss was multiplied, or None."""
    if isinstance(optimizer, keras.optimizers.LossScaleOptimizer):
        return optimizer.dynamic_scale
    return optimizer.loss_scale_factor


def raw_iterations(optimizer: Any) -> Any:
    """Returns the variable that counts all calls of `apply`."""
    # `_iterations` is the variable. The public `iterations` divides it by the accumulation steps,
    # so that it does not tell the calls between two updates apart.
    return optimizer._iterations


def num_iterations(optimizer: Any) -> int:
    """Returns `iterations` as an integer, also of a mirrored variable, which has no `int`."""
    return int(keras.ops.convert_to_numpy(optimizer.iterations))


def learning_rate(optimizer: Any) -> Any:
    """Returns the nominal learning rate; NaN for a `MultiOptimizer`, which has several."""
    is_multi = isinstance(optimizer, keras.optimizers.MultiOptimizer)
    return float("nan") if is_multi else optimizer.learning_rate


def scaled_learning_rate(optimizer: Any, factor: float) -> contextlib.AbstractContextManager[None]:
    """Multiplies the learning rate, or the value of its schedule, by `factor` inside the context."""
    # `_learning_rate` is the variable or the schedule. The public setter would assign to the
    # variable, and replay restores that variable before each run, which would undo it.
    base = vars(optimizer)["_learning_rate"]
    return override_on_instance(optimizer, _learning_rate=_ScaledSchedule(base, factor))


def set_learning_rate(optimizer: Any, rate: float) -> None:
    """Sets the learning rate to a recorded value, which a callback may have set.

    Does nothing for a schedule, which gives the recorded value again, and for a `MultiOptimizer`.
    """
    # Inside `scaled_learning_rate`, `_learning_rate` is the scaled schedule. The public setter would
    # replace it, and raises an error for a schedule.
    value = vars(unwrap_loss_scaling(optimizer)).get("_learning_rate")
    value = value.base if isinstance(value, _ScaledSchedule) else value
    if isinstance(value, keras.Variable):
        value.assign(rate)


class _ScaledSchedule(keras.optimizers.schedules.LearningRateSchedule):
    """A constant multiple of a schedule or a variable."""

    def __init__(self, base: Any, factor: float) -> None:
        self.base, self._factor = base, factor

    def __call__(self, step: Any) -> Any:
        value = self.base(step) if callable(self.base) else self.base
        return value * self._factor


def accumulation_steps(optimizer: Any) -> int:
    """Returns the number of gradients that one update averages.

    Raises:
        ValueError: The optimizers of a `MultiOptimizer` have different numbers.
    """
    steps = sorted({o.gradient_accumulation_steps or 1 for o in inner_optimizers(optimizer)})
    if len(steps) > 1:
        raise ValueError(
            f"The optimizers of a MultiOptimizer have gradient_accumulation_steps={steps}, so that "
            "they do not update at the same steps. Give all of them the same number to record them."
        )
    return steps[0]


def gradient_accumulators(optimizer: Any, variables: Sequence[Any]) -> list[Any]:
    """Returns the variables that sum the gradients of the micro-steps so far."""
    owners = [inner_optimizer_of(optimizer, v) for v in variables]
    pairs = zip(owners, variables, strict=True)
    # `_accumulated_gradients` has no public name: the gradient of an update is not known without it.
    return [owner._accumulated_gradients[variable_index(owner, v)] for owner, v in pairs]


def is_overwritten_by_gradient(optimizer: Any, variable: Any) -> bool:
    """Returns True for scales of float8, whose "gradient" is their new value."""
    # Without `_overwrite_variable_with_gradient`, such a value would be recorded as a gradient.
    return optimizer._overwrite_variable_with_gradient(variable)


def variable_key(optimizer: Any, variable: Any) -> Any:
    """Returns the identity of a variable, the same for a `keras.Variable` and its `tf.Variable`."""
    # Without `_var_key`, gradients that a custom loop takes by `tf.Variable` would match no variable.
    return optimizer._var_key(variable)


def variable_index(optimizer: Any, variable: Any) -> int:
    """Returns the position of the variable in the lists of slots."""
    # A search by identity in the variables would miss `tf.Variable`s; see `variable_key`.
    return optimizer._get_variable_index(variable)


def optimizer_slots(optimizer: Any, name: str) -> Sequence[Any]:
    """Returns the slots of one kind, one for each variable that the optimizer was built with.

    Args:
        optimizer: A built optimizer that has such slots.
        name: The attribute of Keras' optimizer without its underscore: `"velocities"`,
            `"velocity_hats"`, `"accumulators"`, `"accumulated_grads"`,
            `"accumulated_delta_vars"`, `"average_gradients"`, or `"u"` (Adamax).
    """
    # The public `Optimizer.variables` mixes all kinds; only private attributes separate them.
    # Without them, no effective learning rate could be computed.
    return getattr(optimizer, f"_{name}")


def has_clipping(optimizer: Any) -> bool:
    """Returns True if the optimizer clips gradients by norm, by global norm or by value."""
    inner = inner_optimizers(optimizer)
    return any(o.clipnorm or o.global_clipnorm or o.clipvalue for o in inner)


def clip_gradients(optimizer: Any, gradients: Sequence[Any], variables: Sequence[Any]) -> list[Any]:
    """Returns the gradients after the optimizer's own clipping."""
    owners = [inner_optimizer_of(optimizer, v) for v in variables]
    clipped = list(gradients)
    for owner in dict.fromkeys(owners):
        indices = [i for i, other in enumerate(owners) if other is owner]
        # `_clip_gradients` is what `apply` calls. A reimplementation might round differently, and
        # the recorded norm would not be that of the update.
        results = owner._clip_gradients([gradients[i] for i in indices])
        for i, gradient in zip(indices, results, strict=True):
            clipped[i] = gradient
    return clipped


def slot_owner(slot: Any, variables: Sequence[Any]) -> str:
    """Returns the path of the variable that a slot belongs to; "" for `iterations` and the like.

    Keras stores only the slot's name: the path with underscores instead of slashes, and the kind.
    """
    owners = [v.path for v in variables if slot.name.startswith(v.path.replace("/", "_"))]
    return max(owners, key=len, default="")


def unpickle(cls: Any, file: Any) -> Any:
    """Loads an optimizer from what its `__reduce__` returned."""
    # `_unpickle_model` is the function that Keras' own `__reduce__` names. The classes that record
    # return another function from `__reduce__`, which has to call it.
    return cls._unpickle_model(file)
