"""λmax beside PyHessian, how exact and how fast: a Markdown table.

    pip install --no-deps pyhessian
    KERAS_BACKEND=torch PYTHONPATH=. python benchmarks/cost/curvature.py

Both measure the same weights on the same batch, by at most 100 products, and stop at the same
tolerance: of PyHessian the change from one step to the next, of keras_l4 the residual, of λmin too. The
truth is the dense Hessian of the model in float64, by differences of gradients: hence smooth models.
Times are medians of interleaved rounds, after a first one that is not counted.
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
# The products are small: threads would wait for each other.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import keras
import numpy as np
from keras import layers
from machine import describe

from keras_l4.curvature._lanczos import explore
from keras_l4.curvature._meter import ProductCounter
from keras_l4.curvature._objective import Objective
from keras_l4.curvature._operator import hessian
from tests.curvature.models import double_precision
from tests.curvature.truth import dense_hessian

ROWS, CLASSES, MOST_PRODUCTS = 256, 3, 100
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


def saturated() -> list[Any]:
    """Sure of wrong answers, where the squared error of a sigmoid curves downward."""
    sure = layers.Dense(
        CLASSES, activation="sigmoid", bias_initializer=keras.initializers.Constant(2)
    )
    return [keras.Input((16,)), layers.Dense(32, activation="sigmoid"), sure]


@dataclass(frozen=True)
class Case:
    """A model, and what it is trained for a little."""

    stack: Callable[[], list[Any]]
    classes: bool = True
    epochs: int = 5

    def model(self) -> Any:
        model = keras.Sequential(self.stack())
        own = (
            keras.losses.SparseCategoricalCrossentropy(from_logits=True) if self.classes else "mse"
        )
        model.compile(keras.optimizers.SGD(0.05), own)
        return model

    def criterion(self) -> Any:
        import torch

        return torch.nn.CrossEntropyLoss() if self.classes else torch.nn.MSELoss()

    def data(self) -> tuple[np.ndarray, np.ndarray]:
        rng = np.random.default_rng(0)
        x = rng.normal(size=(ROWS, *self.stack()[0].shape[1:])).astype("float32")
        which = rng.integers(0, CLASSES, ROWS)
        return x, which if self.classes else np.zeros((ROWS, CLASSES), "float32")


CASES = {
    "perceptron": Case(perceptron),
    "convolutions": Case(convolutions),
    "saturated sigmoid": Case(saturated, classes=False, epochs=0),
}


@dataclass
class Found:
    """What a tool found, and each round of it."""

    largest: float = 0.0
    products: int = 0
    seconds: list[float] = field(default_factory=list)


def truth(case: Case, weights: Any) -> tuple[float, float]:
    """λmin and λmax, in float64."""
    with double_precision():
        model = case.model()
        model.set_weights(weights)
        matrix = dense_hessian(Objective(model, *case.data(), batch_size=ROWS))
    values = np.linalg.eigvalsh(matrix)
    return float(values[0]), float(values[-1])


def ours(case: Case, model: Any, tolerance: float) -> tuple[float, int]:
    operator = hessian(Objective(model, *case.data(), batch_size=ROWS))
    meter = ProductCounter(operator, MOST_PRODUCTS, verbose=False)
    start = np.random.default_rng(0).normal(size=operator.size)
    found = explore(meter.operator, start, MOST_PRODUCTS, tolerance)
    return float(found.values[-1]), meter.num_products


def theirs(case: Case, model: Any, tolerance: float) -> tuple[float, int]:
    import torch

    # In the package, the name is that of the class.
    module = importlib.import_module("pyhessian.hessian")
    products, product = [0], module.hessian_vector_product

    def counted(*args: Any) -> Any:
        products[0] += 1
        return product(*args)

    module.hessian_vector_product = counted
    try:
        torch.manual_seed(0)
        x, y = map(torch.from_numpy, case.data())
        found = module.hessian(model, case.criterion(), data=(x, y), cuda=False)
        values, _ = found.eigenvalues(maxIter=MOST_PRODUCTS, tol=tolerance)
    finally:
        module.hessian_vector_product = product
        # Gradients hold their graph, which holds them.
        model.zero_grad(set_to_none=True)
    return float(values[0]), products[0]


TOOLS = {"keras_l4": ours, "PyHessian": theirs}


def compared(case: Case, model: Any, tolerance: float, rounds: int) -> dict[str, Found]:
    """Both tools in turn, in a random order."""
    found = {name: Found() for name in TOOLS}
    shuffled = random.Random(0)
    for number in range(rounds + 1):
        for name in shuffled.sample(list(TOOLS), len(TOOLS)):
            begin = time.perf_counter()
            found[name].largest, found[name].products = TOOLS[name](case, model, tolerance)
            if number:
                found[name].seconds.append(time.perf_counter() - begin)
    return found


def rows(name: str, tolerances: list[float], rounds: int) -> list[str]:
    """The lines of the table for a case."""
    keras.utils.set_random_seed(0)
    case = CASES[name]
    model = case.model()
    if case.epochs:
        model.fit(*case.data(), epochs=case.epochs, verbose=0)
    size = sum(int(np.prod(v.shape)) for v in model.trainable_variables)
    smallest, largest = truth(case, model.get_weights())
    lines = []
    for tolerance in tolerances:
        for tool, found in compared(case, model, tolerance, rounds).items():
            error = abs(found.largest - largest) / abs(largest)
            whole = 1e3 * statistics.median(found.seconds)
            lines.append(
                f"| {name} | {size} | {tolerance:g} | {largest:.5g} | {smallest:.5g} | {tool} | "
                f"{found.largest:.5g} | {error:.1e} | {found.products} | {whole:.0f} | "
                f"{whole / found.products:.2f} |"
            )
    return lines


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tolerances", type=float, nargs="+", default=[1e-3, 1e-5])
    parser.add_argument("--rounds", type=int, default=7)
    given = parser.parse_args()
    try:
        import pyhessian  # noqa: F401
    except ImportError:
        print("Skipped: PyHessian is not installed. pip install --no-deps pyhessian")
        return
    if keras.backend.backend() != "torch":
        print("Skipped: PyHessian takes torch models. Set KERAS_BACKEND=torch")
        return
    # Of backward(create_graph=True), which is how PyHessian works.
    warnings.filterwarnings("ignore", message="Using backward", category=UserWarning)
    print(f"{describe()}\n\n{HEAD}")
    for name in CASES:
        print("\n".join(rows(name, given.tolerances, given.rounds)), flush=True)


if __name__ == "__main__":
    main()
