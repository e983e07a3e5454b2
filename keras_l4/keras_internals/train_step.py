"""TrainStep: another train step, for a time, on one model."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import keras
import numpy as np
from keras import ops


class TrainStep:
    """Replaces `model.train_step`.

    Args:
        model: The model.
        step: What takes its place, of the same arguments.
    """

    def __init__(self, model: Any, step: Callable[..., Any]) -> None:
        # The dictionary: Keras, TensorFlow and torch track what is assigned. A look-up finds it
        # there before the method of the class.
        self._attributes = vars(model)
        self._own = self._attributes.get("train_step")
        self._attributes["train_step"] = step

    def give_back(self) -> None:
        """The model has the train step that it had."""
        if self._own is None:
            del self._attributes["train_step"]
        else:
            self._attributes["train_step"] = self._own


@contextlib.contextmanager
def retraced(model: Any) -> Iterator[None]:
    """Steps that are run inside are traced as the model and its optimizer are then."""
    own = model.train_step
    # JAX keeps what it traced under the function, and a method is equal to itself: another function
    # is not.
    step = TrainStep(model, lambda *arguments: own(*arguments))
    model.train_function = None
    try:
        yield
    finally:
        step.give_back()
        model.train_function = None


Guards = Callable[[], Sequence[keras.Variable]]
_BEGIN = np.array([0, 1], "int32")


def put_back(
    model: Any, guards: Guards, cond: Callable[..., Any], functional: bool
) -> Callable[..., Any]:
    """`model.train_step`, which leaves layers and metrics alone where an update was held back.

    Seed generators advance all the same.

    Args:
        model: The model.
        guards: Gives the states of the guards of its optimizers, `int[2]`, of which the first
            says whether an update was held back since the train step began.
    """
    train_step = model.train_step

    def guarded(*arguments: Any) -> Any:
        held = guards()
        # The first step of a model that is built by its first batch has none.
        return run(model, train_step, held, cond, *arguments) if held else train_step(*arguments)

    run = _carried if functional else _captured
    return guarded


def _captured(model: Any, train_step: Any, guards: Sequence[Any], cond: Any, data: Any) -> Any:
    for guard in guards:
        guard.assign(guard * _BEGIN)
    variables = [*model.non_trainable_weights, *model.metrics_variables]
    before = [ops.copy(v) for v in variables]
    logs = train_step(data)
    held = _held([ops.convert_to_tensor(guard) for guard in guards])
    after = [ops.convert_to_tensor(v) for v in variables]
    for variable, value in zip(variables, _kept(cond, held, before, after), strict=True):
        variable.assign(value)
    return _with_metrics(model, logs)


def _carried(
    model: Any, train_step: Any, guards: Sequence[Any], cond: Any, state: Any, data: Any
) -> tuple[Any, Any]:
    before, optimizer, metrics_before = list(state[1]), list(state[2]), list(state[3])
    names = {id(guard) for guard in guards}
    places = [i for i, v in enumerate(model.optimizer.variables) if id(v) in names]
    for place in places:
        optimizer[place] = optimizer[place] * _BEGIN
    logs, after = train_step((state[0], before, optimizer, metrics_before), data)
    trainable, non_trainable, optimizer, metrics = after
    held = _held([optimizer[place] for place in places])
    weights = {id(v) for v in model.non_trainable_weights}
    are_seeds = [id(v) not in weights for v in model.non_trainable_variables]
    before = [
        new if is_seed else old
        for is_seed, old, new in zip(are_seeds, before, non_trainable, strict=True)
    ]
    non_trainable = _kept(cond, held, before, non_trainable)
    metrics = _kept(cond, held, metrics_before, metrics)
    with keras.StatelessScope(list(zip(model.metrics_variables, metrics, strict=True))):
        logs = _with_metrics(model, logs)
    return logs, (trainable, non_trainable, optimizer, metrics)


def _held(guards: Sequence[Any]) -> Any:
    return ops.any(ops.stack([guard[0] > 0 for guard in guards]))


def _kept(cond: Any, held: Any, before: Sequence[Any], after: Sequence[Any]) -> Sequence[Any]:
    # XLA would make one loop of `where` and of what computes the state, and round that differently.
    return cond(held, lambda: list(before), lambda: list(after)) if before else before


def _with_metrics(model: Any, logs: Any) -> Any:
    """The logs, with metrics as they are now."""
    metrics = model.get_metrics_result()
    return logs | {name: metrics[name] for name in logs if name in metrics}
