"""Curvatures of 100 and 1: SGD has one rate, limited by the steep axis; Adagrad has one per weight.
Forty steps each with κ = 100; SGD uses its best rate 2/(λmax + λmin), with both λ from `spectrum`.
If `spectrum` reports an ill-conditioned Hessian, use a rate per weight, or normalize the inputs.
"""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure
from tools import BLUE, RED, draw_map, losses_at, save_picture, train_on

from keras_l4 import optimizers, surfaces
from keras_l4.curvature import spectrum

BOWL, START, NUM_STEPS = surfaces.quadratic(condition_number=100.0), (1.0, 1.5), 40
STYLES = {"SGD": {"color": RED, "marker": "^"}, "Adagrad": {"color": BLUE, "marker": "o"}}


def measure() -> dict[str, np.ndarray]:
    eigenvalues = spectrum(BOWL.model("sgd", START), *BOWL.data())
    best_rate = 2 / (eigenvalues.largest + eigenvalues.smallest)
    cases = {"SGD": optimizers.SGD(best_rate), "Adagrad": optimizers.Adagrad(0.8)}
    return {
        name: train_on(BOWL, BOWL.model(optimizer, START), NUM_STEPS)
        for name, optimizer in cases.items()
    }


def draw(paths_by_name: dict[str, np.ndarray]) -> Figure:
    figure = Figure(figsize=(9, 3.8))
    paths, losses = figure.subplots(1, 2)
    draw_map(paths, BOWL, (-1.4, 1.4), (-0.4, 1.7))
    for name, points in paths_by_name.items():
        style = STYLES[name] | {"markersize": 3.5, "linewidth": 1.2, "label": name}
        paths.plot(*points.T, **style)
        losses.semilogy(losses_at(BOWL, points), **style)
    paths.set_title("path of the weights; x is the steep axis")
    losses.set(title="loss by step", xlabel="step", ylabel="loss")
    losses.legend()
    return figure


if __name__ == "__main__":
    save_picture(__file__, __doc__, draw(measure()))
