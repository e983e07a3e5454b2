"""Every optimizer of keras_l4 moves from the same point of Beale's surface to its minimum (3, 0.5).
120 steps of `fit` each, with the learning rate in the legend; a callback read the weights.
Each method needs its own learning rate: when you change the optimizer, tune the rate again.
"""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from tools import COLORS, draw_map, grid, losses_at, save_picture, train_on

from keras_l4 import optimizers, surfaces

BEALE, NUM_STEPS = surfaces.beale(), 120
X, Y = (0.0, 3.4), (-1.5, 1.7)
OPTIMIZERS = {
    "SGD 0.004": lambda: optimizers.SGD(0.004),
    "SGD, momentum 0.002": lambda: optimizers.SGD(0.002, momentum=0.9),
    "SGD, Nesterov 0.002": lambda: optimizers.SGD(0.002, momentum=0.9, nesterov=True),
    "Adagrad 0.5": lambda: optimizers.Adagrad(0.5),
    "RMSprop 0.05": lambda: optimizers.RMSprop(0.05),
    "Adadelta 30": lambda: optimizers.Adadelta(30.0),
    "Adam 0.1": lambda: optimizers.Adam(0.1),
    "AdamW 0.1": lambda: optimizers.AdamW(0.1),
    "Adamax 0.2": lambda: optimizers.Adamax(0.2),
    "Nadam 0.1": lambda: optimizers.Nadam(0.1),
}


def measure() -> dict[str, np.ndarray]:
    return {
        name: train_on(BEALE, BEALE.model(create()), NUM_STEPS)
        for name, create in OPTIMIZERS.items()
    }


def style(number: int) -> dict[str, object]:
    dashes = ("-", "--")[number // len(COLORS)]
    return {"color": COLORS[number % len(COLORS)], "linestyle": dashes, "linewidth": 1.5}


def draw(paths: dict[str, np.ndarray]) -> Figure:
    figure = Figure(figsize=(9, 7.4))
    cells = figure.add_gridspec(2, 2, height_ratios=(1.15, 1))
    contour_map, losses = figure.add_subplot(cells[0, 0]), figure.add_subplot(cells[1, 0])
    landscape = figure.add_subplot(cells[0, 1], projection="3d")
    draw_map(contour_map, BEALE, X, Y)
    draw_landscape(landscape)
    for number, (name, points) in enumerate(paths.items()):
        loss = losses_at(BEALE, points)
        contour_map.plot(*points.T, **style(number))
        landscape.plot(*points.T, np.log10(1 + loss) + 0.02, zorder=5, **style(number))
        losses.semilogy(loss, label=f"{name} → {loss[-1]:.2g}", **style(number))
    contour_map.plot(3, 0.5, "*", color="white", markersize=15, markeredgecolor="k", zorder=9)
    contour_map.set_title("path of the weights; the star is the minimum")
    losses.set(title="loss by step", xlabel="step", ylabel="loss")
    figure.legend(loc=(0.6, 0.07), title="optimizer, learning rate → final loss")
    return figure


def draw_landscape(panel: Axes) -> None:
    points = grid(X, Y, num_points=60)
    z = np.log10(1 + losses_at(BEALE, points))
    panel.plot_surface(points[..., 0], points[..., 1], z, cmap="Greys", alpha=0.6, linewidth=0)
    panel.set_box_aspect((1.2, 1.2, 0.8), zoom=1.05)
    panel.view_init(elev=45, azim=-110)
    panel.set(
        title="the same paths; the height is log₁₀(1 + loss)", xlabel="weight x", ylabel="weight y"
    )


if __name__ == "__main__":
    save_picture(__file__, __doc__, draw(measure()))
