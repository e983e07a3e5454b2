"""A learning rate that is too low crawls, a good one arrives, one above 2/λmax leaves the bowl.
SGD on a quadratic with curvatures 10 and 1; `stability` measured λmax and the largest stable rate.
Measure 2/λmax with `keras_l4.curvature.stability` and stay below; begin at half of it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from tools import BLUE, GREEN, RED, draw_map, heights, publish, walk

from keras_l4 import optimizers, surfaces
from keras_l4.curvature import stability

BOWL = surfaces.quadratic(condition_number=10.0)
START, NUM_STEPS = (1.0, 1.5), 25
# Shares of the largest stable rate, with colour and marker.
CASES = {"too low": (0.04, BLUE, "o"), "good": (0.9, GREEN, "s"), "too high": (1.04, RED, "^")}
SHARES = np.array([0.01, 0.05, 0.1, 0.2, 0.35, 0.5, 0.7, 0.85, 0.95, 1.0, 1.04, 1.1])


@dataclass(frozen=True)
class Measured:
    limit: float
    walks: dict[str, np.ndarray]
    last_heights: np.ndarray


def measure() -> Measured:
    model = BOWL.model(optimizers.SGD(0.01), START)
    limit = stability(model, *BOWL.data()).largest_stable_learning_rate

    def walk_at(share: float) -> np.ndarray:
        model.optimizer.learning_rate = share * limit
        model.set_weights([np.array(START)])
        return walk(BOWL, model, NUM_STEPS)

    walks = {name: walk_at(share) for name, (share, *_) in CASES.items()}
    last = np.array([walk_at(share)[-1] for share in SHARES])
    return Measured(limit, walks, heights(BOWL, last))


def draw(measured: Measured) -> Figure:
    figure = Figure(figsize=(9, 3.4))
    paths, losses, rates = figure.subplots(1, 3)
    draw_map(paths, BOWL, (-2.2, 2.2), (-0.6, 2.2))
    for name, (share, color, marker) in CASES.items():
        label = f"{name}: {share * measured.limit:.3g}"
        style = {"color": color, "marker": marker, "markersize": 3, "linewidth": 1.2}
        paths.plot(*measured.walks[name].T, **style)
        losses.semilogy(heights(BOWL, measured.walks[name]), label=label, **style)
    paths.set_title("path of the weights")
    losses.set(title="loss by step", xlabel="step", ylabel="loss")
    losses.legend(title="learning rate", loc="lower left")
    draw_rates(rates, measured)
    return figure


def draw_rates(panel: Axes, measured: Measured) -> None:
    panel.loglog(SHARES * measured.limit, measured.last_heights, "o-", color="k", markersize=4)
    label = f"2/λmax = {measured.limit:.3g}"
    panel.axvline(measured.limit, color=RED, linestyle="--", label=label)
    panel.axhline(BOWL.value(*START), color="grey", linestyle=":", label="loss at the start")
    title = f"loss after {NUM_STEPS} steps"
    panel.set(title=title, xlabel="learning rate", ylabel="loss")
    panel.legend(loc="lower left")


if __name__ == "__main__":
    publish(__file__, __doc__, draw(measure()))
