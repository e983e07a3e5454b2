"""Training is slow with a low learning rate, converges with a good one and diverges above 2/λmax.
SGD on a quadratic with curvatures 10 and 1; `stability` measured λmax and the largest stable rate.
Measure 2/λmax with `keras_l4.curvature.stability`, stay below it, and start with half of it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from tools import BLUE, GREEN, RED, draw_map, losses_at, save_picture, train_on

from keras_l4 import optimizers, surfaces
from keras_l4.curvature import stability

BOWL = surfaces.quadratic(condition_number=10.0)
START, NUM_STEPS = (1.0, 1.5), 25
# Fraction of the largest stable rate, color and marker.
CASES = {"too low": (0.04, BLUE, "o"), "good": (0.9, GREEN, "s"), "too high": (1.04, RED, "^")}
FRACTIONS = np.array([0.01, 0.05, 0.1, 0.2, 0.35, 0.5, 0.7, 0.85, 0.95, 1.0, 1.04, 1.1])


@dataclass(frozen=True)
class Measurement:
    largest_stable_rate: float
    paths: dict[str, np.ndarray]
    final_losses: np.ndarray


def measure() -> Measurement:
    model = BOWL.model(optimizers.SGD(0.01), START)
    largest_stable_rate = stability(model, *BOWL.data()).largest_stable_learning_rate

    def path_at(fraction: float) -> np.ndarray:
        model.optimizer.learning_rate = fraction * largest_stable_rate
        model.set_weights([np.array(START)])
        return train_on(BOWL, model, NUM_STEPS)

    paths = {name: path_at(fraction) for name, (fraction, *_) in CASES.items()}
    final_points = np.array([path_at(fraction)[-1] for fraction in FRACTIONS])
    return Measurement(largest_stable_rate, paths, losses_at(BOWL, final_points))


def draw(measured: Measurement) -> Figure:
    figure = Figure(figsize=(9, 3.4))
    paths, losses, rates = figure.subplots(1, 3)
    draw_map(paths, BOWL, (-2.2, 2.2), (-0.6, 2.2))
    for name, (fraction, color, marker) in CASES.items():
        label = f"{name}: {fraction * measured.largest_stable_rate:.3g}"
        style = {"color": color, "marker": marker, "markersize": 3, "linewidth": 1.2}
        paths.plot(*measured.paths[name].T, **style)
        losses.semilogy(losses_at(BOWL, measured.paths[name]), label=label, **style)
    paths.set_title("path of the weights")
    losses.set(title="loss by step", xlabel="step", ylabel="loss")
    losses.legend(title="learning rate", loc="lower left")
    draw_rates(rates, measured)
    return figure


def draw_rates(panel: Axes, measured: Measurement) -> None:
    panel.loglog(
        FRACTIONS * measured.largest_stable_rate,
        measured.final_losses,
        "o-",
        color="k",
        markersize=4,
    )
    label = f"2/λmax = {measured.largest_stable_rate:.3g}"
    panel.axvline(measured.largest_stable_rate, color=RED, linestyle="--", label=label)
    panel.axhline(BOWL.value(*START), color="grey", linestyle=":", label="loss at the start")
    title = f"loss after {NUM_STEPS} steps"
    panel.set(title=title, xlabel="learning rate", ylabel="loss")
    panel.legend(loc="lower left")


if __name__ == "__main__":
    save_picture(__file__, __doc__, draw(measure()))
