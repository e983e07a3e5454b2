"""TrainStep: another train step, for a time, on one model."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any


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
