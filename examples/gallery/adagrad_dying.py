"""Adagrad sums all squared gradients: after a steep start its learning rate stays small forever.
From Rosenbrock's steep wall into its ravine; `EffectiveLearningRates` recorded the rate of each step.
If the rate vanishes while the loss is high, use RMSprop or Adam, which average, or a larger rate.
"""

from __future__ import annotations

from dataclasses import dataclass

import keras
import numpy as np
from matplotlib.figure import Figure
from tools import BLUE, RED, losses_at, save_picture, train_on, values_by_step

from keras_l4 import optimizers, surfaces
from keras_l4.callbacks import EffectiveLearningRates

RAVINE, START, NUM_STEPS = surfaces.rosenbrock(), (-1.8, -1.0), 300
STYLES = {"Adagrad": {"color": BLUE}, "RMSprop": {"color": RED, "linestyle": "--"}}


@dataclass(frozen=True)
class Measurement:
    rates: np.ndarray
    losses: np.ndarray


def run(optimizer: keras.optimizers.Optimizer) -> Measurement:
    callback = EffectiveLearningRates(hooks=[(blocks := []).append], verbose=0)
    points = train_on(RAVINE, RAVINE.model(optimizer, START), NUM_STEPS, [callback])
    return Measurement(
        values_by_step(blocks, "effective_learning_rate")[:, 0], losses_at(RAVINE, points)
    )


def measure() -> dict[str, Measurement]:
    return {
        "Adagrad": run(optimizers.Adagrad(0.1, initial_accumulator_value=0.0)),
        "RMSprop": run(optimizers.RMSprop(0.01)),
    }


def draw(measured: dict[str, Measurement]) -> Figure:
    figure = Figure(figsize=(9, 3.6))
    rates, losses = figure.subplots(1, 2)
    for name, measurement in measured.items():
        style = STYLES[name] | {"label": f"{name}, final loss {measurement.losses[-1]:.2g}"}
        rates.semilogy(range(1, NUM_STEPS + 1), measurement.rates, **style)
        losses.semilogy(measurement.losses, **style)
    title = "effective learning rate"
    rates.set(title=title, xlabel="step", ylabel="weight per unit of gradient")
    losses.set(title="loss by step", xlabel="step", ylabel="loss")
    losses.legend()
    return figure


if __name__ == "__main__":
    save_picture(__file__, __doc__, draw(measure()))
