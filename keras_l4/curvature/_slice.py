"""surface: a cut through a model's loss surface."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, Unpack

import numpy as np

from keras_l4.curvature._directions import Directions, chosen, unknown_filters
from keras_l4.curvature._effort import Effort, EffortArguments
from keras_l4.curvature._objective import Objective

NUM_POINTS = 21
_ROOM = 1.2


@dataclass(frozen=True)
class Slice:
    """A cut through a loss surface, with the model's weights in its middle.

    Attributes:
        directions: What the axes are.
        steps: Multiples of the directions, `float64[num_points]`; the same along each axis.
        loss: At them, `float64[num_points]` or `float64[num_points, num_points]`, the first
            direction along the first axis.
        path: The trajectory in these directions, `float64[points, dimensions]`; empty without one.
        path_loss: The loss at the trajectory's own points, which need not lie in the cut.
        explained_variance: For "pca", the share of the trajectory's variance along each direction.
        unknown_filters: For "random", paths of the weights that were taken for one filter.
    """

    directions: Directions
    steps: np.ndarray
    loss: np.ndarray
    path: np.ndarray
    path_loss: np.ndarray
    explained_variance: tuple[float, ...]
    unknown_filters: tuple[str, ...]


def surface(
    model: Any,
    x: Any,
    y: Any = None,
    sample_weight: Any = None,
    *,
    directions: Directions = "random",
    dimensions: Literal[1, 2] = 2,
    trajectory: Sequence[Sequence[np.ndarray]] | None = None,
    span: float | None = None,
    num_points: int = NUM_POINTS,
    **effort: Unpack[EffortArguments],
) -> Slice:
    """The loss around a model's weights, along one direction or two.

    Random directions have, filter by filter, the norm of the weights, so that 1 is a change as
    large as they are, and layers of any scale can be compared; vectors, such as biases and those
    of BatchNormalization, are left at rest (Li, Xu, Taylor, Studer, Goldstein 2018). What a filter
    is depends on the layer; a weight of an unknown layer is one. "hessian" takes the eigenvectors
    of λmax and λmin, "pca" the directions in which the trajectory was longest, of length 1.

    Args:
        model: A compiled model. Its variables stay as they are.
        x: Inputs: an array, or a structure of them.
        y: Targets, likewise; None where the model adds its own loss.
        sample_weight: Weights of the examples, or None.
        directions: `"random"`, `"pca"` or `"hessian"`.
        dimensions: 1 or 2.
        trajectory: Values of the trainable variables at several moments of training.
        span: How far to go, to both sides, in multiples of the directions. None for 1, but along
            directions of length 1 for a fifth farther than the trajectory.
        num_points: Points along each direction.
        **effort: As for `spectrum`; `batch_size`, `max_steps`, `tolerance` and `seed` matter.

    Raises:
        TypeError: The data are no arrays, but a dataset, for instance.
        ValueError: An argument is not as it should be.

    Example:

    >>> import keras_l4
    >>> bowl = keras_l4.surfaces.quadratic(condition_number=100.0)
    >>> model = bowl.model("sgd", start=(0.0, 0.0))
    >>> cut = surface(model, *bowl.data(), directions="hessian", dimensions=1, num_points=3)
    >>> cut.steps.tolist(), cut.loss.tolist()
    ([-1.0, 0.0, 1.0], [50.0, 0.0, 50.0])
    """
    if dimensions not in (1, 2) or num_points < 2:
        raise ValueError(
            f"dimensions={dimensions!r}, num_points={num_points!r}: expected 1 or 2, and at least 2."
        )
    limits = Effort(**effort)
    objective = Objective(model, x, y, sample_weight, batch_size=limits.batch_size)
    way = None if trajectory is None else np.array([_flat(weights) for weights in trajectory])
    axes, shares = chosen(directions, model, objective, way, limits)
    axes = axes[:dimensions]
    points = np.empty((0, objective.size)) if way is None else way
    path = (points - objective.weights) @ np.linalg.pinv(axes)
    reach = (1.0 if directions == "random" else _reach(path)) if span is None else span
    steps = np.linspace(-reach, reach, num_points)
    grid = np.stack(np.meshgrid(*[steps] * dimensions, indexing="ij"), axis=-1)
    return Slice(
        directions=directions,
        steps=steps,
        loss=np.apply_along_axis(
            lambda at: objective.loss(objective.weights + at @ axes), -1, grid
        ),
        path=path,
        path_loss=np.array([objective.loss(point) for point in points]),
        explained_variance=shares[:dimensions],
        unknown_filters=unknown_filters(model) if directions == "random" else (),
    )


def _reach(path: np.ndarray) -> float:
    """A fifth farther than a path went; 1 where it went nowhere."""
    return _ROOM * float(np.abs(path).max(initial=0.0)) or 1.0


def _flat(weights: Sequence[np.ndarray]) -> np.ndarray:
    return np.concatenate([np.asarray(weight, np.float64).reshape(-1) for weight in weights])
