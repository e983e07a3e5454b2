"""Gradient descent goes straight to the minimum; SGD gets near it with a fortieth of the examples.
A linear model of two weights, 80 steps with all 160 examples or with batches of 4; loss by `surface`.
Use small batches far from the minimum; near it lower the learning rate, or noise dominates.
"""

from __future__ import annotations

import keras
import numpy as np
from matplotlib.figure import Figure
from tools import BLUE, RED, WeightHistory, save_picture

from keras_l4 import optimizers
from keras_l4.curvature import Slice, surface

NUM_STEPS, NUM_EXAMPLES = 80, 160
CASES = {
    "gradient descent": (NUM_EXAMPLES, {"color": BLUE, "marker": "o"}),
    "SGD, batches of 4": (4, {"color": RED, "linestyle": "--", "marker": "^"}),
}
START = np.array([[-1.5], [2.0]])
RNG = np.random.default_rng(0)
X = RNG.normal(size=(NUM_EXAMPLES, 2)) * (1.0, 0.4)
Y = X @ [[1.0], [-0.5]] + RNG.normal(size=(NUM_EXAMPLES, 1))


def linear_model() -> keras.Model:
    keras.utils.set_random_seed(1)
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1, use_bias=False)])
    model.compile(optimizers.SGD(0.15), "mse")
    return model


def weight_trajectory(batch_size: int) -> list[list[np.ndarray]]:
    model, history = linear_model(), WeightHistory()
    model.set_weights([START])
    epochs = NUM_STEPS * batch_size // NUM_EXAMPLES
    model.fit(X, Y, batch_size=batch_size, epochs=epochs, verbose=0, callbacks=[history])
    return [[point] for point in history.points]


def measure() -> dict[str, Slice]:
    model = linear_model()
    model.set_weights([np.linalg.lstsq(X, Y)[0]])
    options = {"directions": "hessian", "span": 3.6, "num_points": 19}
    return {
        name: surface(model, X, Y, trajectory=weight_trajectory(batch_size), **options)
        for name, (batch_size, _) in CASES.items()
    }


def draw(slices: dict[str, Slice]) -> Figure:
    figure = Figure(figsize=(9, 4))
    paths, losses = figure.subplots(1, 2)
    first = next(iter(slices.values()))
    paths.contourf(
        first.multiples, first.multiples, np.log1p(first.loss.T), 20, cmap="Greys", alpha=0.45
    )
    for name, surface_slice in slices.items():
        batch_size, style = CASES[name]
        style = style | {"markersize": 3, "linewidth": 1.2, "label": name}
        paths.plot(*surface_slice.path.T, **style)
        examples = batch_size * np.arange(1, NUM_STEPS + 1)
        losses.loglog(examples, surface_slice.path_loss[1:] - surface_slice.loss.min(), **style)
    paths.plot(0, 0, "*", color="white", markersize=15, markeredgecolor="k", zorder=9)
    paths.set(title="path of the weights; the star is the minimum", xlabel="weights along v_max")
    paths.set(ylabel="weights along v_min")
    losses.set(title="loss of all data", xlabel="examples seen", ylabel="loss above the minimum")
    losses.legend()
    return figure


if __name__ == "__main__":
    save_picture(__file__, __doc__, draw(measure()))
