"""Every optimizer of keras_l4 runs from one point of Beale's surface to its minimum at (3, 0.5).
120 steps of `fit` each at the learning rate in the legend; weights were read after each step.
No rate suits two methods: when you change the optimizer, look for its learning rate again.
"""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from tools import COLORS, draw_map, grid, heights, publish, walk

from keras_l4 import optimizers, surfaces

BEALE, NUM_STEPS = surfaces.beale(), 120
X, Y = (0.0, 3.4), (-1.5, 1.7)
RACERS = {
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
    return {name: walk(BEALE, BEALE.model(make()), NUM_STEPS) for name, make in RACERS.items()}


def style(number: int) -> dict[str, object]:
    dashes = ("-", "--")[number // len(COLORS)]
    return {"color": COLORS[number % len(COLORS)], "linestyle": dashes, "linewidth": 1.5}


def draw(walks: dict[str, np.ndarray]) -> Figure:
    figure = Figure(figsize=(9, 7.4))
    cells = figure.add_gridspec(2, 2, height_ratios=(1.15, 1))
    seen_from_above, losses = figure.add_subplot(cells[0, 0]), figure.add_subplot(cells[1, 0])
    landscape = figure.add_subplot(cells[0, 1], projection="3d")
    draw_map(seen_from_above, BEALE, X, Y)
    draw_landscape(landscape)
    for number, (name, points) in enumerate(walks.items()):
        height = heights(BEALE, points)
        seen_from_above.plot(*points.T, **style(number))
        landscape.plot(*points.T, np.log10(1 + height) + 0.02, zorder=5, **style(number))
        losses.semilogy(height, label=f"{name} → {height[-1]:.2g}", **style(number))
    seen_from_above.plot(3, 0.5, "*", color="white", markersize=15, markeredgecolor="k", zorder=9)
    seen_from_above.set_title("from above; the star is the minimum")
    losses.set(title="loss by step", xlabel="step", ylabel="loss")
    figure.legend(loc=(0.6, 0.07), title="optimizer, learning rate → last loss")
    return figure


def draw_landscape(panel: Axes) -> None:
    points = grid(X, Y, num_points=60)
    z = np.log10(1 + heights(BEALE, points))
    panel.plot_surface(points[..., 0], points[..., 1], z, cmap="Greys", alpha=0.6, linewidth=0)
    panel.set_box_aspect((1.2, 1.2, 0.8), zoom=1.05)
    panel.view_init(elev=45, azim=-110)
    panel.set(title="the same; the height is log₁₀(1 + loss)", xlabel="weight x", ylabel="weight y")


if __name__ == "__main__":
    publish(__file__, __doc__, draw(measure()))
