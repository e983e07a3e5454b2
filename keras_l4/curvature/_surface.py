"""Surface: a function of two numbers, as a Keras model with these numbers as its weights."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from keras_l4.curvature._critical_point_report import Kind


@dataclass(frozen=True)
class CriticalPoint:
    """A point with gradient zero.

    Attributes:
        x, y: Its coordinates.
        kind: Its kind, as `classify` reports it.
    """

    x: float
    y: float
    kind: Kind


@dataclass(frozen=True)
class Surface:
    """A function of two numbers x and y, with derivatives that are exact to float64.

    Attributes:
        name: Name of the function.
        formula: Computes the function for numbers, arrays or tensors.
        slopes: Computes the first derivatives by x and y.
        curvatures: Computes the second derivatives: by x twice, by x and y, by y twice.
        critical_points: All critical points.
        start: Usual start point of an optimization.
    """

    name: str
    formula: Callable[[Any, Any], Any]
    slopes: Callable[[float, float], tuple[float, float]]
    curvatures: Callable[[float, float], tuple[float, float, float]]
    critical_points: tuple[CriticalPoint, ...]
    start: tuple[float, float]

    def value(self, x: float, y: float) -> float:
        """Returns the value of the function, in float64."""
        return float(self.formula(np.float64(x), np.float64(y)))

    def gradient(self, x: float, y: float) -> np.ndarray:
        """Returns the gradient, `float64[2]`."""
        return np.array(self.slopes(float(x), float(y)), np.float64)

    def hessian(self, x: float, y: float) -> np.ndarray:
        """Returns the Hessian, `float64[2, 2]`."""
        xx, xy, yy = self.curvatures(float(x), float(y))
        return np.array([[xx, xy], [xy, yy]], np.float64)

    def model(self, optimizer: Any, start: tuple[float, float] | None = None) -> Any:
        """Returns a compiled model with the weights x and y, whose loss is the function.

        Args:
            optimizer: Optimizer, as for `Model.compile`.
            start: Initial weights; None for the start point of the surface.

        >>> from keras_l4.curvature.surfaces import quadratic
        >>> bowl = quadratic(condition_number=4.0)
        >>> model = bowl.model("sgd", start=(1.0, 1.0))
        >>> history = model.fit(*bowl.data(), epochs=3, verbose=0)
        >>> [round(height, 2) for height in history.history["loss"]]
        [2.5, 2.33, 2.18]
        """
        point = _Point(self.formula, self.start if start is None else start, name="point")
        model = keras.Sequential([keras.Input((1,)), point], name=self.name)
        model.compile(optimizer, loss=_height)
        return model

    def data(self, num_examples: int = 1) -> tuple[np.ndarray, np.ndarray]:
        """Returns inputs and targets for `fit`. The loss does not depend on them; a batch is a step."""
        return np.zeros((num_examples, 1)), np.zeros((num_examples, 1))


class _Point(keras.layers.Layer):
    """A point on a surface. The output is the height of the surface, repeated for each example."""

    def __init__(
        self, formula: Callable[[Any, Any], Any], start: tuple[float, float], **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self._formula, self._start = formula, start

    def build(self, input_shape: Any) -> None:
        start = keras.initializers.Constant(self._start)
        self.position = self.add_weight(shape=(2,), initializer=start, name="position")

    def call(self, inputs: Any) -> Any:
        height = self._formula(self.position[0], self.position[1])
        return keras.ops.broadcast_to(height, keras.ops.shape(inputs))

    def compute_output_shape(self, input_shape: Any) -> Any:
        return input_shape


def _height(y_true: Any, y_pred: Any) -> Any:
    return keras.ops.mean(y_pred, axis=-1)
