"""The arguments that only the `Curvature` callback has."""

from __future__ import annotations

from typing import Any, get_args

from keras_l4.callbacks._options import check_integer
from keras_l4.curvature import Directions, Effort


def check_curvature_arguments(every: Any, effort: Any, surface: Any) -> None:
    """Raises a TypeError or ValueError where one is not as it should be."""
    if every != "epoch":
        check_integer("every", every, least=1)
    if effort is not None and not isinstance(effort, Effort):
        raise TypeError(f"effort={effort!r}: expected a keras_l4.curvature.Effort, or None.")
    if surface is not None and surface not in get_args(Directions):
        raise ValueError(
            f'surface={surface!r}: expected "random", "hessian", "pca", or None for no slice.'
        )
