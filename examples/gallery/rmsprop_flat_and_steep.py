"""RMSprop divides by the gradient's size: its rate is low on steep slopes and high on flat ones.
Down a wall of x⁴ + y⁴ to its plateau; `GradientNorms` and `EffectiveLearningRates` recorded both.
On a plateau its steps can become too long: lower the learning rate at the end with a schedule.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure
from tools import BLUE, RED, draw_map, save_picture, train_on, values_by_step

from keras_l4 import optimizers, surfaces
from keras_l4.callbacks import EffectiveLearningRates, GradientNorms

SURFACE, START, NUM_STEPS, RATE = surfaces.quartic_plateau(), (2.0, 1.2), 100, 0.03


@dataclass(frozen=True)
class Measurement:
    points: np.ndarray
    norms: np.ndarray
    rates: np.ndarray


def measure() -> Measurement:
    norms = GradientNorms(hooks=[(blocks := []).append], verbose=0)
    rates = EffectiveLearningRates(verbose=0)
    model = SURFACE.model(optimizers.RMSprop(RATE), START)
    points = train_on(SURFACE, model, NUM_STEPS, [norms, rates])
    series = (
        values_by_step(blocks, name)[:, 0] for name in ("gradient_norm", "effective_learning_rate")
    )
    return Measurement(points, *series)


def draw(measured: Measurement) -> Figure:
    figure = Figure(figsize=(9, 4.2))
    panels = figure.subplot_mosaic([["path", "norms"], ["path", "rates"]], width_ratios=(1.2, 1))
    path, norms, rates = (panels[name] for name in ("path", "norms", "rates"))
    draw_map(path, SURFACE, (-0.4, 2.2), (-0.4, 1.5))
    dots = path.scatter(*measured.points[:-1].T, c=np.log10(measured.rates), s=14, cmap="cividis")
    figure.colorbar(dots, ax=path, label="log₁₀ of the effective learning rate")
    path.set_title("path of the weights")
    steps = range(1, NUM_STEPS + 1)
    norms.semilogy(steps, measured.norms, color=RED)
    norms.set(title="gradient norm", ylabel="loss per unit of weight")
    rates.semilogy(steps, measured.rates, color=BLUE)
    rates.axhline(RATE, color="grey", linestyle=":", label="nominal learning rate")
    labels = {"xlabel": "step", "ylabel": "weight per gradient"}
    rates.set(title="effective learning rate", **labels)
    rates.legend()
    return figure


if __name__ == "__main__":
    save_picture(__file__, __doc__, draw(measure()))
