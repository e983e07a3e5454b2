"""Directions: which way to cut through a loss surface."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

from keras_l4.curvature._effort import Effort
from keras_l4.curvature._filters import is_vector, normalised, output_axes
from keras_l4.curvature._objective import Objective
from keras_l4.curvature._operator import hessian
from keras_l4.curvature._survey import eigen

Directions = Literal["random", "pca", "hessian"]


def chosen(
    kind: Directions,
    model: Any,
    objective: Objective,
    trajectory: np.ndarray | None,
    effort: Effort,
) -> tuple[np.ndarray, tuple[float, ...]]:
    """Two directions, `float64[2, size]`, and the shares of the trajectory's variance in them.

    Raises:
        ValueError: `kind` is none of the three, or "pca" has no trajectory.
    """
    if kind == "random":
        return random(model, objective, effort.seed), ()
    if kind == "hessian":
        vectors = eigen(hessian(objective), effort).vectors
        return np.array([vectors[:, -1], vectors[:, 0]]), ()
    if kind != "pca":
        raise ValueError(f'directions={kind!r}: expected "random", "pca" or "hessian".')
    if trajectory is None or len(trajectory) < 3:
        raise ValueError(
            'directions="pca" needs a trajectory of three points at least: '
            "trajectory=[weights after each epoch], as model.get_weights() gives them for a model "
            "whose weights are all trainable."
        )
    return principal(trajectory, objective.weights)


def random(model: Any, objective: Objective, seed: int) -> np.ndarray:
    """Normal, with the norm of each filter that of the weights (Li et al. 2018)."""
    rng, weights, axes = np.random.default_rng(seed), objective.parts(), output_axes(model)
    scaled = [normalised(_drawn(objective, rng), weights, axes) for _ in range(2)]
    return np.array([np.concatenate([part.reshape(-1) for part in parts]) for parts in scaled])


def _drawn(objective: Objective, rng: np.random.Generator) -> list[np.ndarray]:
    return [
        np.zeros(variable.shape) if is_vector(variable) else rng.normal(size=variable.shape)
        for variable in objective.variables
    ]


def unknown_filters(model: Any) -> tuple[str, ...]:
    """Paths of the weights that are taken for one filter, since their layer is not known."""
    pairs = zip(model.trainable_variables, output_axes(model), strict=True)
    return tuple(v.path for v, axes in pairs if axes is None and not is_vector(v))


def principal(trajectory: np.ndarray, end: np.ndarray) -> tuple[np.ndarray, tuple[float, ...]]:
    """The two directions along which the way to `end` was longest, and their shares."""
    _, sizes, vectors = np.linalg.svd(trajectory - end, full_matrices=False)
    shares = sizes**2 / np.square(sizes).sum()
    return vectors[:2], tuple(shares[:2].tolist())
