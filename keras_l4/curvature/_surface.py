"""Surface: a function of two numbers, as a model that learns where it is low."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from keras_l4.curvature._kinds import Kind


@dataclass(frozen=True)
class CriticalPoint:
    """A point without slope.

    Attributes:
        x, y: Where it is.
        kind: What it is, as `classify` says it.
    """

    x: float
    y: float
    kind: Kind


@dataclass(frozen=True)
class Surface:
    """A function of two numbers x and y, known to float64.

    Attributes:
        name: What it is called.
        formula: The function, of numbers, arrays or tensors.
        slopes: Its first derivatives by x and y.
        curvatures: Its second derivatives: by x twice, by both, by y twice.
        critical_points: All of them.
        start: A usual point to begin at.
    """

    name: str
    formula: Callable[[Any, Any], Any]
    slopes: Callable[[float, float], tuple[float, float]]
    curvatures: Callable[[float, float], tuple[float, float, float]]
    critical_points: tuple[CriticalPoint, ...]
    start: tuple[float, float]

    def value(self, x: float, y: float) -> float:
        """The function there, in float64."""
        return float(self.formula(np.float64(x), np.float64(y)))

    def gradient(self, x: float, y: float) -> np.ndarray:
        """Its gradient there, `float64[2]`."""
        return np.array(self.slopes(float(x), float(y)), np.float64)

    def hessian(self, x: float, y: float) -> np.ndarray:
        """Its Hessian there, `float64[2, 2]`."""
        xx, xy, yy = self.curvatures(float(x), float(y))
        return np.array([[xx, xy], [xy, yy]], np.float64)

    def model(self, optimizer: Any, start: tuple[float, float] | None = None) -> Any:
        """A compiled model with the weights x and y, whose loss is the function.

        Args:
            optimizer: As `compile` takes it.
            start: Where it begins; `start` of the surface if None.

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
        """Inputs and targets for `fit`, on which nothing depends: one step per batch."""
        return np.zeros((num_examples, 1)), np.zeros((num_examples, 1))


class _Point(keras.layers.Layer):
    """A point on a surface; the output is its height, once for each example."""

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
