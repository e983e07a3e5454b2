"""Adagrad adds up all squared gradients: a steep start takes its rate away for good.
From Rosenbrock's steep wall into its ravine; `EffectiveLearningRates` recorded each step's rate.
If the rate dies while the loss is high, take RMSprop or Adam, which forget, or a larger rate.
"""

from __future__ import annotations

from dataclasses import dataclass

import keras
import numpy as np
from matplotlib.figure import Figure
from tools import BLUE, RED, heights, publish, recorded, walk

from keras_l4 import optimizers, surfaces
from keras_l4.callbacks import EffectiveLearningRates

RAVINE, START, NUM_STEPS = surfaces.rosenbrock(), (-1.8, -1.0), 300
STYLES = {"Adagrad": {"color": BLUE}, "RMSprop": {"color": RED, "linestyle": "--"}}


@dataclass(frozen=True)
class Measured:
    rates: np.ndarray
    losses: np.ndarray


def run(optimizer: keras.optimizers.Optimizer) -> Measured:
    callback = EffectiveLearningRates(hooks=[(blocks := []).append], verbose=0)
    points = walk(RAVINE, RAVINE.model(optimizer, START), NUM_STEPS, [callback])
    return Measured(recorded(blocks, "effective_learning_rate")[:, 0], heights(RAVINE, points))


def measure() -> dict[str, Measured]:
    return {
        "Adagrad": run(optimizers.Adagrad(0.1, initial_accumulator_value=0.0)),
        "RMSprop": run(optimizers.RMSprop(0.01)),
    }


def draw(measured: dict[str, Measured]) -> Figure:
    figure = Figure(figsize=(9, 3.6))
    rates, losses = figure.subplots(1, 2)
    for name, found in measured.items():
        style = STYLES[name] | {"label": f"{name}, last loss {found.losses[-1]:.2g}"}
        rates.semilogy(range(1, NUM_STEPS + 1), found.rates, **style)
        losses.semilogy(found.losses, **style)
    title = "effective learning rate"
    rates.set(title=title, xlabel="step", ylabel="weight per unit of gradient")
    losses.set(title="loss by step", xlabel="step", ylabel="loss")
    losses.legend()
    return figure


if __name__ == "__main__":
    publish(__file__, __doc__, draw(measure()))
