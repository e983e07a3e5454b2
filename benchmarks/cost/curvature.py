"""Compares accuracy and duration of λmax with PyHessian, and prints a Markdown table.

    pip install --no-deps pyhessian
    KERAS_BACKEND=torch PYTHONPATH=. python benchmarks/cost/curvature.py

Both measure the same weights on the same batch, with at most 100 products and the same tolerance. In
PyHessian the tolerance applies to the change between two steps, in keras_l4 to the residuals of λmax and
λmin. The reference is the dense Hessian of the model in float64, by differences of gradients, which
requires smooth models. Times are medians of interleaved rounds, without the first one.
"""

from __future__ import annotations

import argparse
import importlib
import os
import random
import statistics
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

os.environ.setdefault("KERAS_BACKEND", "torch")
# The products are small: with several threads, synchronization would dominate.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import keras
import numpy as np
from keras import layers
from machine import describe

from keras_l4.curvature._cost import ProductCounter
from keras_l4.curvature._eigenpairs import lanczos
from keras_l4.curvature._objective import Objective
from keras_l4.curvature._operator import hessian_operator
from tests.curvature.finite_differences import dense_hessian
from tests.curvature.models import double_precision

ROWS, CLASSES, MAX_PRODUCTS = 256, 3, 100
HEAD = (
    "| model | weights | tolerance | λmax | λmin | tool | found | relative error | products | ms |"
    " ms per product |\n|---|---|---|---|---|---|---|---|---|---|---|"
)


def perceptron() -> list[Any]:
    return [keras.Input((16,)), layers.Dense(32, activation="tanh"), layers.Dense(CLASSES)]


def convolutions() -> list[Any]:
    return [
        keras.Input((6, 6, 1)),
        layers.Conv2D(6, 3, activation="tanh"),
        layers.BatchNormalization(),
        layers.Conv2D(6, 3, activation="tanh"),
        layers.Flatten(),
        layers.Dense(CLASSES),
    ]


def saturated_sigmoid() -> list[Any]:
    """Confidently wrong: there, the squared error of a sigmoid has negative curvature."""
    head = layers.Dense(
        CLASSES, activation="sigmoid", bias_initializer=keras.initializers.Constant(2)
    )
    return [keras.Input((16,)), layers.Dense(32, activation="sigmoid"), head]


@dataclass(frozen=True)
class Case:
    """A model, and its loss and number of training epochs."""

    stack: Callable[[], list[Any]]
    is_classifier: bool = True
    epochs: int = 5

    def model(self) -> Any:
        model = keras.Sequential(self.stack())
        loss = (
            keras.losses.SparseCategoricalCrossentropy(from_logits=True)
            if self.is_classifier
            else "mse"
        )
        model.compile(keras.optimizers.SGD(0.05), loss)
        return model

    def criterion(self) -> Any:
        import torch

        return torch.nn.CrossEntropyLoss() if self.is_classifier else torch.nn.MSELoss()

    def data(self) -> tuple[np.ndarray, np.ndarray]:
        rng = np.random.default_rng(0)
        x = rng.normal(size=(ROWS, *self.stack()[0].shape[1:])).astype("float32")
        labels = rng.integers(0, CLASSES, ROWS)
        return x, labels if self.is_classifier else np.zeros((ROWS, CLASSES), "float32")


CASES = {
    "perceptron": Case(perceptron),
    "convolutions": Case(convolutions),
    "saturated sigmoid": Case(saturated_sigmoid, is_classifier=False, epochs=0),
}


@dataclass
class Result:
    """The largest eigenvalue that a tool found, and the duration of each round."""

    largest: float = 0.0
    products: int = 0
    seconds: list[float] = field(default_factory=list)


def reference_extremes(case: Case, weights: Any) -> tuple[float, float]:
    """Returns λmin and λmax of the dense Hessian, in float64."""
    with double_precision():
        model = case.model()
        model.set_weights(weights)
        matrix = dense_hessian(Objective(model, *case.data(), batch_size=ROWS))
    values = np.linalg.eigvalsh(matrix)
    return float(values[0]), float(values[-1])


def run_keras_l4(case: Case, model: Any, tolerance: float) -> tuple[float, int]:
    operator = hessian_operator(Objective(model, *case.data(), batch_size=ROWS))
    counter = ProductCounter(operator, MAX_PRODUCTS, verbose=False)
    start = np.random.default_rng(0).normal(size=operator.size)
    pairs = lanczos(counter.operator, start, MAX_PRODUCTS, tolerance)
    return float(pairs.values[-1]), counter.num_products


def run_pyhessian(case: Case, model: Any, tolerance: float) -> tuple[float, int]:
    import torch

    # `pyhessian.hessian` is the class, which hides the module of that name.
    module = importlib.import_module("pyhessian.hessian")
    num_products, stock_product = 0, module.hessian_vector_product

    def counted_product(*args: Any) -> Any:
        nonlocal num_products
        num_products += 1
        return stock_product(*args)

    module.hessian_vector_product = counted_product
    try:
        torch.manual_seed(0)
        x, y = map(torch.from_numpy, case.data())
        hessian = module.hessian(model, case.criterion(), data=(x, y), cuda=False)
        values, _ = hessian.eigenvalues(maxIter=MAX_PRODUCTS, tol=tolerance)
    finally:
        module.hessian_vector_product = stock_product
        # With create_graph=True, gradients and their graph form a reference cycle.
        model.zero_grad(set_to_none=True)
    return float(values[0]), num_products


TOOLS = {"keras_l4": run_keras_l4, "PyHessian": run_pyhessian}


def compare(case: Case, model: Any, tolerance: float, rounds: int) -> dict[str, Result]:
    """Runs both tools in each round, in a random order."""
    results = {name: Result() for name in TOOLS}
    generator = random.Random(0)
    for number in range(rounds + 1):
        for name in generator.sample(list(TOOLS), len(TOOLS)):
            begin = time.perf_counter()
            results[name].largest, results[name].products = TOOLS[name](case, model, tolerance)
            if number:
                results[name].seconds.append(time.perf_counter() - begin)
    return results


def rows(name: str, tolerances: list[float], rounds: int) -> list[str]:
    """Returns the lines of the table for a case."""
    keras.utils.set_random_seed(0)
    case = CASES[name]
    model = case.model()
    if case.epochs:
        model.fit(*case.data(), epochs=case.epochs, verbose=0)
    size = sum(int(np.prod(v.shape)) for v in model.trainable_variables)
    smallest, largest = reference_extremes(case, model.get_weights())
    lines = []
    for tolerance in tolerances:
        for tool, result in compare(case, model, tolerance, rounds).items():
            error = abs(result.largest - largest) / abs(largest)
            milliseconds = 1e3 * statistics.median(result.seconds)
            lines.append(
                f"| {name} | {size} | {tolerance:g} | {largest:.5g} | {smallest:.5g} | {tool} | "
                f"{result.largest:.5g} | {error:.1e} | {result.products} | {milliseconds:.0f} | "
                f"{milliseconds / result.products:.2f} |"
            )
    return lines


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tolerances", type=float, nargs="+", default=[1e-3, 1e-5])
    parser.add_argument("--rounds", type=int, default=7)
    arguments = parser.parse_args()
    try:
        import pyhessian  # noqa: F401
    except ImportError:
        print("Skipped: PyHessian is not installed. pip install --no-deps pyhessian")
        return
    if keras.backend.backend() != "torch":
        print("Skipped: PyHessian supports torch models only. Set KERAS_BACKEND=torch")
        return
    # PyHessian calls backward(create_graph=True), of which torch warns.
    warnings.filterwarnings("ignore", message="Using backward", category=UserWarning)
    print(f"{describe()}\n\n{HEAD}")
    for name in CASES:
        print("\n".join(rows(name, arguments.tolerances, arguments.rounds)), flush=True)


if __name__ == "__main__":
    main()
