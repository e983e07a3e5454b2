"""A convex surface has one minimum; a non-convex one has several, with saddles in between.
`classify` named each critical point; the color shows the sign of λmin of the Hessian.
On a non-convex surface start from several points, and check for saddles with `classify`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from tools import BLUE, GREEN, ORANGE, RED, SKY, grid, losses_at, save_picture

from keras_l4 import surfaces
from keras_l4.curvature import CriticalPointReport, classify

SURFACES = {"convex": surfaces.quadratic(condition_number=3.0), "non-convex": surfaces.himmelblau()}
NUM_POINTS = 61
STYLES = {"minimum": (GREEN, "o"), "saddle": (RED, "X"), "maximum": (BLUE, "^")}


@dataclass(frozen=True)
class Measurement:
    reports: list[CriticalPointReport]
    smallest: np.ndarray


def measure_one(surface: surfaces.Surface) -> Measurement:
    model, reports = surface.model("sgd"), []
    for point in surface.critical_points:
        model.set_weights([np.array((point.x, point.y))])
        reports.append(classify(model, *surface.data()))
    hessians = np.array([surface.hessian(*p) for p in points().reshape(-1, 2)])
    return Measurement(reports, np.linalg.eigvalsh(hessians)[:, 0].reshape(NUM_POINTS, NUM_POINTS))


def points() -> np.ndarray:
    return grid((-4.3, 4.3), (-4.3, 4.3), NUM_POINTS)


def measure() -> dict[str, Measurement]:
    return {name: measure_one(surface) for name, surface in SURFACES.items()}


def draw(measured: dict[str, Measurement]) -> Figure:
    figure = Figure(figsize=(9, 4.8))
    for column, (name, measurement) in enumerate(measured.items(), start=1):
        panel = figure.add_subplot(1, 2, column, projection="3d")
        draw_one(panel, SURFACES[name], measurement)
        fraction = np.mean(measurement.smallest < 0)
        panel.set_title(f"loss, {name} ({SURFACES[name].name}): λmin < 0 on {fraction:.0%} of it")
    handles = [Line2D([], [], color=c, marker=m, ls="", label=k) for k, (c, m) in STYLES.items()]
    signs = {"λmin < 0": ORANGE, "λmin > 0": SKY}
    handles += [Patch(color=color, label=label) for label, color in signs.items()]
    figure.legend(handles=handles, loc="outside lower center", ncols=len(handles))
    return figure


def draw_one(panel: Axes, surface: surfaces.Surface, measurement: Measurement) -> None:
    grid_points = points()
    colors = np.where(measurement.smallest < 0, ORANGE, SKY)
    options = {"rstride": 1, "cstride": 1, "linewidth": 0, "alpha": 0.55}
    panel.plot_surface(
        *np.moveaxis(grid_points, -1, 0),
        losses_at(surface, grid_points),
        facecolors=colors,
        **options,
    )
    for point, report in zip(surface.critical_points, measurement.reports, strict=True):
        color, marker = STYLES[report.kind]
        panel.plot(point.x, point.y, report.loss, marker, color=color, zorder=9)
    panel.view_init(elev=50)
    panel.set(xlabel="weight x", ylabel="weight y")
    panel.set_box_aspect(None, zoom=0.9)


if __name__ == "__main__":
    save_picture(__file__, __doc__, draw(measure()))
