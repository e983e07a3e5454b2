"""Meter: says what a measurement will cost, and shows how far it is."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

import keras
import numpy as np

from keras_l4.curvature._operator import Operator

_TRIALS = 3


def usual_seconds(action: Callable[[], object]) -> float:
    """Measured, compilation left out: the median of three."""
    seconds = [_timed(action) for _ in range(_TRIALS + 1)]
    return float(np.median(seconds[1:]))


def seconds_per_product(operator: Operator) -> float:
    """Of a product with a vector, as `usual_seconds`."""
    vector = np.ones(operator.size)
    return usual_seconds(lambda: operator.product(vector))


def _timed(action: Callable[[], object]) -> float:
    begin = time.perf_counter()
    action()
    return time.perf_counter() - begin


class ProductCounter:
    """Counts the products of an operator.

    Args:
        operator: The operator.
        num_planned: The most products that will be asked for.
        verbose: Whether to print the expected cost, and a progress bar.
    """

    def __init__(self, operator: Operator, num_planned: int, verbose: bool) -> None:
        self.num_products = 0
        self.operator = replace(operator, product=self._product)
        self._plain = operator.product
        self._begin = time.perf_counter()
        self._bar = keras.utils.Progbar(num_planned, unit_name="product") if verbose else None
        if verbose:
            each = seconds_per_product(operator)
            print(
                f"keras_l4: up to {num_planned} Hessian-vector products of {1000 * each:.3g} ms: "
                f"{num_planned * each:.3g} s"
            )

    @property
    def seconds(self) -> float:
        """Since it was made."""
        return time.perf_counter() - self._begin

    def finish(self) -> None:
        """Ends the line of the progress bar."""
        if self._bar is not None:
            self._bar.update(self.num_products, finalize=True)

    def _product(self, vector: np.ndarray) -> np.ndarray:
        self.num_products += 1
        if self._bar is not None:
            self._bar.update(self.num_products)
        return self._plain(vector)
