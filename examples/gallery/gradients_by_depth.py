"""Gradients by depth: they vanish with small initial weights and explode with large ones.
Norms recorded by `GradientNorms` at the first step of twenty Dense layers of 32 units, on digits.
Use Glorot for tanh and He for relu; with sigmoid the gradient vanishes with any initialization.
"""

from __future__ import annotations

import keras
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from sklearn.datasets import load_digits
from tools import BLUE, GREEN, RED, save_picture, values_by_step

import keras_l4

DEPTH, WIDTH, NUM_EXAMPLES = 20, 32, 128
GOOD = {
    "sigmoid": keras.initializers.GlorotNormal,
    "tanh": keras.initializers.GlorotNormal,
    "relu": keras.initializers.HeNormal,
}
CASES = {"σ = 0.05": (BLUE, "v"), "good": (GREEN, "o"), "σ = 0.6": (RED, "^")}


def hidden_layer(activation: str, case: str, seed: int) -> keras.layers.Layer:
    if case == "good":
        initializer = GOOD[activation](seed)
    else:
        deviation = float(case.removeprefix("σ = "))
        initializer = keras.initializers.RandomNormal(stddev=deviation, seed=seed)
    return keras.layers.Dense(WIDTH, activation, kernel_initializer=initializer)


def deep_model(activation: str, case: str) -> keras.Model:
    hidden = [hidden_layer(activation, case, seed) for seed in range(DEPTH - 1)]
    output = keras.layers.Dense(10, kernel_initializer=keras.initializers.GlorotNormal(DEPTH))
    model = keras.Sequential([keras.Input((64,)), *hidden, output])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    # Compiling would take longer than the single step.
    model.compile(keras_l4.optimizers.SGD(1e-3), loss, run_eagerly=True)
    return model


def gradient_norms(activation: str, case: str) -> np.ndarray:
    """Returns the gradient norm of each layer, from input to output."""
    x, y = (part[:NUM_EXAMPLES] for part in load_digits(return_X_y=True))
    norms = keras_l4.callbacks.GradientNorms(hooks=[(blocks := []).append], verbose=0)
    model = deep_model(activation, case)
    model.fit(x / 8 - 1, y, batch_size=NUM_EXAMPLES, verbose=0, callbacks=[norms])
    return values_by_step(blocks, "gradient_norm")[0]


def measure() -> dict[str, dict[str, np.ndarray]]:
    return {name: {case: gradient_norms(name, case) for case in CASES} for name in GOOD}


def draw(measured: dict[str, dict[str, np.ndarray]]) -> Figure:
    figure = Figure(figsize=(9, 3.6))
    panels = figure.subplots(1, len(measured), sharey=True)
    for panel, (activation, cases) in zip(panels, measured.items(), strict=True):
        draw_cases(panel, activation, cases)
    panels[0].set_ylabel("gradient norm, loss per unit of weight")
    return figure


def draw_cases(panel: Axes, activation: str, cases: dict[str, np.ndarray]) -> None:
    for case, norms in cases.items():
        color, marker = CASES[case]
        label = GOOD[activation].__name__ if case == "good" else f"normal, {case}"
        panel.semilogy(range(1, DEPTH + 1), norms, color=color, marker=marker, ms=4, label=label)
    panel.set(title=activation, xlabel="layer, from the input", xticks=range(0, DEPTH + 1, 5))
    panel.legend(title="initial weights")


if __name__ == "__main__":
    save_picture(__file__, __doc__, draw(measure()))
