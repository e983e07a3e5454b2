"""A minimum, a saddle and a plateau on the loss surface of one network with two weights.
`classify` named the points by the extreme eigenvalues of the Hessian; `surface` computed the slice.
If the loss stops falling, use `classify`: leave a saddle along v_min, restart from a plateau.
"""

from __future__ import annotations

from dataclasses import dataclass

import keras
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from tools import BLUE, GREEN, RED, save_picture

from keras_l4 import optimizers
from keras_l4.curvature import CriticalPointReport, Slice, classify, surface

X = np.linspace(-2, 2, 8)[:, None]
Y = np.tanh(1.5 * np.tanh(1.5 * X))
# Zero weights, the weights that generated the targets, and weights that saturate all units.
POINTS = ((0.0, 0.0), (1.5, 1.5), (7.0, -7.0))
STYLES = tuple(
    {"color": color, "marker": marker, "markersize": 9, "markeredgecolor": "white"}
    for color, marker in ((RED, "s"), (GREEN, "D"), (BLUE, "o"))
)


@dataclass(frozen=True)
class Measurement:
    surface_slice: Slice
    reports: tuple[CriticalPointReport, ...]


def measure() -> Measurement:
    layers = (keras.layers.Dense(1, "tanh", use_bias=False) for _ in range(2))
    model = keras.Sequential([keras.Input((1,)), *layers])
    model.compile(optimizers.SGD(0.1), "mse")
    weights = [[np.full((1, 1), weight) for weight in point] for point in POINTS]

    def report_at(point: list[np.ndarray]) -> CriticalPointReport:
        model.set_weights(point)
        return classify(model, X, Y)

    reports = tuple(map(report_at, weights))
    model.set_weights(weights[0])
    options = {"span": 11.0, "num_points": 31, "trajectory": weights}
    return Measurement(surface(model, X, Y, directions="hessian", **options), reports)


def draw(measured: Measurement) -> Figure:
    figure = Figure(figsize=(9, 4))
    landscape, eigenvalues = figure.subplots(1, 2)
    draw_slice(figure, landscape, measured.surface_slice)
    for row, report in enumerate(measured.reports):
        landscape.plot(*measured.surface_slice.path[row], **STYLES[row])
        draw_eigenvalues(eigenvalues, row, report)
    eigenvalues.axvline(0, color="k", linewidth=1)
    eigenvalues.set_xscale("symlog", linthresh=1e-3)
    eigenvalues.set(title="Hessian: from λmin to λmax", xlabel="curvature, loss per weight²")
    eigenvalues.set(xlim=(-6, 6), xticks=(-1, -0.01, 0, 0.01, 1), yticks=[], ylim=(-0.5, 2.7))
    return figure


def draw_slice(figure: Figure, panel: Axes, surface_slice: Slice) -> None:
    filled = panel.contourf(
        surface_slice.multiples,
        surface_slice.multiples,
        surface_slice.loss.T,
        20,
        cmap="Greys",
        alpha=0.7,
    )
    figure.colorbar(filled, ax=panel, label="loss")
    labels = {"xlabel": "weights along v_max", "ylabel": "weights along v_min"}
    panel.set(title="slice through the saddle along its eigenvectors", **labels)


def draw_eigenvalues(panel: Axes, row: int, report: CriticalPointReport) -> None:
    panel.plot([report.smallest, report.largest], [row, row], linewidth=2, **STYLES[row])
    text = f"{report.kind}: loss {report.loss:.2g}, λ {report.smallest:.1g} to {report.largest:.1g}"
    panel.text(0, row + 0.2, text, ha="center", backgroundcolor="white")


if __name__ == "__main__":
    save_picture(__file__, __doc__, draw(measure()))
