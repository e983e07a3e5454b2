"""surface: a slice of a model's loss surface."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, Unpack

import numpy as np

from keras_l4.curvature._config import CurvatureArguments, CurvatureConfig
from keras_l4.curvature._eigenpairs import extreme_eigenpairs
from keras_l4.curvature._filters import is_vector, normalize_filters, output_axes
from keras_l4.curvature._objective import Objective
from keras_l4.curvature._operator import hessian_operator

Directions: TypeAlias = Literal["random", "pca", "hessian"]
NUM_POINTS = 21
_MARGIN = 1.2


@dataclass(frozen=True)
class Slice:
    """A slice of a loss surface, with the model's weights in its middle.

    Attributes:
        directions: How the directions of the axes were chosen.
        multiples: Multiples of the directions, `float64[num_points]`; the same along each axis.
        loss: The loss at these points, `float64[num_points]` or `float64[num_points, num_points]`;
            the first direction is the first axis.
        path: Coordinates of the trajectory in these directions, `float64[points, dimensions]`; empty
            without a trajectory.
        path_loss: The loss at the points of the trajectory, which may lie outside of the slice.
        explained_variance: For "pca", the share of the trajectory's variance along each direction.
        unknown_filters: For "random", the paths of the weights that were treated as one filter.
    """

    directions: Directions
    multiples: np.ndarray
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
    **config: Unpack[CurvatureArguments],
) -> Slice:
    """Computes the loss around a model's weights, along one direction or two.

    Random directions have the norm of the weights, filter by filter, so that a multiple of 1 is a
    change as large as the weights, and layers of different scales can be compared. Vectors, such as
    biases and the weights of BatchNormalization, are not moved (Li, Xu, Taylor, Studer, Goldstein
    2018). What a filter is depends on the layer; a weight of an unknown layer is one filter.
    "hessian" takes the eigenvectors of λmax and λmin, "pca" the directions along which the trajectory
    is longest; these have length 1.

    Args:
        model: A compiled model. Its variables are not changed.
        x: Inputs: an array, or a structure of arrays.
        y: Targets: an array, or a structure of arrays; None if the model adds its own loss.
        sample_weight: Weights of the examples, or None.
        directions: `"random"`, `"pca"` or `"hessian"`.
        dimensions: 1 or 2.
        trajectory: Values of the trainable variables at several moments of training.
        span: Largest multiple of the directions, to both sides. None for 1 with random directions,
            and for 1.2 times the extent of the trajectory otherwise.
        num_points: Number of points along each direction.
        **config: Fields of `keras_l4.curvature.CurvatureConfig`; `batch_size`, `max_steps`,
            `tolerance` and `seed` have an effect.

    Raises:
        TypeError: The data are not arrays, but a dataset, for instance.
        ValueError: An argument is invalid.

    Example:

    >>> import keras_l4
    >>> bowl = keras_l4.surfaces.quadratic(condition_number=100.0)
    >>> model = bowl.model("sgd", start=(0.0, 0.0))
    >>> result = surface(model, *bowl.data(), directions="hessian", dimensions=1, num_points=3)
    >>> result.multiples.tolist(), result.loss.tolist()
    ([-1.0, 0.0, 1.0], [50.0, 0.0, 50.0])
    """
    if dimensions not in (1, 2) or num_points < 2:
        raise ValueError(
            f"dimensions={dimensions!r}, num_points={num_points!r}: expected 1 or 2, and at least 2."
        )
    settings = CurvatureConfig(**config)
    objective = Objective(model, x, y, sample_weight, batch_size=settings.batch_size)
    points = None if trajectory is None else np.array([_flatten(w) for w in trajectory])
    axes, shares = _select_directions(directions, model, objective, points, settings)
    axes = axes[:dimensions]
    points = np.empty((0, objective.size)) if points is None else points
    path = (points - objective.weights) @ np.linalg.pinv(axes)
    if span is None:
        span = 1.0 if directions == "random" else _span_of(path)
    multiples = np.linspace(-span, span, num_points)
    grid = np.stack(np.meshgrid(*[multiples] * dimensions, indexing="ij"), axis=-1)
    return Slice(
        directions=directions,
        multiples=multiples,
        loss=np.apply_along_axis(
            lambda coordinates: objective.loss(objective.weights + coordinates @ axes), -1, grid
        ),
        path=path,
        path_loss=np.array([objective.loss(point) for point in points]),
        explained_variance=shares[:dimensions],
        unknown_filters=_unknown_filters(model) if directions == "random" else (),
    )


def _span_of(path: np.ndarray) -> float:
    """Returns the extent of a path with a margin; 1 for a path that is empty or a single point."""
    return _MARGIN * float(np.abs(path).max(initial=0.0)) or 1.0


def _select_directions(
    kind: Directions,
    model: Any,
    objective: Objective,
    points: np.ndarray | None,
    config: CurvatureConfig,
) -> tuple[np.ndarray, tuple[float, ...]]:
    """Returns two directions, `float64[2, size]`, and the shares of the trajectory's variance.

    Raises:
        ValueError: `kind` is not one of the three, or "pca" has no trajectory.
    """
    if kind == "random":
        return random_directions(model, objective, config.seed), ()
    if kind == "hessian":
        vectors = extreme_eigenpairs(hessian_operator(objective), config).vectors
        return np.array([vectors[:, -1], vectors[:, 0]]), ()
    if kind != "pca":
        raise ValueError(f'directions={kind!r}: expected "random", "pca" or "hessian".')
    if points is None or len(points) < 3:
        raise ValueError(
            'directions="pca" needs a trajectory of at least three points: '
            "trajectory=[weights after each epoch], as model.get_weights() returns them for a model "
            "whose weights are all trainable."
        )
    return _principal_directions(points, objective.weights)


def random_directions(model: Any, objective: Objective, seed: int) -> np.ndarray:
    """Returns two normal directions with the filter norms of the weights (Li et al. 2018)."""
    rng, axes = np.random.default_rng(seed), output_axes(model)
    weights = objective.shaped_weights()
    samples = [_normal_sample(objective, rng) for _ in range(2)]
    return np.array([_flatten(normalize_filters(sample, weights, axes)) for sample in samples])


def _normal_sample(objective: Objective, rng: np.random.Generator) -> list[np.ndarray]:
    return [
        np.zeros(variable.shape) if is_vector(variable) else rng.normal(size=variable.shape)
        for variable in objective.variables
    ]


def _unknown_filters(model: Any) -> tuple[str, ...]:
    """Returns the paths of the weights whose filters are not known."""
    pairs = zip(model.trainable_variables, output_axes(model), strict=True)
    return tuple(v.path for v, axes in pairs if axes is None and not is_vector(v))


def _principal_directions(
    points: np.ndarray, end: np.ndarray
) -> tuple[np.ndarray, tuple[float, ...]]:
    """Returns the two directions with the largest variance of the points around `end`, and their shares."""
    _, sizes, vectors = np.linalg.svd(points - end, full_matrices=False)
    shares = sizes**2 / np.square(sizes).sum()
    return vectors[:2], tuple(shares[:2].tolist())


def _flatten(arrays: Sequence[np.ndarray]) -> np.ndarray:
    return np.concatenate([np.asarray(array, np.float64).reshape(-1) for array in arrays])
