"""Curvatures of 100 and 1: SGD's one rate must suit the steep axis, Adagrad has a rate for each.
Forty steps each on κ = 100; SGD at 2/(λmax + λmin), its best rate, both λ from `spectrum`.
Where `spectrum` says ill-conditioned, take a method with a rate per weight, or scale the inputs.
"""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure
from tools import BLUE, RED, draw_map, heights, publish, walk

from keras_l4 import optimizers, surfaces
from keras_l4.curvature import spectrum

BOWL, START, NUM_STEPS = surfaces.quadratic(condition_number=100.0), (1.0, 1.5), 40
STYLES = {"SGD": {"color": RED, "marker": "^"}, "Adagrad": {"color": BLUE, "marker": "o"}}


def measure() -> dict[str, np.ndarray]:
    found = spectrum(BOWL.model("sgd", START), *BOWL.data())
    best = 2 / (found.largest + found.smallest)
    racers = {"SGD": optimizers.SGD(best), "Adagrad": optimizers.Adagrad(0.8)}
    return {
        name: walk(BOWL, BOWL.model(optimizer, START), NUM_STEPS)
        for name, optimizer in racers.items()
    }


def draw(walks: dict[str, np.ndarray]) -> Figure:
    figure = Figure(figsize=(9, 3.8))
    paths, losses = figure.subplots(1, 2)
    draw_map(paths, BOWL, (-1.4, 1.4), (-0.4, 1.7))
    for name, points in walks.items():
        style = STYLES[name] | {"markersize": 3.5, "linewidth": 1.2, "label": name}
        paths.plot(*points.T, **style)
        losses.semilogy(heights(BOWL, points), **style)
    paths.set_title("path of the weights; x is the steep axis")
    losses.set(title="loss by step", xlabel="step", ylabel="loss")
    losses.legend()
    return figure


if __name__ == "__main__":
    publish(__file__, __doc__, draw(measure()))
