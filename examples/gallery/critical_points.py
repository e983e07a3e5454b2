"""A minimum, a saddle and a plateau on the loss surface of one network with two weights.
`classify` named the three points, by the Hessian's extreme eigenvalues; `surface` made the cut.
Ask `classify` when the loss stands still: leave a saddle along v_min, a plateau by a new start.
"""

from __future__ import annotations

from dataclasses import dataclass

import keras
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from tools import BLUE, GREEN, RED, publish

from keras_l4 import optimizers
from keras_l4.curvature import CriticalPointReport, Slice, classify, surface

X = np.linspace(-2, 2, 8)[:, None]
Y = np.tanh(1.5 * np.tanh(1.5 * X))
# Where nothing is decided, where the targets came from, where all units saturate the wrong way.
POINTS = ((0.0, 0.0), (1.5, 1.5), (7.0, -7.0))
STYLES = tuple(
    {"color": color, "marker": marker, "markersize": 9, "markeredgecolor": "white"}
    for color, marker in ((RED, "s"), (GREEN, "D"), (BLUE, "o"))
)


@dataclass(frozen=True)
class Measured:
    cut: Slice
    places: tuple[CriticalPointReport, ...]


def measure() -> Measured:
    layers = (keras.layers.Dense(1, "tanh", use_bias=False) for _ in range(2))
    model = keras.Sequential([keras.Input((1,)), *layers])
    model.compile(optimizers.SGD(0.1), "mse")
    weights = [[np.full((1, 1), weight) for weight in point] for point in POINTS]

    def place_at(point: list[np.ndarray]) -> CriticalPointReport:
        model.set_weights(point)
        return classify(model, X, Y)

    places = tuple(map(place_at, weights))
    model.set_weights(weights[0])
    options = {"span": 11.0, "num_points": 31, "trajectory": weights}
    return Measured(surface(model, X, Y, directions="hessian", **options), places)


def draw(measured: Measured) -> Figure:
    figure = Figure(figsize=(9, 4))
    landscape, signatures = figure.subplots(1, 2)
    draw_cut(figure, landscape, measured.cut)
    for row, place in enumerate(measured.places):
        landscape.plot(*measured.cut.path[row], **STYLES[row])
        draw_signature(signatures, row, place)
    signatures.axvline(0, color="k", linewidth=1)
    signatures.set_xscale("symlog", linthresh=1e-3)
    signatures.set(title="Hessian: from λmin to λmax", xlabel="curvature, loss per weight²")
    signatures.set(xlim=(-6, 6), xticks=(-1, -0.01, 0, 0.01, 1), yticks=[], ylim=(-0.5, 2.7))
    return figure


def draw_cut(figure: Figure, panel: Axes, cut: Slice) -> None:
    filled = panel.contourf(cut.steps, cut.steps, cut.loss.T, 20, cmap="Greys", alpha=0.7)
    figure.colorbar(filled, ax=panel, label="loss")
    labels = {"xlabel": "weights along v_max", "ylabel": "weights along v_min"}
    panel.set(title="the cut through the saddle along its eigenvectors", **labels)


def draw_signature(panel: Axes, row: int, place: CriticalPointReport) -> None:
    panel.plot([place.smallest, place.largest], [row, row], linewidth=2, **STYLES[row])
    text = f"{place.kind}: loss {place.loss:.2g}, λ {place.smallest:.1g} to {place.largest:.1g}"
    panel.text(0, row + 0.2, text, ha="center", backgroundcolor="white")


if __name__ == "__main__":
    publish(__file__, __doc__, draw(measure()))
