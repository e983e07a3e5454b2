"""Shared by the pictures: training on a surface, contour maps, style and saving."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import keras
import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image

from keras_l4 import StepBlock, surfaces

OUTPUT = Path("gallery")
# The palette of Okabe & Ito, whose colors color-blind people can distinguish.
BLACK, ORANGE, SKY, GREEN = "#000000", "#E69F00", "#56B4E9", "#009E73"
BLUE, RED, PURPLE = "#0072B2", "#D55E00", "#CC79A7"
COLORS = (BLACK, SKY, BLUE, ORANGE, RED, PURPLE, GREEN)
STYLE = {
    "axes.grid": True,
    "axes.titlesize": 10,
    "figure.constrained_layout.use": True,
    "figure.dpi": 100,
    "grid.alpha": 0.3,
    "legend.fontsize": 9,
    "legend.frameon": False,
}
matplotlib.rcParams.update(STYLE)


class WeightHistory(keras.callbacks.Callback):
    """Collects the model's weights before the first step and after each step in `points`."""

    def on_train_begin(self, logs: dict[str, float] | None = None) -> None:
        self.points = [self._flat_weights()]

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        self.points.append(self._flat_weights())

    def _flat_weights(self) -> np.ndarray:
        return np.concatenate([w.ravel() for w in self.model.get_weights()]).astype(float)


def train_on(
    surface: surfaces.Surface,
    model: keras.Model,
    num_steps: int,
    callbacks: Sequence[keras.callbacks.Callback] = (),
) -> np.ndarray:
    """Trains for some steps; returns the weights before and after them, `float64[num_steps + 1, 2]`."""
    # Compiling a model of two weights takes longer than training it, except on JAX, which would
    # compile each operation on its own.
    model.jit_compile = keras.backend.backend() == "jax"
    history = WeightHistory()
    data = surface.data(num_steps)
    model.fit(*data, batch_size=1, verbose=0, callbacks=[*callbacks, history])
    return np.array(history.points)


def losses_at(surface: surfaces.Surface, points: np.ndarray) -> np.ndarray:
    """Returns the loss at points `[..., 2]`."""
    return surface.formula(points[..., 0], points[..., 1])


def values_by_step(blocks: Sequence[StepBlock], quantity: str) -> np.ndarray:
    """Returns the values of a quantity, `[steps, layers]`."""
    return np.concatenate([block.series(quantity).values for block in blocks])


def grid(x: tuple[float, float], y: tuple[float, float], num_points: int = 121) -> np.ndarray:
    """Returns a grid of points over a rectangle, `float64[num_points, num_points, 2]`."""
    axes = (np.linspace(*x, num_points), np.linspace(*y, num_points))
    return np.stack(np.meshgrid(*axes), axis=-1)


def draw_map(
    panel: Axes, surface: surfaces.Surface, x: tuple[float, float], y: tuple[float, float]
) -> None:
    """Draws contours of log(1 + loss - lowest loss) in gray, on which colored paths are visible."""
    points = grid(x, y)
    loss = losses_at(surface, points)
    levels = np.log1p(loss - loss.min())
    panel.contourf(points[..., 0], points[..., 1], levels, 24, cmap="Greys", alpha=0.45)
    panel.set(xlabel="weight x", ylabel="weight y", xlim=x, ylim=y)
    panel.grid(visible=False)


def save_picture(script: str, caption: str | None, figure: Figure) -> Path:
    """Saves the picture in `gallery/` and prints its caption."""
    OUTPUT.mkdir(exist_ok=True)
    path = OUTPUT / f"{Path(script).stem}.png"
    figure.savefig(path)
    # This method keeps the colors of thin lines and reduces the file to a third.
    reduced = Image.open(path).convert("RGB").quantize(method=Image.Quantize.FASTOCTREE)
    reduced.save(path, optimize=True)
    print(f"{path}\n{caption}\n")
    return path
