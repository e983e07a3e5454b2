"""Measures, counts and shows the cost of Hessian-vector products."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

import keras
import numpy as np

from keras_l4.curvature._operator import Operator

_NUM_TRIALS = 3


def median_seconds(function: Callable[[], object]) -> float:
    """Measures the duration of a call: the median of three calls, after one that compiles."""
    seconds = [_seconds_of(function) for _ in range(_NUM_TRIALS + 1)]
    return float(np.median(seconds[1:]))


def seconds_per_product(operator: Operator) -> float:
    """Measures the duration of a product with a vector, by `median_seconds`."""
    vector = np.ones(operator.size)
    return median_seconds(lambda: operator.product(vector))


def _seconds_of(function: Callable[[], object]) -> float:
    begin = time.perf_counter()
    function()
    return time.perf_counter() - begin


class ProductCounter:
    """Counts the products with an operator.

    Args:
        operator: The operator.
        max_products: The largest number of products that will be computed.
        verbose: Whether to print the expected cost, and to show a progress bar.

    Attributes:
        operator: The operator whose products are counted; use it instead of the argument.
        num_products: Number of products so far.
    """

    def __init__(self, operator: Operator, max_products: int, verbose: bool) -> None:
        self.num_products = 0
        self.operator = replace(operator, product=self._counted_product)
        self._product = operator.product
        self._begin = time.perf_counter()
        self._bar = keras.utils.Progbar(max_products, unit_name="product") if verbose else None
        if verbose:
            seconds = seconds_per_product(operator)
            print(
                f"keras_l4: up to {max_products} Hessian-vector products of {1000 * seconds:.3g} ms: "
                f"{max_products * seconds:.3g} s"
            )

    @property
    def seconds(self) -> float:
        """Seconds since the counter was created."""
        return time.perf_counter() - self._begin

    def finish(self) -> None:
        """Completes the progress bar."""
        if self._bar is not None:
            self._bar.update(self.num_products, finalize=True)

    def _counted_product(self, vector: np.ndarray) -> np.ndarray:
        self.num_products += 1
        if self._bar is not None:
            self._bar.update(self.num_products)
        return self._product(vector)
