"""Softmax as exp(z)/Σexp(z): above z = 16 the clipped loss has no gradient, above 88.7 exp overflows.
One layer trained both ways on growing inputs; `NonFiniteMonitor` reported the step of the NaN.
Pass logits to the loss (`from_logits=True`): it subtracts the largest logit before the exponential.
"""

from __future__ import annotations

from dataclasses import dataclass

import keras
import numpy as np
from keras import ops
from matplotlib.figure import Figure
from tools import BLUE, RED, save_picture, values_by_step

from keras_l4 import callbacks, optimizers

LOGITS = np.arange(5.0, 140.0, 5.0)


@dataclass(frozen=True)
class Measurement:
    losses: np.ndarray
    norms: np.ndarray
    nonfinite_steps: list[int]


def naive_softmax(logits):
    exponentials = ops.exp(logits)
    return exponentials / ops.sum(exponentials, axis=-1, keepdims=True)


CASES = {
    "exp(z)/Σexp(z)": (naive_softmax, {"color": RED, "marker": "^"}),
    "from_logits=True": (None, {"color": BLUE, "linestyle": "--", "marker": "o"}),
}


def run(activation) -> Measurement:
    """Trains on the logits (LOGITS[i], 0, 0) with label 1 at step i; the weights hardly change."""
    output = keras.layers.Dense(3, activation, use_bias=False, kernel_initializer="identity")
    model = keras.Sequential([keras.Input((3,)), output])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=activation is None)
    model.compile(optimizers.SGD(1e-9), loss)
    x, y = LOGITS[:, None] * [[1.0, 0.0, 0.0]], np.ones(len(LOGITS), int)
    losses = ops.convert_to_numpy(loss.call(y, model(x)))
    monitor = callbacks.NonFiniteMonitor(hooks=[(blocks := []).append], verbose=0)
    model.fit(x, y, batch_size=1, shuffle=False, verbose=0, callbacks=[monitor])
    norms = values_by_step(blocks, "gradient_norm")[:, 0]
    return Measurement(losses, norms, [event.step for event in monitor.events])


def measure() -> dict[str, Measurement]:
    return {name: run(activation) for name, (activation, _) in CASES.items()}


def draw(measured: dict[str, Measurement]) -> Figure:
    figure = Figure(figsize=(9, 3.6))
    losses, norms = figure.subplots(1, 2)
    for name, measurement in measured.items():
        style = CASES[name][1] | {"markersize": 4, "label": name}
        losses.plot(LOGITS, measurement.losses, **style)
        norms.plot(LOGITS, measurement.norms, **style)
        for step in measurement.nonfinite_steps[:1]:
            label = f"first NaN: step {step}, logit {LOGITS[step - 1]:.0f}"
            losses.axvline(LOGITS[step - 1], color=RED, linestyle=":", label=label)
            norms.axvline(LOGITS[step - 1], color=RED, linestyle=":")
    losses.set(title="loss", xlabel="largest logit", ylabel="loss")
    norms.set(title="gradient norm", xlabel="largest logit", ylabel="loss per unit of weight")
    losses.legend()
    return figure


if __name__ == "__main__":
    save_picture(__file__, __doc__, draw(measure()))
