"""The private Keras names that recording cannot do without, each with its reason."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

import keras


def implementation(optimizer: Any) -> Any:
    """The class that Keras makes for `optimizer`.

    On torch that is a subclass with fused updates, which `__new__` picks by exact class, so that
    a plain subclass would lose it.
    """
    return type(optimizer.__new__(optimizer))


def inner_optimizer(optimizer: Any) -> Any:
    """The optimizer that holds slots and clipping: the inner one under loss scaling."""
    scaled = isinstance(optimizer, keras.optimizers.LossScaleOptimizer)
    return optimizer.inner_optimizer if scaled else optimizer


def loss_scale(optimizer: Any) -> Any:
    """What the loss was multiplied by, or None."""
    if isinstance(optimizer, keras.optimizers.LossScaleOptimizer):
        return optimizer.dynamic_scale
    return optimizer.loss_scale_factor


def raw_iterations(optimizer: Any) -> Any:
    """The counter of all calls; `iterations` divides it by the accumulation steps."""
    return optimizer._iterations


def num_iterations(optimizer: Any) -> int:
    """`iterations`, of which a mirrored variable of TensorFlow has no `int`."""
    return int(keras.ops.convert_to_numpy(optimizer.iterations))


def parts(optimizer: Any) -> list[Any]:
    """The optimizers that do the work: those in a `MultiOptimizer`, else the optimizer itself."""
    multi = isinstance(optimizer, keras.optimizers.MultiOptimizer)
    return optimizer.optimizers if multi else [optimizer]


def part_of(optimizer: Any, variable: Any) -> Any:
    """That of the `parts` which updates the variable."""
    if isinstance(optimizer, keras.optimizers.MultiOptimizer):
        # The public map may be a function that makes a new optimizer at each call.
        return optimizer.optimizers[optimizer._var_to_optimizer_idx[optimizer._var_key(variable)]]
    return optimizer


def learning_rate(optimizer: Any) -> Any:
    """The nominal one; NaN for a `MultiOptimizer`, which has several."""
    several = isinstance(optimizer, keras.optimizers.MultiOptimizer)
    return float("nan") if several else optimizer.learning_rate


@contextlib.contextmanager
def scaled_learning_rate(optimizer: Any, factor: float) -> Iterator[None]:
    """The learning rate, or what its schedule gives, times `factor` inside."""
    # The public setter would assign to the variable that is put back before each run.
    held = vars(optimizer)["_learning_rate"]
    vars(optimizer)["_learning_rate"] = _Scaled(held, factor)
    try:
        yield
    finally:
        vars(optimizer)["_learning_rate"] = held


def set_learning_rate(optimizer: Any, rate: float) -> None:
    """Sets what a callback may have set; what follows a schedule, or has several, keeps to it."""
    held = vars(inner_optimizer(optimizer)).get("_learning_rate")
    held = held.held if isinstance(held, _Scaled) else held
    if isinstance(held, keras.Variable):
        held.assign(rate)


class _Scaled(keras.optimizers.schedules.LearningRateSchedule):
    def __init__(self, held: Any, factor: float) -> None:
        self.held, self._factor = held, factor

    def __call__(self, step: Any) -> Any:
        given = self.held(step) if callable(self.held) else self.held
        return given * self._factor


def accumulation_steps(optimizer: Any) -> int:
    """Calls that one update adds up.

    Raises:
        ValueError: The parts of a `MultiOptimizer` do not agree on it.
    """
    steps = sorted({part.gradient_accumulation_steps or 1 for part in parts(optimizer)})
    if len(steps) > 1:
        raise ValueError(
            f"The optimizers of a MultiOptimizer have gradient_accumulation_steps={steps}: their "
            "updates are no steps in common. Give all of them the same number to record them."
        )
    return steps[0]


def accumulators(optimizer: Any, variables: Sequence[Any]) -> list[Any]:
    """The gradients accumulated so far; there is no public name for them."""
    held = [part_of(optimizer, v) for v in variables]
    pairs = zip(held, variables, strict=True)
    return [part._accumulated_gradients[variable_index(part, v)] for part, v in pairs]


def is_overwritten(optimizer: Any, variable: Any) -> bool:
    """Whether the variable is set to its "gradient", which is none then (scales of float8)."""
    return optimizer._overwrite_variable_with_gradient(variable)


def variable_key(optimizer: Any, variable: Any) -> Any:
    """Keras' identity of a variable, the same for a `keras.Variable` and its `tf.Variable`."""
    return optimizer._var_key(variable)


def variable_index(optimizer: Any, variable: Any) -> int:
    """Position of the variable in the slots."""
    return optimizer._get_variable_index(variable)


def clips(optimizer: Any) -> bool:
    """Whether gradients are clipped at all."""
    return any(p.clipnorm or p.global_clipnorm or p.clipvalue for p in parts(optimizer))


def clip(optimizer: Any, gradients: Sequence[Any], variables: Sequence[Any]) -> list[Any]:
    """The gradients as the optimizer consumes them, by the optimizer's own clipping."""
    owners = [part_of(optimizer, v) for v in variables]
    clipped = list(gradients)
    for part in dict.fromkeys(owners):
        mine = [i for i, owner in enumerate(owners) if owner is part]
        consumed = part._clip_gradients([gradients[i] for i in mine])
        for i, gradient in zip(mine, consumed, strict=True):
            clipped[i] = gradient
    return clipped


def slot_owner(slot: Any, variables: Sequence[Any]) -> str:
    """Path of the variable that a slot belongs to; "" for what belongs to none, as `iterations`.

    Keras keeps no more of it than a name: the path, with underscores for slashes, and the kind.
    """
    owners = [v.path for v in variables if slot.name.startswith(v.path.replace("/", "_"))]
    return max(owners, key=len, default="")
